//! What the system says of this process; 0 where it does not.

#![allow(clippy::disallowed_methods)]

const PAGE_BYTES: u64 = 4096;
const TICKS_PER_SECOND: f64 = 100.0;

fn read(path: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Pages of the process in memory.
pub(super) fn resident_bytes() -> u64 {
    let statm = read("/proc/self/statm");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE_BYTES
}

/// The most of them there ever were.
pub(super) fn peak_bytes() -> u64 {
    let status = read("/proc/self/status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Memory of the machine.
pub(super) fn system_bytes() -> u64 {
    let info = read("/proc/meminfo");
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// User and system time of the process.
pub(super) fn cpu_seconds() -> (f64, f64) {
    let stat = read("/proc/self/stat");
    // The second field is a name in parentheses; the times are 12th and 13th behind it.
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = |place: usize| {
        rest.split(' ').nth(place).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0)
    };
    (ticks(11) / TICKS_PER_SECOND, ticks(12) / TICKS_PER_SECOND)
}
