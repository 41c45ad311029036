//! Which of many sorted keys a tree holds.

use aidb_base::{Result, Seq};

use super::{Level, Tree};
use crate::entry::Kind;
use crate::table::SortedKeys;

impl Tree {
    /// Calls `f` with the index, sequence number and kind of the newest entry of each of `keys` that
    /// has one, as [`Tree::get`] finds it. Hashes are those under `hash_seed`.
    ///
    /// # Errors
    /// `Corruption`, and those of the file system.
    pub fn probe(
        &self,
        keys: &SortedKeys,
        hash_seed: u64,
        f: &mut dyn FnMut(usize, Seq, Kind),
    ) -> Result<()> {
        let mut wanted: Vec<usize> = (0..keys.len()).collect();
        let mut is_found = vec![false; keys.len()];
        for source in self.sources() {
            let mut found = |index: usize, seq, kind| {
                is_found[index] = true;
                f(index, seq, kind);
            };
            source.probe(keys, &wanted, hash_seed, &mut found)?;
            wanted.retain(|&index| !is_found[index]);
        }
        Ok(())
    }
}

impl Level {
    fn probe(
        &self,
        keys: &SortedKeys,
        wanted: &[usize],
        hash_seed: u64,
        f: &mut dyn FnMut(usize, Seq, Kind),
    ) -> Result<()> {
        let mut rest = wanted;
        for file in self.tables() {
            let meta = file.meta();
            let before = rest.partition_point(|&at| keys.key(at) < meta.smallest.as_slice());
            rest = &rest[before..];
            let inside = rest.partition_point(|&at| keys.key(at) <= meta.largest.as_slice());
            file.table().probe(keys, &rest[..inside], hash_seed, f)?;
            rest = &rest[inside..];
        }
        Ok(())
    }
}
