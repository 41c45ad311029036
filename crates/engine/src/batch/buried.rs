//! Which puts of a batch a later range delete of the same batch covers.
//!
//! They become deletes, but not at once: rewriting the payload with every range delete would cost the
//! square of their number. Their places are remembered, and the payload is written anew when it is
//! asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use aidb_base::{KeyspaceId, Result};

use super::{Operation, Operations, WriteBatch};

/// Puts by key, and what became of them. Offsets count from the start of the batch's bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Buried {
    puts: BTreeMap<(KeyspaceId, Vec<u8>), Vec<usize>>,
    indexed: usize,
    covered: BTreeSet<usize>,
    rewritten: OnceLock<Vec<u8>>,
}

impl Buried {
    /// Notes that a range delete comes after the operations in `raw`.
    pub(super) fn cover(
        &mut self,
        raw: &[u8],
        keyspace: KeyspaceId,
        start: &[u8],
        end: Option<&[u8]>,
    ) -> Result<()> {
        let added = with_offsets(raw, self.indexed);
        self.indexed = raw.len();
        for operation in added {
            if let (offset, Operation::Put { keyspace, key, .. }) = operation? {
                self.puts.entry((keyspace, key.to_vec())).or_default().push(offset);
            }
        }
        let inside = |(ks, key): &(KeyspaceId, Vec<u8>)| {
            *ks == keyspace && end.is_none_or(|end| key.as_slice() < end)
        };
        let behind = self.puts.range((keyspace, start.to_vec())..).map(|(key, _)| key);
        let found: Vec<_> = behind.take_while(|key| inside(key)).cloned().collect();
        for key in found {
            self.covered.extend(self.puts.remove(&key).unwrap_or_default());
        }
        Ok(())
    }

    /// Notes that the batch grows.
    pub(super) fn forget_rewritten(&mut self) {
        self.rewritten.take();
    }

    /// The payload: `raw` with deletes in place of covered puts.
    pub(super) fn payload<'a>(&'a self, raw: &'a [u8]) -> &'a [u8] {
        if self.covered.is_empty() {
            return raw;
        }
        self.rewritten.get_or_init(|| self.rewrite(raw))
    }

    fn rewrite(&self, raw: &[u8]) -> Vec<u8> {
        let mut batch = WriteBatch::new();
        let mut copied = 0;
        for operation in with_offsets(raw, 0) {
            let Ok((offset, Operation::Put { keyspace, key, .. })) = operation else { continue };
            if !self.covered.contains(&offset) {
                continue;
            }
            batch.raw.extend_from_slice(&raw[copied..offset]);
            batch.encode_delete(keyspace, key);
            let mut behind = Operations::new(&raw[offset..]);
            behind.next();
            copied = raw.len() - behind.rest.len();
        }
        batch.raw.extend_from_slice(&raw[copied..]);
        batch.raw
    }
}

/// The operations from `offset` on, each with its own offset.
fn with_offsets(raw: &[u8], offset: usize) -> impl Iterator<Item = Result<(usize, Operation<'_>)>> {
    let mut operations = Operations::new(&raw[offset..]);
    std::iter::from_fn(move || {
        let at = raw.len() - operations.rest.len();
        operations.next().map(|operation| Ok((at, operation?)))
    })
}
