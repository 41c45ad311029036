//! Events that took long, by name: the last ones with their times.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;

use crate::settings::Setting;

/// Samples kept of one event.
const SAMPLES_MAX: usize = 160;

/// Samples of one event, the oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    /// Second since the epoch, milliseconds.
    pub(crate) samples: VecDeque<(u64, u64)>,
    pub(crate) max_ms: u64,
}

/// All events.
pub(crate) struct LatencyEvents {
    /// Shorter ones are not noted; 0 = none is.
    pub(crate) threshold_ms: Setting,
    series: Mutex<BTreeMap<&'static str, Series>>,
}

impl Default for LatencyEvents {
    fn default() -> Self {
        Self { threshold_ms: Setting::new(0), series: Mutex::default() }
    }
}

impl LatencyEvents {
    pub(super) fn is_reached(&self, elapsed_ns: u64) -> bool {
        let threshold_ms = self.threshold_ms.get();
        threshold_ms != 0 && elapsed_ns / 1_000_000 >= threshold_ms
    }

    /// Notes an event that took so long; of one second the longest counts.
    pub(super) fn add(&self, event: &'static str, at_s: u64, ms: u64) {
        let mut all = self.series.lock();
        let series = all.entry(event).or_default();
        series.max_ms = series.max_ms.max(ms);
        match series.samples.back_mut() {
            Some((last_s, last_ms)) if *last_s == at_s => *last_ms = (*last_ms).max(ms),
            _ => series.samples.push_back((at_s, ms)),
        }
        if series.samples.len() > SAMPLES_MAX {
            series.samples.pop_front();
        }
    }

    /// All events with their samples.
    pub(crate) fn all(&self) -> BTreeMap<&'static str, Series> {
        self.series.lock().clone()
    }

    /// One event, by a name in any case.
    pub(crate) fn find(&self, event: &[u8]) -> Option<(&'static str, Series)> {
        let series = self.series.lock();
        let found = series.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(event));
        found.map(|(name, series)| (*name, series.clone()))
    }

    /// Forgets some events, or all; how many there were.
    pub(crate) fn forget(&self, events: &[&[u8]]) -> usize {
        let mut series = self.series.lock();
        let before = series.len();
        series.retain(|name, _| {
            let is_named = events.iter().any(|event| name.as_bytes().eq_ignore_ascii_case(event));
            !events.is_empty() && !is_named
        });
        before - series.len()
    }
}
