//! HyperLogLogs; that bytes and estimates are those of Redis is for `tests/conformance`.

use proptest::prelude::*;

use super::*;

fn registers(log: &HyperLogLog) -> Box<Registers> {
    let mut registers = Box::new([0; REGISTERS]);
    log.merge_into(&mut registers).expect("sound");
    registers
}

#[test]
fn estimates_stay_near_the_truth() {
    let mut log = HyperLogLog::default();
    assert_eq!((log.cached(), estimate(&registers(&log))), (Some(0), 0));
    for count in 1..=50_000u64 {
        log.add(format!("element:{count}").as_bytes()).expect("sound");
        if count.is_power_of_two() {
            let off = estimate(&registers(&log)) as f64 / count as f64 - 1.0;
            assert!(off.abs() < 0.03, "{off} at {count}");
        }
    }
    assert!(log.is_dense());
    assert_eq!(log.add(b"element:1"), Ok(false));
}

#[test]
fn the_cache_is_kept_until_it_is_forgotten() {
    let mut log = HyperLogLog::default();
    log.set_cached(77);
    assert_eq!(log.cached(), Some(77));
    log.forget_cached();
    assert_eq!(log.cached(), None);
}

proptest! {
    #[test]
    fn sparse_and_dense_registers_are_the_same(
        raised in prop::collection::vec((0..REGISTERS, 1..40u8), 0..2000)
    ) {
        let mut log = HyperLogLog::default();
        let mut model = Box::new([0u8; REGISTERS]);
        for (index, value) in raised {
            prop_assert_eq!(log.raise(index, value), Ok(model[index] < value));
            model[index] = model[index].max(value);
        }
        prop_assert_eq!(registers(&log), model.clone());
        log.make_dense().expect("sound");
        prop_assert_eq!(registers(&log), model);
        prop_assert_eq!(HyperLogLog::from_bytes(log.bytes().to_vec()), Some(log));
    }

    #[test]
    fn any_bytes_are_read_without_harm(
        mut bytes in prop::collection::vec(any::<u8>(), 16..200), index in 0..REGISTERS
    ) {
        bytes[..5].copy_from_slice(b"HYLL\x01");
        let mut log = HyperLogLog::from_bytes(bytes).expect("a sparse one");
        let _ = log.raise(index, 7);
        let _ = log.merge_into(&mut [0; REGISTERS]);
        let _ = log.make_dense();
    }
}
