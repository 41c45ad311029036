//! One sorted run of tables that do not overlap, and the search for the one that may hold a key.
//!
//! The search compares 8 bytes per step: `heads[i]` are the bytes of table i's last key after the
//! prefix that all keys of the level share, as a big-endian number. Whole keys are compared only
//! among tables with the same head.

use std::sync::Arc;

use super::file::TableFile;

/// Tables by key; immutable.
#[derive(Default)]
pub struct Level {
    tables: Vec<Arc<TableFile>>,
    heads: Vec<u64>,
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
        let heads = tables.iter().map(|table| head(&table.meta().largest[shared..])).collect();
        Self { tables, heads, prefix }
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
        let shared = self.prefix.len();
        match key[..key.len().min(shared)].cmp(&self.prefix) {
            std::cmp::Ordering::Less => return 0,
            std::cmp::Ordering::Greater => return self.tables.len(),
            std::cmp::Ordering::Equal => {}
        }
        let wanted = head(&key[shared..]);
        let from = self.heads.partition_point(|&head| head < wanted);
        let same = self.heads[from..].iter().take(2).filter(|&&head| head == wanted).count();
        if same == 0 {
            return from;
        }
        let same = self.heads[from..].partition_point(|&head| head == wanted);
        let tables = &self.tables[from..from + same];
        from + tables.partition_point(|table| table.meta().largest.as_slice() < key)
    }

    /// The table that may hold `key`.
    #[inline]
    pub fn table_for(&self, key: &[u8]) -> Option<&Arc<TableFile>> {
        let table = self.tables.get(self.find(key))?;
        (table.meta().smallest.as_slice() <= key).then_some(table)
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
