//! One sorted run of tables that do not overlap, and the search for the one that may hold a key.
//!
//! The search compares 8 bytes per step: the heads of a table are the bytes of its first and last
//! key after the prefix that all keys of the level share, as big-endian numbers. Whole keys are
//! compared, and tables touched, only where heads are the same.

use std::sync::Arc;

use super::file::TableFile;
use crate::table::Table;

/// Tables by key; immutable.
#[derive(Default)]
pub struct Level {
    tables: Vec<Arc<TableFile>>,
    readers: Vec<Arc<Table>>,
    first_heads: Vec<u64>,
    last_heads: Vec<u64>,
    prefix: Vec<u8>,
}

impl Level {
    /// A level of `tables`, in any order.
    pub fn new(mut tables: Vec<Arc<TableFile>>) -> Self {
        tables.sort_unstable_by(|a, b| a.meta().smallest.cmp(&b.meta().smallest));
        let first = tables.first().map_or(&[][..], |table| &table.meta().smallest);
        let last = tables.last().map_or(&[][..], |table| &table.meta().largest);
        let shared = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let prefix = first[..shared].to_vec();
        let readers = tables.iter().map(|table| table.table().clone()).collect();
        let first_heads = tables.iter().map(|table| head(&table.meta().smallest[shared..]));
        let first_heads = first_heads.collect();
        let last_heads = tables.iter().map(|table| head(&table.meta().largest[shared..])).collect();
        Self { tables, readers, first_heads, last_heads, prefix }
    }

    /// Its tables by key.
    pub fn tables(&self) -> &[Arc<TableFile>] {
        &self.tables
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Bytes of its tables.
    pub fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.meta().bytes).sum()
    }

    /// Index of the first table whose last key is at or after `key`; the number of tables if none.
    #[inline]
    pub fn find(&self, key: &[u8]) -> usize {
        match self.head_of(key) {
            Ok(head) => self.find_from(head, key),
            Err(std::cmp::Ordering::Less) => 0,
            Err(_) => self.tables.len(),
        }
    }

    /// The table that may hold `key`.
    #[inline]
    pub fn table_for(&self, key: &[u8]) -> Option<&Arc<Table>> {
        let head = self.head_of(key).ok()?;
        let index = self.find_from(head, key);
        let first = *self.first_heads.get(index)?;
        let starts =
            first < head || (first == head && self.tables[index].meta().smallest.as_slice() <= key);
        if starts { self.readers.get(index) } else { None }
    }

    /// The head of `key`, or how keys with another prefix compare with those of the level.
    #[inline]
    fn head_of(&self, key: &[u8]) -> Result<u64, std::cmp::Ordering> {
        let shared = self.prefix.len();
        match key[..key.len().min(shared)].cmp(&self.prefix) {
            std::cmp::Ordering::Equal => Ok(head(&key[shared..])),
            other => Err(other),
        }
    }

    #[inline]
    fn find_from(&self, wanted: u64, key: &[u8]) -> usize {
        let from = self.last_heads.partition_point(|&head| head < wanted);
        if self.last_heads.get(from) != Some(&wanted) {
            return from;
        }
        let same = self.last_heads[from..].partition_point(|&head| head == wanted);
        let tables = &self.tables[from..from + same];
        from + tables.partition_point(|table| table.meta().largest.as_slice() < key)
    }
}

/// The first 8 bytes of `key` as a number that sorts like them.
#[inline]
fn head(key: &[u8]) -> u64 {
    if let Some(word) = key.first_chunk::<8>() {
        return u64::from_be_bytes(*word);
    }
    let mut word = [0; 8];
    word[..key.len()].copy_from_slice(key);
    u64::from_be_bytes(word)
}
