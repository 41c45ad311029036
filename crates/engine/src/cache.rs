//! Block cache: a slot per block inside each table, and one CLOCK over all of them.
//!
//! A hit is a load of the slot's pointer and a look at the block's reference bit; it takes no lock
//! and writes no shared line unless the bit was clear. A miss takes the lock of one shard to enter
//! the block into that shard's queue. To make room, the hand takes blocks from the front of a
//! queue: one that was used since gets a second round, another one leaves its slot.
//!
//! The budget is strict: room is reserved before a block enters, so `bytes` never exceeds the
//! capacity. A block that finds no room is used by its reader and forgotten.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::{ArcSwapOption, Guard};
use parking_lot::Mutex;

#[cfg(test)]
mod tests;

/// Cost of a block besides its bytes: slot, counters, queue entry, allocator.
const BLOCK_OVERHEAD_BYTES: usize = 96;

/// Queues; a power of two.
const SHARDS_MAX: usize = 16;

/// Caches smaller than this per queue get fewer queues.
const SHARD_BYTES_MIN: usize = 1 << 20;

const COUNTERS: usize = 16;

/// A decompressed block held by the cache or by its reader.
#[derive(Debug)]
pub struct CachedBlock {
    bytes: Box<[u8]>,
    is_used: AtomicBool,
}

impl CachedBlock {
    /// A block that is in no cache.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into_boxed_slice(), is_used: AtomicBool::new(false) }
    }

    /// The raw block.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn charge(&self) -> usize {
        self.bytes.len() + BLOCK_OVERHEAD_BYTES
    }

    #[inline]
    fn mark_used(&self) {
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
    }
}

/// What the cache did so far and holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Blocks found.
    pub hits: u64,
    /// Blocks that had to be read.
    pub misses: u64,
    /// Bytes held, with bookkeeping.
    pub bytes: u64,
    /// Most bytes it will hold.
    pub capacity: u64,
}

#[derive(Default)]
#[repr(align(128))]
struct Counter {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Blocks in the order in which the hand meets them.
#[derive(Default)]
struct Queue {
    entries: VecDeque<QueueEntry>,
    /// Length at which entries of dropped tables are swept out.
    sweep_at: usize,
}

struct QueueEntry {
    slots: Weak<Slots>,
    block: u32,
}

/// The block cache of a database.
pub struct BlockCache {
    capacity: AtomicUsize,
    bytes: AtomicUsize,
    queues: Box<[Mutex<Queue>]>,
    hand: AtomicUsize,
    tables: AtomicUsize,
    counters: [Counter; COUNTERS],
}

thread_local! {
    static COUNTER: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Counter of the calling thread; threads get them in turn.
#[inline]
fn counter_index() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    COUNTER.with(|cell| {
        if cell.get() == usize::MAX {
            cell.set(NEXT.fetch_add(1, Ordering::Relaxed) % COUNTERS);
        }
        cell.get()
    })
}

impl BlockCache {
    /// An empty cache of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        let shards = (bytes_max / SHARD_BYTES_MIN).clamp(1, SHARDS_MAX);
        let shards = if shards.is_power_of_two() { shards } else { shards.next_power_of_two() / 2 };
        Self {
            capacity: AtomicUsize::new(bytes_max),
            bytes: AtomicUsize::new(0),
            queues: (0..shards).map(|_| Mutex::default()).collect(),
            hand: AtomicUsize::new(0),
            tables: AtomicUsize::new(0),
            counters: Default::default(),
        }
    }

    /// Counters and sizes now.
    pub fn stats(&self) -> CacheStats {
        let sum = |count: fn(&Counter) -> &AtomicU64| {
            self.counters.iter().map(|counter| count(counter).load(Ordering::Relaxed)).sum()
        };
        CacheStats {
            hits: sum(|counter| &counter.hits),
            misses: sum(|counter| &counter.misses),
            bytes: self.bytes.load(Ordering::Relaxed) as u64,
            capacity: self.capacity.load(Ordering::Relaxed) as u64,
        }
    }

    /// Changes the budget; a smaller one is enforced at once.
    pub fn set_capacity(&self, bytes_max: usize) {
        self.capacity.store(bytes_max, Ordering::Relaxed);
        while self.bytes.load(Ordering::Relaxed) > bytes_max && self.evict_one() {}
    }

    /// Slots for a table of `blocks` blocks.
    pub(crate) fn slots(self: &Arc<Self>, blocks: usize) -> Arc<Slots> {
        Arc::new(Slots {
            cells: (0..blocks).map(|_| ArcSwapOption::empty()).collect(),
            table: self.tables.fetch_add(1, Ordering::Relaxed),
            cache: self.clone(),
        })
    }

    /// Takes `charge` bytes out of the budget, making room if needed.
    fn reserve(&self, charge: usize) -> bool {
        let mut bytes = self.bytes.load(Ordering::Relaxed);
        loop {
            let capacity = self.capacity.load(Ordering::Relaxed);
            if charge > capacity {
                return false;
            }
            if bytes + charge > capacity {
                if !self.evict_one() {
                    return false;
                }
                bytes = self.bytes.load(Ordering::Relaxed);
                continue;
            }
            let taken = self.bytes.compare_exchange_weak(
                bytes,
                bytes + charge,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match taken {
                Ok(_) => return true,
                Err(now) => bytes = now,
            }
        }
    }

    fn release(&self, charge: usize) {
        self.bytes.fetch_sub(charge, Ordering::Relaxed);
    }

    /// Removes one block that was not used for a round; `false` when there is none at all.
    fn evict_one(&self) -> bool {
        let start = self.hand.fetch_add(1, Ordering::Relaxed);
        (0..self.queues.len()).any(|i| self.evict_from((start + i) & (self.queues.len() - 1)))
    }

    fn evict_from(&self, shard: usize) -> bool {
        let mut queue = self.queues[shard].lock();
        // Readers may set bits as fast as the hand clears them; two rounds are enough.
        for turn in 0..queue.entries.len() * 2 + 1 {
            let Some(entry) = queue.entries.pop_front() else { return false };
            let Some(slots) = entry.slots.upgrade() else { continue };
            let cell = &slots.cells[entry.block as usize];
            let insist = turn >= queue.entries.len() * 2;
            let keep = match &*cell.load() {
                None => continue,
                Some(block) => block.is_used.swap(false, Ordering::Relaxed) && !insist,
            };
            if keep {
                queue.entries.push_back(entry);
                continue;
            }
            let evicted = cell.swap(None);
            self.release(evicted.as_ref().map_or(0, |block| block.charge()));
            drop(queue);
            return true;
        }
        false
    }
}

/// The cached blocks of one table.
pub(crate) struct Slots {
    cells: Box<[ArcSwapOption<CachedBlock>]>,
    table: usize,
    cache: Arc<BlockCache>,
}

impl Slots {
    /// The block, if it is cached; counts a hit.
    #[inline]
    pub(crate) fn get(&self, block: usize) -> Option<Guard<Option<Arc<CachedBlock>>>> {
        let found = self.peek(block)?;
        let cached = (*found).as_ref()?;
        cached.mark_used();
        self.cache.counters[counter_index()].hits.fetch_add(1, Ordering::Relaxed);
        Some(found)
    }

    /// A cached block, for a look that is no use of it.
    #[inline]
    pub(crate) fn peek(&self, block: usize) -> Option<Guard<Option<Arc<CachedBlock>>>> {
        Some(self.cells.get(block)?.load())
    }

    /// Enters a block that was just read, counting a miss, and gives it back whether or not there
    /// was room.
    pub(crate) fn insert(self: &Arc<Self>, block: usize, bytes: Vec<u8>) -> Arc<CachedBlock> {
        let cached = Arc::new(CachedBlock::new(bytes));
        self.cache.counters[counter_index()].misses.fetch_add(1, Ordering::Relaxed);
        let Some(cell) = self.cells.get(block) else { return cached };
        if !self.cache.reserve(cached.charge()) {
            return cached;
        }
        let shard = (block ^ self.table.wrapping_mul(7)) & (self.cache.queues.len() - 1);
        let mut queue = self.cache.queues[shard].lock();
        if cell.load().is_some() {
            drop(queue);
            self.cache.release(cached.charge());
            return cached;
        }
        cell.store(Some(cached.clone()));
        if queue.entries.len() >= queue.sweep_at {
            queue.entries.retain(|entry| entry.slots.strong_count() > 0);
            queue.sweep_at = (queue.entries.len() * 2).max(1024);
        }
        queue.entries.push_back(QueueEntry { slots: Arc::downgrade(self), block: block as u32 });
        cached
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // The queues find out when they meet the dead entries.
        let held = self.cells.iter().filter_map(|cell| cell.swap(None));
        let bytes = held.map(|block| block.charge()).sum();
        self.cache.release(bytes);
    }
}
