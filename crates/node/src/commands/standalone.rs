//! Replication and cluster as a server that has neither answers, and MONITOR.

use aidb_redis::number::parse_integer;
use aidb_redis::stop::NOT_AN_INTEGER;
use aidb_redis::{Outcome, Stop};

use super::NodeCall;

/// `CLUSTER …`, `READONLY`, `READWRITE`, `ASKING`
pub(super) fn no_cluster(_: &mut NodeCall<'_>) -> Outcome {
    Err(Stop::fail("ERR This instance has cluster support disabled"))
}

/// `FAILOVER …`
pub(super) fn failover(_: &mut NodeCall<'_>) -> Outcome {
    Err(Stop::fail("ERR FAILOVER requires connected replicas."))
}

/// `SYNC`, `PSYNC …`, `REPLCONF …`
pub(super) fn no_replicas(_: &mut NodeCall<'_>) -> Outcome {
    Err(Stop::fail("ERR this server takes no replicas; copy its data with a checkpoint: BGSAVE"))
}

/// `REPLICAOF NO ONE | host port`, `SLAVEOF …`
pub(super) fn replica_of(call: &mut NodeCall<'_>) -> Outcome {
    if call.is_word(1, "no") && call.is_word(2, "one") {
        call.reply.ok();
        return Ok(());
    }
    let port = parse_integer(call.args.get(2)).filter(|port| (0..=65535).contains(port));
    port.ok_or_else(|| Stop::fail("ERR Invalid master port"))?;
    Err(Stop::fail("ERR this server cannot follow another one"))
}

/// `ROLE`
pub(super) fn role(call: &mut NodeCall<'_>) -> Outcome {
    let offset = call.shared().store.db().visible_seq();
    call.reply.array(3);
    call.reply.bulk(b"master");
    call.reply.integer(offset as i64);
    call.reply.array(0);
    Ok(())
}

fn timeout(call: &NodeCall<'_>, at: usize) -> Outcome {
    let timeout = parse_integer(call.args.get(at))
        .ok_or_else(|| Stop::fail("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 { Err(Stop::fail("ERR timeout is negative")) } else { Ok(()) }
}

/// `WAIT numreplicas timeout`
///
/// There is nobody to wait for, and there will not be.
pub(super) fn wait(call: &mut NodeCall<'_>) -> Outcome {
    parse_integer(call.args.get(1)).ok_or(NOT_AN_INTEGER)?;
    timeout(call, 2)?;
    call.reply.integer(0);
    Ok(())
}

/// `WAITAOF numlocal numreplicas timeout`
pub(super) fn wait_aof(call: &mut NodeCall<'_>) -> Outcome {
    let range = |at: usize, max: i64| {
        parse_integer(call.args.get(at))
            .filter(|count| (0..=max).contains(count))
            .ok_or_else(|| Stop::fail("ERR value is out of range, must be positive"))
    };
    let local = range(1, 1)?;
    range(2, i64::from(i32::MAX))?;
    timeout(call, 3)?;
    if local == 1 {
        call.shared().store.db().sync()?;
    }
    call.reply.array(2);
    call.reply.integer(1);
    call.reply.integer(0);
    Ok(())
}

/// `BGREWRITEAOF`
///
/// The log shortens itself; what is in memory goes to tables now.
pub(super) fn rewrite_log(call: &mut NodeCall<'_>) -> Outcome {
    let shared = std::sync::Arc::clone(call.shared());
    // A failure is reported by the next write.
    let job = crate::pool::Job::Run(Box::new(|shared| drop(shared.store.db().flush())));
    shared.pool.submit(&shared, job);
    call.reply.simple("Background append only file rewriting started");
    Ok(())
}

/// `MONITOR`
pub(super) fn monitor(call: &mut NodeCall<'_>) -> Outcome {
    let (shared, place) = (std::sync::Arc::clone(call.shared()), call.session.place);
    call.state
        .monitoring
        .get_or_insert_with(|| Box::new(crate::observe::Monitoring::new(&shared, place)));
    call.client.monitors.store(true, std::sync::atomic::Ordering::Relaxed);
    call.reply.ok();
    Ok(())
}
