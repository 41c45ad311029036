//! INFO.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use aidb_redis::Outcome;
use aidb_redis::store::DATABASES;

use crate::clients::Client;
use crate::shared::Shared;

use super::hello::REDIS_VERSION;
use super::process::{cpu_seconds, peak_bytes, resident_bytes, system_bytes};
use super::{NodeCall, info_statistics, is_word, memory};

type Section = fn(&Shared, &mut String);

/// Sections in order; the flag says whether they are shown unless asked for.
static SECTIONS: &[(&str, bool, Section)] = &[
    ("Server", true, server),
    ("Clients", true, clients),
    ("Memory", true, memory_use),
    ("Persistence", true, persistence),
    ("Stats", true, info_statistics::stats),
    ("Replication", true, replication),
    ("CPU", true, cpu),
    ("Modules", true, |_, _| ()),
    ("Commandstats", false, info_statistics::commands),
    ("Errorstats", true, info_statistics::errors),
    ("Latencystats", false, info_statistics::latencies),
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

pub(super) fn field(text: &mut String, name: &str, value: impl std::fmt::Display) {
    line(text, format_args!("{name}:{value}"));
}

fn server(shared: &Shared, text: &mut String) {
    let now_ms = shared.store.now_ms();
    let uptime_s = now_ms.saturating_sub(shared.started_ms) / 1000;
    field(text, "redis_version", REDIS_VERSION);
    field(text, "redis_git_sha1", "00000000");
    field(text, "redis_git_dirty", 0);
    field(text, "redis_build_id", 0);
    field(text, "aidb_version", env!("CARGO_PKG_VERSION"));
    field(text, "redis_mode", "standalone");
    field(text, "os", format_args!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    field(text, "arch_bits", usize::BITS);
    field(text, "monotonic_clock", "POSIX clock_gettime");
    field(text, "multiplexing_api", "mio");
    field(text, "atomicvar_api", "rust");
    field(text, "process_id", std::process::id());
    field(text, "process_supervised", "no");
    field(text, "run_id", &shared.run_id);
    field(text, "tcp_port", shared.addresses.plain.first().map_or(0, |address| address.port()));
    field(text, "server_time_usec", now_ms * 1000);
    field(text, "uptime_in_seconds", uptime_s);
    field(text, "uptime_in_days", uptime_s / 86400);
    field(text, "hz", 1);
    field(text, "configured_hz", 1);
    field(text, "executable", std::env::args().next().unwrap_or_default());
    field(text, "config_file", "");
    field(text, "io_threads_active", u8::from(shared.reactors() > 1));
}

fn clients(shared: &Shared, text: &mut String) {
    let blocked = shared.store.waiters().clients();
    let all = shared.clients.all();
    let most = |of: fn(&Client) -> &AtomicU64| {
        all.iter().map(|client| of(client).load(Ordering::Relaxed)).max().unwrap_or(0)
    };
    field(text, "connected_clients", all.len());
    field(text, "cluster_connections", 0);
    field(text, "maxclients", shared.settings.clients_max.get());
    field(text, "client_recent_max_input_buffer", most(|client| &client.input_bytes));
    field(text, "client_recent_max_output_buffer", most(|client| &client.output_bytes));
    field(text, "blocked_clients", blocked);
    field(text, "tracking_clients", shared.tracking.totals().clients);
    field(text, "clients_in_timeout_table", 0);
}

fn memory_use(shared: &Shared, text: &mut String) {
    let stats = shared.store.db().stats();
    let (resident, peak) = (resident_bytes(), peak_bytes());
    let (total, budget) = (system_bytes(), shared.options.memory_bytes);
    let data = stats.memtable_bytes + stats.cache_bytes;
    for (name, bytes) in [("used_memory", resident), ("used_memory_rss", resident)] {
        field(text, name, bytes);
        field(text, &format!("{name}_human"), human(bytes));
    }
    field(text, "used_memory_peak", peak);
    field(text, "used_memory_peak_human", human(peak));
    let share = 100.0 * resident as f64 / peak.max(1) as f64;
    field(text, "used_memory_peak_perc", format_args!("{share:.2}%"));
    field(text, "used_memory_overhead", resident.saturating_sub(data));
    field(text, "used_memory_startup", 0);
    field(text, "used_memory_dataset", data);
    let share = 100.0 * data as f64 / resident.max(1) as f64;
    field(text, "used_memory_dataset_perc", format_args!("{share:.2}%"));
    field(text, "used_memory_memtables", stats.memtable_bytes);
    field(text, "used_memory_cache", stats.cache_bytes);
    field(text, "cache_hits", stats.cache_hits);
    field(text, "cache_misses", stats.cache_misses);
    field(text, "total_system_memory", total);
    field(text, "total_system_memory_human", human(total));
    let (scripts, bytes) = shared.scripts.size();
    field(text, "used_memory_lua", bytes);
    field(text, "used_memory_lua_human", human(bytes as u64));
    field(text, "used_memory_scripts_eval", bytes);
    field(text, "used_memory_scripts", bytes);
    field(text, "used_memory_scripts_human", human(bytes as u64));
    field(text, "number_of_cached_scripts", scripts);
    let (libraries, functions) = shared.functions.count();
    field(text, "number_of_functions", functions);
    field(text, "number_of_libraries", libraries);
    field(text, "maxmemory", budget);
    field(text, "maxmemory_human", human(budget));
    field(text, "maxmemory_policy", "noeviction");
    field(text, "mem_fragmentation_ratio", "1.00");
    field(text, "mem_fragmentation_bytes", 0);
    field(text, "mem_clients_slaves", 0);
    field(text, "mem_clients_normal", memory::buffers(shared));
    field(text, "mem_cluster_links", 0);
    field(text, "mem_aof_buffer", 0);
    field(text, "mem_allocator", "system");
    field(text, "active_defrag_running", 0);
    field(text, "lazyfree_pending_objects", 0);
    field(text, "lazyfreed_objects", 0);
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
    field(text, "async_loading", 0);
    field(text, "rdb_changes_since_last_save", stats.visible_seq - stats.durable_seq);
    field(text, "rdb_bgsave_in_progress", u8::from(saves.is_running.load(Ordering::Relaxed)));
    field(text, "rdb_last_save_time", saves.last_ms.load(Ordering::Relaxed) / 1000);
    field(text, "rdb_last_bgsave_status", status(saves.last_failed.load(Ordering::Relaxed)));
    field(text, "rdb_last_bgsave_time_sec", -1);
    field(text, "rdb_current_bgsave_time_sec", -1);
    field(text, "rdb_saves", 0);
    field(text, "rdb_last_cow_size", 0);
    field(text, "aof_enabled", 1);
    field(text, "aof_rewrite_in_progress", 0);
    field(text, "aof_rewrite_scheduled", 0);
    field(text, "aof_last_rewrite_time_sec", -1);
    field(text, "aof_current_rewrite_time_sec", -1);
    field(text, "aof_last_bgrewrite_status", "ok");
    field(text, "aof_rewrites", 0);
    field(text, "aof_rewrites_consecutive_failures", 0);
    field(text, "aof_last_write_status", status(stats.read_only_reason.is_some()));
    field(text, "aof_last_cow_size", 0);
    field(text, "aof_current_size", stats.log_bytes);
    field(text, "aof_base_size", 0);
    field(text, "aof_pending_rewrite", 0);
    field(text, "aof_buffer_length", 0);
    field(text, "aof_delayed_fsync", 0);
    field(text, "appendfsync", shared.store.appendfsync().name());
    field(text, "engine_visible_seq", stats.visible_seq);
    field(text, "engine_durable_seq", stats.durable_seq);
    field(text, "engine_disk_bytes", stats.disk_bytes);
    field(text, "engine_flushes", stats.flushes);
    field(text, "engine_compactions", stats.compactions);
}

fn replication(shared: &Shared, text: &mut String) {
    let offset = shared.store.db().visible_seq();
    field(text, "role", "master");
    field(text, "connected_slaves", 0);
    field(text, "master_failover_state", "no-failover");
    field(text, "master_replid", &shared.run_id);
    field(text, "master_replid2", "0".repeat(40));
    field(text, "master_repl_offset", offset);
    field(text, "second_repl_offset", -1);
    field(text, "repl_backlog_active", 0);
    field(text, "repl_backlog_size", 0);
    field(text, "repl_backlog_first_byte_offset", 0);
    field(text, "repl_backlog_histlen", 0);
}

fn cpu(_: &Shared, text: &mut String) {
    let (user, system) = cpu_seconds();
    field(text, "used_cpu_sys", format!("{system:.6}"));
    field(text, "used_cpu_user", format!("{user:.6}"));
    field(text, "used_cpu_sys_children", "0.000000");
    field(text, "used_cpu_user_children", "0.000000");
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
