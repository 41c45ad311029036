use super::histogram::Histogram;
use super::{RateMeter, Rates, cumulative_us, percentile_ns};

fn counts(values: &[u64]) -> Vec<u64> {
    let histogram = Histogram::default();
    values.iter().for_each(|value| histogram.record(*value));
    let mut counts = Vec::new();
    histogram.add_to(&mut counts);
    counts
}

#[test]
fn percentiles_are_at_most_an_eighth_too_high() {
    let values: Vec<u64> = (1..=1000).map(|value| value * 1000).collect();
    let counts = counts(&values);
    for (share, exact) in [(0.5, 500_000), (0.99, 990_000), (1.0, 1_000_000)] {
        let found = percentile_ns(&counts, share);
        assert!((exact..=exact + exact / 8).contains(&found), "{share}: {found}");
    }
}

#[test]
fn bounds_double_and_skip_what_adds_nothing() {
    let found = cumulative_us(&counts(&[500, 600, 3000, 70_000]));
    assert_eq!(found, [(1, 2), (4, 3), (131, 4)]);
    assert_eq!(cumulative_us(&counts(&[])), []);
    assert_eq!(cumulative_us(&counts(&[u64::MAX])).last().map(|(_, below)| *below), Some(1));
}

#[test]
fn rates_are_of_the_time_between_two_measurements() {
    let meter = RateMeter::default();
    meter.measure(1000, Rates { commands: 10, ..Rates::default() });
    assert_eq!(meter.read(), Rates::default());
    meter.measure(3000, Rates { commands: 30, bytes_in: 400, ..Rates::default() });
    assert_eq!(meter.read(), Rates { commands: 10, bytes_in: 200, bytes_out: 0 });
}
