//! Random histories against a `BTreeMap`, small enough that four levels are reached.

use std::collections::BTreeMap;

use aidb_base::Rng;

use super::{KS, World, all};
use crate::batch::WriteBatch;
use crate::db::{Db, ScanRange, Snapshot, WriteOptions};

type Model = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

struct Run {
    world: World,
    db: Db,
    model: Model,
    rng: Rng,
    snapshots: Vec<(Snapshot, Vec<(Vec<u8>, Vec<u8>)>)>,
    now_ms: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let world = World::new();
        let db = world.open();
        let rng = Rng::seeded(seed);
        Self { world, db, model: Model::new(), rng, snapshots: Vec::new(), now_ms: 1_000_000 }
    }

    fn key(&mut self) -> Vec<u8> {
        let number = self.rng.below(400);
        let mut key = format!("{number:03}").into_bytes();
        key.extend(std::iter::repeat_n(b'x', self.rng.below(3) as usize * (number as usize % 3)));
        key
    }

    fn value(&mut self) -> Vec<u8> {
        let length = match self.rng.below(20) {
            0 => 0,
            1 => 300 + self.rng.below(500),
            _ => self.rng.below(60),
        };
        vec![self.rng.next_u64() as u8; length as usize]
    }

    fn visible(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let is_live = |expire: u64| expire == 0 || expire > self.now_ms;
        let live = self.model.iter().filter(|(_, (_, expire))| is_live(*expire));
        live.map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    }

    fn fill(&mut self, batch: &mut WriteBatch) {
        match self.rng.below(10) {
            0..=5 => {
                let (key, value) = (self.key(), self.value());
                let ttl = self.rng.below(8) == 0;
                let expire = if ttl { self.now_ms + 1 + self.rng.below(3000) } else { 0 };
                batch.put(KS, &key, &value, expire).unwrap();
                self.model.insert(key, (value, expire));
            }
            6..=8 => {
                let key = self.key();
                batch.delete(KS, &key).unwrap();
                self.model.remove(&key);
            }
            _ => {
                let (a, b) = (self.key(), self.key());
                let end = (self.rng.below(30) != 0).then_some(b);
                batch.delete_range(KS, &a, end.as_deref()).unwrap();
                let is_covered =
                    |key: &Vec<u8>| *key >= a && end.as_ref().is_none_or(|end| key < end);
                self.model.retain(|key, _| !is_covered(key));
            }
        }
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..=79 => {
                let mut batch = WriteBatch::new();
                let operations = if self.rng.below(4) == 0 { 1 + self.rng.below(20) } else { 1 };
                for _ in 0..operations {
                    self.fill(&mut batch);
                }
                self.db.write(&batch, WriteOptions::default()).unwrap();
            }
            80..=83 => self.db.flush().unwrap(),
            84..=89 => while self.db.compact_step().unwrap() {},
            90 => self.db.compact(None).unwrap(),
            91..=92 => {
                self.snapshots.clear();
                self.db.close().unwrap();
                self.db = self.world.open();
            }
            93..=94 => {
                let snapshot = self.db.snapshot().unwrap();
                self.snapshots.push((snapshot, self.visible()));
            }
            95..=96 => {
                self.snapshots.clear();
                let ms = self.rng.below(500);
                self.world.clock.advance_ms(ms);
                self.now_ms += ms;
            }
            _ => self.check(),
        }
    }

    fn check(&mut self) {
        let expected = self.visible();
        assert_eq!(all(&self.db, false), expected);
        let mut backwards = all(&self.db, true);
        backwards.reverse();
        assert_eq!(backwards, expected);
        assert_eq!(self.db.len(KS).unwrap(), expected.len() as u64);
        for _ in 0..20 {
            let key = self.key();
            let found = expected.iter().find(|(k, _)| *k == key).map(|(_, value)| value.clone());
            assert_eq!(self.db.get(KS, &key).unwrap(), found);
        }
        for (snapshot, expected) in &self.snapshots {
            let mut scan = snapshot.scan(KS, ScanRange::default()).unwrap();
            for (key, value) in expected {
                assert_eq!(scan.next().unwrap(), Some((key.as_slice(), value.as_slice())));
            }
            assert!(scan.next().unwrap().is_none());
        }
        let (lower, upper) = (self.key(), self.key());
        let range =
            ScanRange { lower: Some(lower.clone()), upper: Some(upper.clone()), reverse: false };
        let mut scan = self.db.scan(KS, range).unwrap();
        for (key, value) in expected.iter().filter(|(key, _)| *key >= lower && *key < upper) {
            assert_eq!(scan.next().unwrap(), Some((key.as_slice(), value.as_slice())));
        }
        assert!(scan.next().unwrap().is_none());
    }
}

#[test]
fn random_histories_match_a_map() {
    for seed in 0..40 {
        let mut run = Run::new(seed);
        for _ in 0..600 {
            run.step();
        }
        run.check();
    }
}

#[test]
fn four_levels_are_reached() {
    let mut run = Run::new(99);
    for round in 0..60u32 {
        for i in 0..200u32 {
            let key = (i.wrapping_mul(2_654_435_761) ^ round).to_be_bytes();
            super::put(&run.db, &key, &[round as u8; 40]);
            run.model.insert(key.to_vec(), (vec![round as u8; 40], 0));
        }
        run.db.flush().unwrap();
        while run.db.compact_step().unwrap() {}
    }
    run.check();
    assert!(run.db.stats().levels.iter().filter(|level| level.tables > 0).count() >= 3);
}
