//! INFO's sections of counters: stats, commandstats, errorstats, latencystats.

use crate::metrics::{percentile_ns, read};
use crate::shared::Shared;

use super::info::field;

pub(super) fn stats(shared: &Shared, text: &mut String) {
    let totals = shared.totals_since_reset();
    let metrics = &shared.metrics;
    let rates = shared.rates.read();
    field(text, "total_connections_received", totals.connections);
    field(text, "total_commands_processed", totals.commands);
    field(text, "instantaneous_ops_per_sec", rates.commands);
    field(text, "total_net_input_bytes", totals.bytes_in);
    field(text, "total_net_output_bytes", totals.bytes_out);
    field(text, "total_net_repl_input_bytes", 0);
    field(text, "total_net_repl_output_bytes", 0);
    field(text, "instantaneous_input_kbps", kilobytes(rates.bytes_in));
    field(text, "instantaneous_output_kbps", kilobytes(rates.bytes_out));
    field(text, "instantaneous_input_repl_kbps", "0.00");
    field(text, "instantaneous_output_repl_kbps", "0.00");
    field(text, "rejected_connections", read(&metrics.connections_rejected));
    for name in ["sync_full", "sync_partial_ok", "sync_partial_err"] {
        field(text, name, 0);
    }
    field(text, "expired_keys", shared.store.expired_keys());
    for name in ["evicted_keys", "evicted_clients", "total_eviction_exceeded_time"] {
        field(text, name, 0);
    }
    field(text, "keyspace_hits", totals.hits);
    field(text, "keyspace_misses", totals.misses);
    field(text, "pubsub_channels", shared.pubsub.topics(crate::pubsub::Kind::Channel));
    field(text, "pubsub_patterns", shared.pubsub.patterns());
    field(text, "pubsubshard_channels", shared.pubsub.topics(crate::pubsub::Kind::Shard));
    field(text, "latest_fork_usec", 0);
    field(text, "total_forks", 0);
    let tracked = shared.tracking.totals();
    field(text, "tracking_total_keys", tracked.keys);
    field(text, "tracking_total_items", tracked.items);
    field(text, "tracking_total_prefixes", tracked.prefixes);
    field(text, "unexpected_error_replies", 0);
    field(text, "total_error_replies", totals.errors);
    field(text, "total_writes", totals.commits);
    field(text, "commands_handed_to_pool", read(&metrics.handed_to_pool));
    let queries = read(&metrics.query_buffer_disconnections);
    field(text, "client_query_buffer_limit_disconnections", queries);
    let outputs = read(&metrics.output_buffer_disconnections);
    field(text, "client_output_buffer_limit_disconnections", outputs);
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1024.0)
}

pub(super) fn commands(shared: &Shared, text: &mut String) {
    for (name, total) in shared.command_statistics.read(&shared.threads.lock()) {
        let us = total.ns / 1000;
        let mean = if total.calls == 0 { 0.0 } else { us as f64 / total.calls as f64 };
        field(
            text,
            &format!("cmdstat_{name}"),
            format_args!(
                "calls={},usec={us},usec_per_call={mean:.2},rejected_calls={},failed_calls={}",
                total.calls, total.rejected, total.failed
            ),
        );
    }
}

pub(super) fn errors(shared: &Shared, text: &mut String) {
    for (code, count) in shared.metrics.errors() {
        field(text, &format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

pub(super) fn latencies(shared: &Shared, text: &mut String) {
    for (name, total) in shared.command_statistics.read(&shared.threads.lock()) {
        if total.calls == 0 {
            continue;
        }
        let us = |share: f64| percentile_ns(&total.counts, share) as f64 / 1000.0;
        field(
            text,
            &format!("latency_percentiles_usec_{name}"),
            format_args!("p50={:.3},p99={:.3},p99.9={:.3}", us(0.5), us(0.99), us(0.999)),
        );
    }
}
