use aidb_base::ManualClock;

use super::*;

const KIB: usize = 1024;

#[test]
fn a_write_without_price_passes() {
    let (pressure, clock) = (Pressure::default(), ManualClock::at(1));
    assert!(pressure.try_pass(1 << 30, &clock));
    pressure.set(0.0);
    assert!(pressure.try_pass(1 << 30, &clock));
    assert_eq!(pressure.queue_ns.load(Ordering::Relaxed), 0);
}

#[test]
fn a_small_price_is_paid_without_waiting_until_a_wait_is_due() {
    let (pressure, clock) = (Pressure::default(), ManualClock::at(1));
    pressure.set(0.5);
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
    pressure.set(1.0);
    assert!(!pressure.try_pass(0, &clock));
    pressure.set(0.1);
    assert!(pressure.try_pass(KIB, &clock));
}
