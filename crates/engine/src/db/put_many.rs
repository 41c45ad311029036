//! Commits of many pairs that stay where the caller has them: their bytes are copied once, into the log.

use aidb_base::{KeyspaceId, Result, Seq};
use parking_lot::MutexGuard;

use super::write::{Writer, insert, prefetched};
use super::{Db, Inner, WriteOptions};
use crate::batch::PairBatch;
use crate::options::Durability;

impl Db {
    /// Stores pairs in one atomic batch, in their order; `expire_at_ms` = 0: they never expire.
    ///
    /// **Durability**, **concurrency**: as [`Db::write`].
    ///
    /// # Errors
    /// As [`Db::write`], and `Invalid` for a key, value or batch over its limit.
    pub fn put_many(
        &self,
        keyspace: KeyspaceId,
        pairs: &[(&[u8], &[u8])],
        expire_at_ms: u64,
        options: WriteOptions,
    ) -> Result<Seq> {
        self.check_keyspace(keyspace)?;
        self.inner.commit_pairs(&PairBatch::new(keyspace, pairs, expire_at_ms)?, options)
    }
}

impl Inner {
    fn commit_pairs(&self, pairs: &PairBatch<'_>, options: WriteOptions) -> Result<Seq> {
        self.state.check_writable()?;
        let durability = options.durability.unwrap_or_default().max(self.options.durability);
        if !self.pressure.is_free() {
            self.pressure.wait(pairs.bytes(), &*self.options.env.clock)?;
        }
        let digest = pairs.digest();
        let seq = self.commit_pairs_locked(self.writer.lock(), pairs, digest)?;
        if durability == Durability::Sync {
            self.sync_to(seq)?;
        }
        Ok(seq)
    }

    fn commit_pairs_locked(
        &self,
        mut guard: MutexGuard<'_, Writer>,
        pairs: &PairBatch<'_>,
        digest: u64,
    ) -> Result<Seq> {
        let writer = &mut *guard;
        let seq = self.begin(writer, pairs.bytes())?;
        let result = writer.log.append_pairs(seq, pairs, digest);
        result.map_err(|error| self.explain_refusal(error))?;
        writer.next_seq = seq + 1;
        writer.user_bytes += pairs.bytes() as u64;
        let encoded;
        let (payload, home) = match writer.log.last_payload(pairs.bytes()) {
            Some((payload, home)) => (payload, Some(home)),
            None => {
                encoded = pairs.payload();
                (encoded.as_slice(), None)
            }
        };
        let coming = prefetched(&writer.active, self.hash_seed, payload);
        insert(&writer.active, self.hash_seed, seq, (payload, home), coming)?;
        self.publish(guard, seq, pairs.bytes());
        Ok(seq)
    }
}
