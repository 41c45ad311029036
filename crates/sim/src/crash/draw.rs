//! Random keys, values and batches over few keys, so that they meet.

use aidb_base::{KeyspaceId, Rng};

use super::model::Change;

/// Draws operations on the keyspaces given.
pub struct Draw<'a> {
    /// Source of chance.
    pub rng: &'a mut Rng,
    /// Keyspaces beside the default one.
    pub keyspaces: &'a [KeyspaceId],
    /// The time, if some records are to expire soon after it.
    pub expires_after_ms: Option<u64>,
}

impl Draw<'_> {
    /// One to eight puts and deletes.
    pub fn batch(&mut self) -> Vec<Change> {
        let count = [1, 1, 1, 1, 2, 3, 8][self.rng.below(7) as usize];
        (0..count).map(|_| self.change()).collect()
    }

    /// A batch with a range delete in it.
    pub fn range_batch(&mut self) -> Vec<Change> {
        let mut changes: Vec<_> = (0..self.rng.below(3)).map(|_| self.change()).collect();
        let (start, end) = (self.key(), self.key());
        let (start, end) = if start <= end { (start, end) } else { (end, start) };
        let end = if self.rng.below(8) == 0 { None } else { Some(end) };
        changes.push(Change::DeleteRange(self.keyspace(), start, end));
        changes.extend((0..self.rng.below(3)).map(|_| self.change()).collect::<Vec<_>>());
        changes
    }

    /// One large value, up to more than a memtable.
    pub fn large(&mut self) -> Vec<Change> {
        let len = 1000 + self.rng.below(5000) as usize;
        vec![Change::Put(self.keyspace(), self.key(), self.bytes(len), 0)]
    }

    /// A keyspace, the default one mostly.
    pub fn keyspace(&mut self) -> KeyspaceId {
        match self.keyspaces.len() as u64 {
            0 => 0,
            count if self.rng.below(3) == 0 => self.keyspaces[self.rng.below(count) as usize],
            _ => 0,
        }
    }

    fn change(&mut self) -> Change {
        let (keyspace, key) = (self.keyspace(), self.key());
        if self.rng.below(4) == 0 {
            return Change::Delete(keyspace, key);
        }
        let len = [0, 1, 10, 30, 70, 200][self.rng.below(6) as usize];
        let expire_at_ms = match self.expires_after_ms {
            Some(now_ms) if self.rng.below(3) == 0 => now_ms + 1 + self.rng.below(200),
            _ => 0,
        };
        Change::Put(keyspace, key, self.bytes(len), expire_at_ms)
    }

    fn key(&mut self) -> Vec<u8> {
        match self.rng.below(40) {
            0 => Vec::new(),
            1 => vec![b'k'; 300],
            number => format!("key{:02}", number / 2 * 2).into_bytes(),
        }
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let step = self.rng.next_u64() as u8;
        (0..len).map(|index| (index as u8).wrapping_mul(step | 1).wrapping_add(step)).collect()
    }
}
