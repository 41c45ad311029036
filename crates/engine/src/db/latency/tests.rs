use super::{Histogram, bucket_of, end_of};

#[test]
fn a_bucket_ends_within_an_eighth_of_its_values() {
    for power in 0..63 {
        for offset in [0, 1, 3, 7] {
            let ns = (1u64 << power) + offset * ((1u64 << power) / 8);
            let end = end_of(bucket_of(ns));
            assert!(end >= ns, "{ns} is above {end}");
            assert!(end - ns <= ns / 8 + 1, "{end} is far above {ns}");
        }
    }
}

#[test]
fn percentiles_are_those_of_the_recorded_values() {
    let histogram = Histogram::default();
    for ns in 1..=1000 {
        histogram.record(ns * 100);
    }
    let latency = histogram.read();
    assert_eq!((latency.samples, latency.max_ns), (1000, 100_000));
    assert!((50_000..=56_300).contains(&latency.p50_ns), "{}", latency.p50_ns);
    assert!((99_000..=100_000).contains(&latency.p99_ns), "{}", latency.p99_ns);
}

#[test]
fn nothing_recorded_reads_as_zero() {
    assert_eq!(Histogram::default().read(), super::Latency::default());
}
