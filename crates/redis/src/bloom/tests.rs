use super::{Filter, Hashed, Spacing};

/// A chain in memory, as the commands keep it on disk.
struct Chain {
    filters: Vec<(Filter, Vec<u8>)>,
    expansion: u32,
    spacing: Spacing,
}

impl Chain {
    fn new(error_rate: f64, capacity: u64, spacing: Spacing) -> Self {
        let first = Filter::first(error_rate, capacity, true).unwrap();
        Self { filters: vec![(first, vec![0; first.bytes() as usize])], expansion: 2, spacing }
    }

    fn contains(&self, item: &[u8]) -> bool {
        let hashed = Hashed::new(item);
        self.filters.iter().any(|(filter, bits)| {
            filter
                .places(hashed, self.spacing)
                .all(|bit| bits[(bit / 8) as usize] & 1 << (bit % 8) != 0)
        })
    }

    fn add(&mut self, item: &[u8]) -> bool {
        if self.contains(item) {
            return false;
        }
        let (last, _) = self.filters.last().unwrap();
        if last.is_full() {
            let next = last.next(self.expansion).unwrap();
            self.filters.push((next, vec![0; next.bytes() as usize]));
        }
        let (filter, bits) = self.filters.last_mut().unwrap();
        for bit in filter.places(Hashed::new(item), self.spacing) {
            bits[(bit / 8) as usize] |= 1 << (bit % 8);
        }
        filter.items += 1;
        true
    }

    /// Bytes, hashes, capacity, items of each filter.
    fn shape(&self) -> Vec<(u64, u32, u64, u64)> {
        let shape = |f: &Filter| (f.bytes(), f.hashes(), f.capacity, f.items);
        self.filters.iter().map(|(filter, _)| shape(filter)).collect()
    }
}

#[test]
fn chains_grow_as_those_of_redisbloom() {
    // The numbers are those that RedisBloom reports; items that it takes for known depend on its hash.
    let mut chain = Chain::new(0.01, 10, Spacing::Even);
    let added = (0..100).filter(|number: &u32| chain.add(number.to_string().as_bytes())).count();
    assert_eq!(added, 99);
    assert_eq!(
        chain.shape(),
        [(16, 8, 10, 10), (32, 9, 20, 20), (72, 10, 40, 40), (160, 11, 80, 29)]
    );
    let mut chain = Chain::new(0.001, 100, Spacing::Even);
    let added = (0..4000).filter(|number: &u32| chain.add(number.to_string().as_bytes())).count();
    assert_eq!(added, 3997);
    assert_eq!(chain.shape().last(), Some(&(9216, 16, 3200, 897)));
}

#[test]
fn the_measured_rate_is_within_the_one_asked_for() {
    for error_rate in [0.02, 0.01, 0.001] {
        let mut chain = Chain::new(error_rate, 100, Spacing::Growing);
        for number in 0..5000 {
            chain.add(format!("in {number}").as_bytes());
        }
        assert!((0..5000).all(|number| chain.contains(format!("in {number}").as_bytes())));
        let wrong = (0..20_000).filter(|n| chain.contains(format!("out {n}").as_bytes())).count();
        assert!(wrong as f64 / 20_000.0 <= error_rate, "{wrong} at {error_rate}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    assert!(Filter::first(0.01, u64::MAX, true).is_none());
    assert!(Filter::first(0.01, 0, true).is_none());
    assert!(Filter::first(1.0, 1, false).is_none());
    assert!(Filter::first(f64::MIN_POSITIVE / 8.0, 1, false).is_some());
    assert!(Filter::first(0.01, 1 << 36, true).unwrap().next(1000).is_none());
}
