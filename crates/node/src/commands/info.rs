//! INFO.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use aidb_redis::Outcome;
use aidb_redis::store::DATABASES;
use aidb_redis::table::COMMANDS;

use crate::metrics::read;
use crate::shared::Shared;

use super::hello::REDIS_VERSION;
use super::{NodeCall, is_word};

type Section = fn(&Shared, &mut String);

/// Sections in order; the flag says whether they are shown unless asked for.
static SECTIONS: &[(&str, bool, Section)] = &[
    ("Server", true, server),
    ("Clients", true, clients),
    ("Memory", true, memory),
    ("Persistence", true, persistence),
    ("Stats", true, stats),
    ("Replication", true, replication),
    ("CPU", true, cpu),
    ("Modules", true, |_, _| ()),
    ("Commandstats", false, command_stats),
    ("Errorstats", true, error_stats),
    ("Cluster", true, cluster),
    ("Keyspace", true, keyspace),
];

/// `INFO [section …]`
pub(super) fn info(call: &mut NodeCall<'_>) -> Outcome {
    let mut text = String::new();
    for (name, by_default, fill) in SECTIONS {
        let asked = call.args.from(1).any(|word| {
            is_word(word, name)
                || is_word(word, "all")
                || is_word(word, "everything")
                || (*by_default && is_word(word, "default"))
        });
        if !(asked || (call.args.len() == 1 && *by_default)) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        line(&mut text, format_args!("# {name}"));
        fill(call.shared(), &mut text);
    }
    call.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(arguments);
    text.push_str("\r\n");
}

fn field(text: &mut String, name: &str, value: impl std::fmt::Display) {
    line(text, format_args!("{name}:{value}"));
}

fn server(shared: &Shared, text: &mut String) {
    let now_ms = shared.store.now_ms();
    let uptime_s = now_ms.saturating_sub(shared.started_ms) / 1000;
    field(text, "redis_version", REDIS_VERSION);
    field(text, "aidb_version", env!("CARGO_PKG_VERSION"));
    field(text, "redis_mode", "standalone");
    field(text, "os", std::env::consts::OS);
    field(text, "arch_bits", usize::BITS);
    field(text, "multiplexing_api", "mio");
    field(text, "process_id", std::process::id());
    field(text, "run_id", &shared.run_id);
    field(text, "tcp_port", shared.addresses.plain.first().map_or(0, |address| address.port()));
    field(text, "server_time_usec", now_ms * 1000);
    field(text, "uptime_in_seconds", uptime_s);
    field(text, "uptime_in_days", uptime_s / 86400);
    field(text, "io_threads_active", shared.reactors());
}

fn clients(shared: &Shared, text: &mut String) {
    field(text, "connected_clients", shared.clients.len());
    field(text, "cluster_connections", 0);
    field(text, "maxclients", shared.settings.clients_max.get());
    field(text, "blocked_clients", shared.store.waiters().clients());
    field(text, "tracking_clients", shared.tracking.totals().clients);
}

fn memory(shared: &Shared, text: &mut String) {
    let stats = shared.store.db().stats();
    let resident = resident_bytes();
    field(text, "used_memory", resident);
    field(text, "used_memory_human", human(resident));
    field(text, "used_memory_rss", resident);
    field(text, "used_memory_rss_human", human(resident));
    field(text, "used_memory_memtables", stats.memtable_bytes);
    field(text, "used_memory_cache", stats.cache_bytes);
    field(text, "cache_hits", stats.cache_hits);
    field(text, "cache_misses", stats.cache_misses);
    let (scripts, bytes) = shared.scripts.size();
    field(text, "number_of_cached_scripts", scripts);
    let (libraries, functions) = shared.functions.count();
    field(text, "number_of_libraries", libraries);
    field(text, "number_of_functions", functions);
    field(text, "used_memory_scripts", bytes);
    field(text, "maxmemory", shared.options.memory_bytes);
    field(text, "maxmemory_human", human(shared.options.memory_bytes));
    field(text, "maxmemory_policy", "noeviction");
}

/// Pages of the process in memory; 0 where the system does not say.
#[allow(clippy::disallowed_methods)]
fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let statm = std::fs::read("/proc/self/statm").unwrap_or_default();
    let statm = String::from_utf8_lossy(&statm);
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE_BYTES
}

fn human(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "K", "M", "G"] {
        if value < 1024.0 {
            return format!("{value:.2}{unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.2}T")
}

fn persistence(shared: &Shared, text: &mut String) {
    let stats = shared.store.db().stats();
    let saves = &shared.saves;
    let status = |failed: bool| if failed { "err" } else { "ok" };
    field(text, "loading", 0);
    field(text, "rdb_bgsave_in_progress", u8::from(saves.is_running.load(Ordering::Relaxed)));
    field(text, "rdb_last_save_time", saves.last_ms.load(Ordering::Relaxed) / 1000);
    field(text, "rdb_last_bgsave_status", status(saves.last_failed.load(Ordering::Relaxed)));
    field(text, "aof_enabled", 1);
    field(text, "aof_rewrite_in_progress", 0);
    field(text, "aof_last_write_status", status(stats.read_only_reason.is_some()));
    field(text, "appendfsync", shared.store.appendfsync().name());
    field(text, "aof_current_size", stats.log_bytes);
    field(text, "engine_visible_seq", stats.visible_seq);
    field(text, "engine_durable_seq", stats.durable_seq);
    field(text, "engine_disk_bytes", stats.disk_bytes);
    field(text, "engine_flushes", stats.flushes);
    field(text, "engine_compactions", stats.compactions);
}

fn stats(shared: &Shared, text: &mut String) {
    let totals = shared.totals_since_reset();
    let metrics = &shared.metrics;
    field(text, "total_connections_received", totals.connections);
    field(text, "total_commands_processed", totals.commands);
    field(text, "total_net_input_bytes", totals.bytes_in);
    field(text, "total_net_output_bytes", totals.bytes_out);
    field(text, "rejected_connections", read(&metrics.connections_rejected));
    field(text, "keyspace_hits", totals.hits);
    field(text, "keyspace_misses", totals.misses);
    field(text, "total_error_replies", totals.errors);
    field(text, "total_writes", totals.commits);
    field(text, "commands_handed_to_pool", read(&metrics.handed_to_pool));
    let tracked = shared.tracking.totals();
    field(text, "tracking_total_keys", tracked.keys);
    field(text, "tracking_total_items", tracked.items);
    field(text, "tracking_total_prefixes", tracked.prefixes);
    let queries = read(&metrics.query_buffer_disconnections);
    field(text, "client_query_buffer_limit_disconnections", queries);
    let outputs = read(&metrics.output_buffer_disconnections);
    field(text, "client_output_buffer_limit_disconnections", outputs);
}

fn replication(shared: &Shared, text: &mut String) {
    field(text, "role", "master");
    field(text, "connected_slaves", 0);
    field(text, "master_failover_state", "no-failover");
    field(text, "master_replid", &shared.run_id);
    field(text, "master_repl_offset", shared.store.db().visible_seq());
}

fn cpu(_: &Shared, text: &mut String) {
    let (user, system) = cpu_seconds();
    field(text, "used_cpu_sys", format!("{system:.6}"));
    field(text, "used_cpu_user", format!("{user:.6}"));
}

/// User and system time of the process; 0 where the system does not say.
#[allow(clippy::disallowed_methods)]
fn cpu_seconds() -> (f64, f64) {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read("/proc/self/stat").unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    // The second field is a name in parentheses; the times are 12th and 13th behind it.
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = |place: usize| {
        rest.split(' ').nth(place).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0)
    };
    (ticks(11) / TICKS_PER_SECOND, ticks(12) / TICKS_PER_SECOND)
}

fn command_stats(shared: &Shared, text: &mut String) {
    let threads = shared.threads.lock();
    for command in COMMANDS {
        let calls: u64 = threads.iter().map(|thread| thread.calls[command.index].get()).sum();
        if calls > 0 {
            field(text, &format!("cmdstat_{}", command.name), format!("calls={calls}"));
        }
    }
}

fn error_stats(shared: &Shared, text: &mut String) {
    let errors = shared.totals_since_reset().errors;
    if errors > 0 {
        field(text, "errorstat_ALL", format!("count={errors}"));
    }
}

fn cluster(_: &Shared, text: &mut String) {
    field(text, "cluster_enabled", 0);
}

fn keyspace(shared: &Shared, text: &mut String) {
    for database in 0..DATABASES {
        // A database that cannot be counted is left out, as an empty one is.
        let keys = shared.store.len(database).unwrap_or(0);
        if keys > 0 {
            field(text, &format!("db{database}"), format!("keys={keys},expires=0,avg_ttl=0"));
        }
    }
}
