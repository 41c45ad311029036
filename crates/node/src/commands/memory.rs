//! MEMORY: what keys and the server take.

use aidb_redis::Outcome;
use aidb_redis::commands::footprint;
use aidb_redis::number::parse_integer;
use aidb_redis::stop::{NOT_AN_INTEGER, SYNTAX};
use aidb_redis::store::DATABASES;

use super::NodeCall;
use super::process::{peak_bytes, resident_bytes};

const HELP: &[&str] = &[
    "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return memory problems reports.",
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
    "HELP",
    "    Prints this help.",
];
/// Members looked at unless the client says otherwise.
const SAMPLES: u64 = 5;

/// `MEMORY USAGE key [SAMPLES count] | STATS | DOCTOR | MALLOC-STATS | PURGE`
pub(super) fn memory(call: &mut NodeCall<'_>) -> Outcome {
    match call.args.get(1).to_ascii_lowercase().as_slice() {
        b"usage" => usage(call)?,
        b"stats" => stats(call),
        b"doctor" => {
            let report = report(call);
            call.reply.verbatim("txt", report.as_bytes());
        }
        b"malloc-stats" => {
            let text = format!(
                "resident bytes: {}\nhighest resident bytes: {}\n",
                resident_bytes(),
                peak_bytes()
            );
            call.reply.verbatim("txt", text.as_bytes());
        }
        // Freed memory goes back to the system by itself.
        b"purge" => call.reply.ok(),
        _ => call.help(HELP)?,
    }
    Ok(())
}

fn usage(call: &mut NodeCall<'_>) -> Outcome {
    let mut samples = SAMPLES;
    let mut at = 3;
    while at < call.args.len() {
        if !call.is_word(at, "samples") || at + 1 == call.args.len() {
            return Err(SYNTAX);
        }
        let count = parse_integer(call.args.get(at + 1)).ok_or(NOT_AN_INTEGER)?;
        samples = u64::try_from(count).map_err(|_| SYNTAX)?;
        at += 2;
    }
    let samples = if samples == 0 { u64::MAX } else { samples };
    let database = call.session.database;
    match footprint(call.store, call.mode, database, call.args.get(2), samples)? {
        Some(bytes) => call.reply.integer(bytes as i64),
        None => call.reply.null(),
    }
    Ok(())
}

fn stats(call: &mut NodeCall<'_>) {
    let shared = std::sync::Arc::clone(call.shared());
    let engine = shared.store.db().stats();
    let resident = resident_bytes();
    let keys: u64 = (0..DATABASES).map(|index| shared.store.len(index).unwrap_or(0)).sum();
    let (_, scripts) = shared.scripts.size();
    let data = engine.memtable_bytes + engine.cache_bytes;
    let fields: [(&str, u64); 14] = [
        ("peak.allocated", peak_bytes()),
        ("total.allocated", resident),
        ("startup.allocated", 0),
        ("replication.backlog", 0),
        ("clients.slaves", 0),
        ("clients.normal", buffers(&shared)),
        ("cluster.links", 0),
        ("aof.buffer", 0),
        ("lua.caches", scripts as u64),
        ("functions.caches", 0),
        ("overhead.total", resident.saturating_sub(data)),
        ("keys.count", keys),
        ("keys.bytes-per-key", engine.disk_bytes.checked_div(keys).unwrap_or(0)),
        ("dataset.bytes", data),
    ];
    call.reply.map(fields.len() + 1);
    for (name, value) in fields {
        call.reply.bulk(name.as_bytes());
        call.reply.integer(value as i64);
    }
    call.reply.bulk(b"dataset.percentage");
    call.reply.double(100.0 * data as f64 / resident.max(1) as f64);
}

/// Bytes in the buffers of clients.
pub(super) fn buffers(shared: &crate::shared::Shared) -> u64 {
    use std::sync::atomic::Ordering::Relaxed;
    let clients = shared.clients.all();
    clients.iter().map(|c| c.input_bytes.load(Relaxed) + c.output_bytes.load(Relaxed)).sum()
}

fn report(call: &NodeCall<'_>) -> String {
    let shared = call.shared();
    let (resident, budget) = (resident_bytes(), shared.options.memory_bytes);
    match resident > budget + budget / 2 {
        false => "Memory is as it should be.\n".to_owned(),
        true => format!(
            "{resident} bytes are resident, the budget is {budget}. INFO memory shows what caches \
             and memtables take, CLIENT LIST the buffers of clients.\n"
        ),
    }
}
