//! Where a member of a large sorted set stands, without walking over those in front of it.
//!
//! The members of a set, in the order of scores, are cut into blocks of some hundreds; of each block
//! its first key and its number of members are kept in memory. The first question for a place cuts the
//! set, and every commit that touches the set counts in its blocks, under the lock of the set's
//! slot as any other change. A block that has grown is cut when somebody asks into it. Nothing is
//! stored: after a restart, or when many other sets were asked since, the next question cuts again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use aidb_engine::batch::{Operation, WriteBatch};
use parking_lot::Mutex;

use crate::collection::{ID_BYTES, Id};
use crate::key::tag;

/// Members of a block when it is cut.
pub const BLOCK_MEMBERS: u64 = 256;
/// Members of a block that is cut again.
pub const BLOCK_MEMBERS_MAX: u64 = 4 * BLOCK_MEMBERS;
/// Sets whose blocks are kept.
const SETS_MAX: usize = 64;

/// Some neighbours in the order of scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Ordered score and member of the first; empty: everything in front of the second block.
    pub first: Vec<u8>,
    /// How many.
    pub members: u64,
}

/// A block and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The block.
    pub block: Block,
    /// First of the next block; `None`: there is none.
    pub next: Option<Vec<u8>>,
    /// Members in front of the block.
    pub before: u64,
}

#[derive(Default)]
struct Sets {
    by_id: HashMap<Id, Counted>,
    questions: u64,
}

struct Counted {
    blocks: Vec<Block>,
    asked_at: u64,
}

impl Counted {
    fn locate(&self, at: usize) -> Option<Located> {
        let block = self.blocks.get(at)?.clone();
        let before = self.blocks[..at].iter().map(|block| block.members).sum();
        Some(Located {
            block,
            next: self.blocks.get(at + 1).map(|next| next.first.clone()),
            before,
        })
    }

    /// The block to which a key belongs.
    fn place(&self, key: &[u8]) -> usize {
        self.blocks.partition_point(|block| block.first.as_slice() <= key).saturating_sub(1)
    }
}

/// The blocks of the sets that were asked lately.
#[derive(Default)]
pub struct Ranks {
    sets: Mutex<Sets>,
    len: AtomicUsize,
}

impl Ranks {
    /// Whether there are blocks of any set.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.len.load(Ordering::Acquire) != 0
    }

    /// The block to which a key belongs: ordered score and member. The caller holds the set's slot,
    /// here and below.
    pub fn by_key(&self, id: &Id, key: &[u8]) -> Option<Located> {
        self.ask(id, |set| set.locate(set.place(key)))
    }

    /// The block of the member that has so many in front of it.
    pub fn by_rank(&self, id: &Id, rank: u64) -> Option<Located> {
        self.ask(id, |set| {
            let mut behind = 0;
            let at = set.blocks.iter().position(|block| {
                behind += block.members;
                behind > rank
            });
            set.locate(at.unwrap_or(set.blocks.len() - 1))
        })
    }

    fn ask(&self, id: &Id, answer: impl FnOnce(&Counted) -> Option<Located>) -> Option<Located> {
        if !self.any() {
            return None;
        }
        let sets = &mut *self.sets.lock();
        let set = sets.by_id.get_mut(id)?;
        sets.questions += 1;
        set.asked_at = sets.questions;
        answer(set)
    }

    /// Keeps the blocks of a set, the first of which begins in front of everything.
    pub fn keep(&self, id: Id, blocks: Vec<Block>) {
        let sets = &mut *self.sets.lock();
        sets.questions += 1;
        sets.by_id.insert(id, Counted { blocks, asked_at: sets.questions });
        if sets.by_id.len() > SETS_MAX {
            let oldest = sets.by_id.iter().min_by_key(|(_, set)| set.asked_at).map(|(id, _)| *id);
            oldest.map(|oldest| sets.by_id.remove(&oldest));
        }
        self.len.store(sets.by_id.len(), Ordering::Release);
    }

    /// Replaces a block by what it was cut into.
    pub fn cut(&self, id: &Id, block: &Block, parts: Vec<Block>) {
        let sets = &mut *self.sets.lock();
        let Some(set) = sets.by_id.get_mut(id) else { return };
        let at = set.place(&block.first);
        if set.blocks.get(at) == Some(block) {
            set.blocks.splice(at..=at, parts);
        }
    }

    /// Forgets all blocks.
    pub(super) fn forget(&self) {
        self.sets.lock().by_id.clear();
        self.len.store(0, Ordering::Release);
    }

    /// Counts what a batch changed, which was committed.
    #[cold]
    pub(super) fn count(&self, batch: &WriteBatch) {
        let sets = &mut *self.sets.lock();
        for operation in batch.operations().flatten() {
            match operation {
                Operation::Put { key, .. } => sets.change(key, |members| members + 1),
                Operation::Delete { key, .. } => {
                    sets.change(key, |members| members.saturating_sub(1))
                }
                Operation::DeleteRange { start, .. } => match Id::of(start) {
                    Some(id) => drop(sets.by_id.remove(&id)),
                    None => sets.by_id.clear(),
                },
                Operation::Annotation(_) => {}
            }
        }
        self.len.store(sets.by_id.len(), Ordering::Release);
    }
}

impl Sets {
    fn change(&mut self, member_key: &[u8], change: impl FnOnce(u64) -> u64) {
        if member_key.get(ID_BYTES) != Some(&tag::ZSET_SCORE) {
            return;
        }
        let Some(set) = Id::of(member_key).and_then(|id| self.by_id.get_mut(&id)) else { return };
        let at = set.place(&member_key[ID_BYTES + 1..]);
        if let Some(block) = set.blocks.get_mut(at) {
            block.members = change(block.members);
        }
    }
}
