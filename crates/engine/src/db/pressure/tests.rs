use aidb_base::ManualClock;

use super::*;

/// Bytes of a write that counts as a KiB.
const KIB: usize = 1024 - RECORD_BYTES as usize;

#[test]
fn a_write_without_price_passes() {
    let (pressure, clock) = (Pressure::default(), ManualClock::at(1));
    assert!(pressure.try_pass(1 << 30, &clock));
    pressure.set(Fill { memory: 0.0, runs: 0.0 });
    assert!(pressure.try_pass(1 << 30, &clock));
    assert_eq!(pressure.queue_ns.load(Ordering::Relaxed), 0);
}

#[test]
fn a_small_price_is_paid_without_waiting_until_a_wait_is_due() {
    let (pressure, clock) = (Pressure::default(), ManualClock::at(1));
    pressure.set(Fill { memory: 0.0, runs: 0.5 });
    let per_kib = pressure.price.load(Ordering::Relaxed);
    let passed = (0..).take_while(|_| pressure.try_pass(KIB, &clock)).count() as u64;
    let due = passed * per_kib;
    assert!(due < WAIT_NS_MIN + OWED_NS_MAX && due + per_kib >= WAIT_NS_MIN, "{passed} writes");
    assert!(!pressure.try_pass(KIB, &clock), "nothing passes until somebody has waited");
    pressure.wait(KIB, &clock).unwrap();
    let paid = pressure.queue_ns.load(Ordering::Relaxed) - clock.monotonic_ns();
    assert_eq!(paid, (passed + 1) * per_kib, "the wait paid for all that was owed");
}

#[test]
fn nothing_passes_a_stop() {
    let (pressure, clock) = (Pressure::default(), ManualClock::at(1));
    pressure.set(Fill { memory: 0.0, runs: 1.0 });
    assert!(!pressure.try_pass(0, &clock));
    pressure.set(Fill { memory: 0.0, runs: 0.1 });
    assert!(pressure.try_pass(KIB, &clock));
}

fn price(pressure: &Pressure, memory: f64, runs: f64) -> u64 {
    pressure.set(Fill { memory, runs });
    pressure.price.load(Ordering::Relaxed)
}

#[test]
fn the_price_rises_with_the_fill_and_ends_in_a_stop() {
    let pressure = Pressure::default();
    assert_eq!(price(&pressure, 0.0, -0.5), 0);
    assert!(pressure.is_free());
    let prices: Vec<_> =
        (0..=10).map(|tenth| price(&pressure, f64::from(tenth) / 10.0, 0.0)).collect();
    assert!(prices.is_sorted() && prices[10] == STOP, "{prices:?}");
    let prices: Vec<_> =
        (0..=10).map(|tenth| price(&pressure, 0.0, f64::from(tenth) / 10.0)).collect();
    assert!(prices.is_sorted() && prices[10] == STOP, "{prices:?}");
}

#[test]
fn writers_follow_the_flusher() {
    let pressure = Pressure::default();
    for _ in 0..40 {
        pressure.note_flush(1 << 20, 1024 * 20_000);
    }
    let slow = price(&pressure, 0.5, 0.0);
    assert!((18_000..24_000).contains(&slow), "{slow}");
    for _ in 0..40 {
        pressure.note_flush(1 << 20, 1024 * 1000);
    }
    let fast = price(&pressure, 0.5, 0.0);
    assert!((900..1400).contains(&fast), "{fast}");
}

#[test]
fn a_change_of_treatment_is_told_once() {
    let pressure = Pressure::default();
    let set = |memory, runs| pressure.set(Fill { memory, runs });
    assert_eq!(set(0.0, 0.0), None);
    assert_eq!(set(0.2, 0.0), Some(WritePressure::Slowed));
    assert_eq!(set(0.9, 0.3), None);
    assert_eq!(set(1.0, 0.3), Some(WritePressure::Stopped));
    assert_eq!(pressure.level(), WritePressure::Stopped);
    assert_eq!(set(0.0, 0.3), Some(WritePressure::Slowed));
    assert_eq!(set(0.0, 0.0), Some(WritePressure::Free));
    assert_eq!(Fill { memory: 0.1, runs: 0.3 }.scarcity(), Scarcity::LevelZero);
    assert_eq!(Fill { memory: 0.3, runs: 0.1 }.scarcity(), Scarcity::Memory);
}
