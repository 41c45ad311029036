//! DEBUG: the parts that tests of clients use.

use std::time::Duration;

use aidb_redis::{Outcome, Stop};

use super::{NodeCall, text};

/// Longest sleep.
const SLEEP_S_MAX: f64 = 3600.0;

/// `DEBUG SLEEP seconds`
///
/// Sleeps the connection, not the server; ends early when the node stops.
pub(super) fn debug(call: &mut NodeCall<'_>) -> Outcome {
    if !call.is_word(1, "sleep") || call.args.len() != 3 {
        return Err(Stop::fail(format!(
            "ERR unknown subcommand or wrong number of arguments for '{}'. Try DEBUG SLEEP.",
            text(call.args.get(1))
        )));
    }
    // Like Redis: whatever is not a number is 0.
    let seconds: f64 = text(call.args.get(2)).parse().unwrap_or(0.0);
    let seconds = if seconds.is_finite() { seconds.clamp(0.0, SLEEP_S_MAX) } else { 0.0 };
    let clock = call.shared().store.clock();
    let until_ms = clock.now_ms() + (seconds * 1000.0) as u64;
    while clock.now_ms() < until_ms && !call.shared().stop.is_requested() {
        let left = Duration::from_millis(until_ms - clock.now_ms());
        call.shared().stop.wait(left);
    }
    call.reply.ok();
    Ok(())
}
