//! LATENCY: events that took long, and how long each command takes.

use aidb_redis::table::lookup;
use aidb_redis::{Outcome, Stop};

use crate::metrics::cumulative_us;
use crate::observe::Series;

use super::{NodeCall, text};

const HELP: &[&str] = &[
    "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return a human readable latency analysis report.",
    "GRAPH <event>",
    "    Return an ASCII latency graph for the <event> class.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event> class.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event> classes.",
    "    (default: reset all data for all event classes)",
    "HISTOGRAM [COMMAND ...]",
    "    Return a cumulative distribution of latencies in the format of a histogram for the \
     specified command names.",
    "    If no commands are specified then all histograms are replied.",
    "HELP",
    "    Prints this help.",
];
const GRAPH_WIDTH: usize = 80;
const GRAPH_ROWS: u64 = 4;

/// `LATENCY LATEST | HISTORY event | RESET [event …] | GRAPH event | DOCTOR | HISTOGRAM [command …]`
pub(super) fn latency(call: &mut NodeCall<'_>) -> Outcome {
    match call.args.get(1).to_ascii_lowercase().as_slice() {
        b"latest" => latest(call),
        b"history" => history(call),
        b"reset" => {
            let events: Vec<&[u8]> = call.args.from(2).collect();
            let forgotten = call.shared().observers.latency.forget(&events);
            call.reply.integer(forgotten as i64);
        }
        b"graph" => {
            let event = call.args.get(2);
            let (name, series) = call.shared().observers.latency.find(event).ok_or_else(|| {
                Stop::fail(format!("ERR No samples available for event '{}'", text(event)))
            })?;
            call.reply.verbatim("txt", graph(name, &series).as_bytes());
        }
        b"doctor" => {
            let report = report(call);
            call.reply.verbatim("txt", report.as_bytes());
        }
        b"histogram" => histogram(call),
        _ => call.help(HELP)?,
    }
    Ok(())
}

fn latest(call: &mut NodeCall<'_>) {
    let all = call.shared().observers.latency.all();
    call.reply.array(all.len());
    for (name, series) in all {
        let (at_s, ms) = series.samples.back().copied().unwrap_or_default();
        call.reply.array(4);
        call.reply.bulk(name.as_bytes());
        for number in [at_s, ms, series.max_ms] {
            call.reply.integer(number as i64);
        }
    }
}

fn history(call: &mut NodeCall<'_>) {
    let found = call.shared().observers.latency.find(call.args.get(2));
    let samples = found.map(|(_, series)| series.samples).unwrap_or_default();
    call.reply.array(samples.len());
    for (at_s, ms) in samples {
        call.reply.array(2);
        call.reply.integer(at_s as i64);
        call.reply.integer(ms as i64);
    }
}

/// The last samples as columns.
fn graph(name: &str, series: &Series) -> String {
    let skipped = series.samples.len().saturating_sub(GRAPH_WIDTH);
    let samples: Vec<u64> = series.samples.iter().skip(skipped).map(|(_, ms)| *ms).collect();
    let (low, high) =
        (samples.iter().min().copied().unwrap_or(0), samples.iter().max().copied().unwrap_or(0));
    let max_ms = series.max_ms;
    let mut text = format!("{name} - high {high} ms, low {low} ms (all time high {max_ms} ms)\n");
    text.push_str(&"-".repeat(GRAPH_WIDTH));
    text.push('\n');
    let span = (high - low).max(1);
    for row in (0..GRAPH_ROWS).rev() {
        let column = |ms: &u64| {
            let height = (ms - low) * (GRAPH_ROWS * 2 - 1) / span;
            match height.cmp(&(row * 2)) {
                std::cmp::Ordering::Less => ' ',
                std::cmp::Ordering::Equal => '_',
                std::cmp::Ordering::Greater => '#',
            }
        };
        text.extend(samples.iter().map(column));
        text.push('\n');
    }
    text
}

fn report(call: &NodeCall<'_>) -> String {
    let latency = &call.shared().observers.latency;
    let threshold_ms = latency.threshold_ms.get();
    if threshold_ms == 0 {
        return "Latency is not monitored. CONFIG SET latency-monitor-threshold MILLISECONDS lets \
                slower events be noted.\n"
            .to_owned();
    }
    let all = latency.all();
    if all.is_empty() {
        return format!("No event took {threshold_ms} ms or longer.\n");
    }
    let mut text = format!("Events of {threshold_ms} ms or longer:\n");
    for (name, Series { samples, max_ms }) in all {
        let mean_ms = samples.iter().map(|(_, ms)| ms).sum::<u64>() / samples.len().max(1) as u64;
        text.push_str(&format!(
            "{name}: {} seconds with such events, {mean_ms} ms in the mean, {max_ms} ms at most. \
             SLOWLOG GET shows the commands.\n",
            samples.len()
        ));
    }
    text
}

fn histogram(call: &mut NodeCall<'_>) {
    let shared = std::sync::Arc::clone(call.shared());
    let mut totals = shared.command_statistics.read(&shared.threads.lock());
    totals.retain(|_, total| total.calls > 0);
    if call.args.len() > 2 {
        let wanted: Vec<String> =
            call.args.from(2).map(|name| text(name).to_ascii_lowercase()).collect();
        totals.retain(|name, _| {
            wanted.iter().any(|wanted| {
                let container = lookup(wanted.as_bytes()).map(|command| command.name);
                let is_part = name.split_once('|').map(|(first, _)| first) == container;
                name == wanted || (is_part && container.is_some())
            })
        });
    }
    call.reply.map(totals.len());
    for (name, total) in totals {
        let bounds = cumulative_us(&total.counts);
        call.reply.bulk(name.as_bytes());
        call.reply.map(2);
        call.reply.bulk(b"calls");
        call.reply.integer(total.calls as i64);
        call.reply.bulk(b"histogram_usec");
        call.reply.map(bounds.len());
        for (bound, below) in bounds {
            call.reply.integer(bound as i64);
            call.reply.integer(below as i64);
        }
    }
}
