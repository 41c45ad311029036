use std::sync::Arc;

use super::*;

const BLOCK: usize = 1000;

fn charge() -> u64 {
    (BLOCK + BLOCK_OVERHEAD_BYTES) as u64
}

fn cached(slots: &Slots, block: usize) -> bool {
    slots.cells[block].load().is_some()
}

#[test]
fn counts_every_hit_and_every_read() {
    let cache = Arc::new(BlockCache::new(1 << 20));
    let slots = cache.slots(10);
    for block in 0..10 {
        assert!(slots.get(block).is_none());
        slots.insert(block, vec![block as u8; BLOCK]);
    }
    for _ in 0..3 {
        for block in 0..10 {
            let guard = slots.get(block).unwrap();
            assert_eq!(guard.as_ref().unwrap().bytes(), vec![block as u8; BLOCK]);
        }
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.bytes), (30, 10, 10 * charge()));
}

#[test]
fn never_holds_more_than_its_capacity() {
    for capacity in [0, 500, 5000, 100_000, 4 << 20] {
        let cache = Arc::new(BlockCache::new(capacity));
        let tables: Vec<_> = (0..5).map(|_| cache.slots(2000)).collect();
        for i in 0..10_000usize {
            let bytes = vec![0; i % 1500];
            assert_eq!(tables[i % 5].insert(i / 5, bytes).bytes().len(), i % 1500);
            assert!(cache.stats().bytes <= capacity as u64);
        }
        let held: usize = tables
            .iter()
            .flat_map(|slots| slots.cells.iter())
            .filter_map(|cell| cell.load().as_ref().map(|block| block.charge()))
            .sum();
        assert_eq!(cache.stats().bytes, held as u64);
        assert!(capacity < 10_000 || held > capacity * 9 / 10, "{held} of {capacity}");
    }
}

#[test]
fn a_used_block_outlives_unused_ones() {
    let cache = Arc::new(BlockCache::new(charge() as usize * 10));
    let slots = cache.slots(1000);
    slots.insert(0, vec![0; BLOCK]);
    for block in 1..200 {
        assert!(slots.get(0).is_some(), "lost before block {block}");
        slots.insert(block, vec![0; BLOCK]);
    }
    assert!(!cached(&slots, 1));
}

#[test]
fn a_dropped_table_gives_its_bytes_back() {
    let cache = Arc::new(BlockCache::new(1 << 20));
    let keep = cache.slots(10);
    keep.insert(0, vec![0; BLOCK]);
    let slots = cache.slots(100);
    let held = slots.insert(0, vec![1; BLOCK]);
    (1..100).for_each(|block| drop(slots.insert(block, vec![1; BLOCK])));
    drop(slots);
    assert_eq!(cache.stats().bytes, charge());
    assert_eq!(held.bytes()[0], 1);
    assert!(cached(&keep, 0));
}

#[test]
fn entries_of_dropped_tables_do_not_pile_up() {
    let cache = Arc::new(BlockCache::new(1 << 20));
    for _ in 0..200 {
        let slots = cache.slots(100);
        (0..100).for_each(|block| drop(slots.insert(block, vec![1; 100])));
    }
    let entries: usize = cache.queues.iter().map(|queue| queue.lock().entries.len()).sum();
    assert!(entries <= 1024 * cache.queues.len() + 100, "{entries}");
}

#[test]
fn a_smaller_capacity_is_enforced_at_once() {
    let cache = Arc::new(BlockCache::new(1 << 20));
    let slots = cache.slots(500);
    (0..500).for_each(|block| drop(slots.insert(block, vec![0; BLOCK])));
    cache.set_capacity(10_000);
    assert!(cache.stats().bytes <= 10_000);
    assert_eq!(cache.stats().capacity, 10_000);
}

#[test]
fn concurrent_readers_keep_the_accounts_true() {
    let cache = Arc::new(BlockCache::new(200_000));
    let tables: Vec<_> = (0..4).map(|_| cache.slots(300)).collect();
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (cache, tables) = (&cache, &tables);
            scope.spawn(move || {
                let mut rng = aidb_base::Rng::seeded(thread);
                for _ in 0..20_000 {
                    let slots = &tables[rng.below(4) as usize];
                    let block = rng.below(300) as usize;
                    let tag = block as u8;
                    match slots.get(block) {
                        Some(guard) => {
                            assert!(guard.as_ref().unwrap().bytes().iter().all(|&b| b == tag));
                        }
                        None => {
                            slots.insert(block, vec![tag; BLOCK]);
                        }
                    }
                    assert!(cache.stats().bytes <= 200_000);
                }
            });
        }
    });
    let stats = cache.stats();
    assert_eq!(stats.hits + stats.misses, 80_000);
    drop(tables);
    assert_eq!(cache.stats().bytes, 0);
}
