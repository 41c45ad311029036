//! What happens per second, measured over the last full one.

use parking_lot::Mutex;

/// Counts of a moment, or of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) commands: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

#[derive(Debug, Default)]
struct Measured {
    at_ms: u64,
    last: Rates,
    per_second: Rates,
}

/// The last measurement.
#[derive(Debug, Default)]
pub(crate) struct RateMeter(Mutex<Measured>);

impl RateMeter {
    /// Takes over the counts of now; called about once per second.
    pub(crate) fn measure(&self, now_ms: u64, counts: Rates) {
        let mut measured = self.0.lock();
        let elapsed_ms = now_ms.saturating_sub(measured.at_ms).max(1);
        let last = measured.last;
        let rate = |now: u64, before: u64| now.saturating_sub(before) * 1000 / elapsed_ms;
        if measured.at_ms != 0 {
            measured.per_second = Rates {
                commands: rate(counts.commands, last.commands),
                bytes_in: rate(counts.bytes_in, last.bytes_in),
                bytes_out: rate(counts.bytes_out, last.bytes_out),
            };
        }
        (measured.at_ms, measured.last) = (now_ms, counts);
    }

    pub(crate) fn read(&self) -> Rates {
        self.0.lock().per_second
    }
}
