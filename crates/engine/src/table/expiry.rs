//! Expiry index: which records of a table expire when, earliest first.
//!
//! | bytes | content (little endian; `n` records) |
//! |---|---|
//! | 4 | `n` |
//! | 8n | expiries in milliseconds since the epoch, ascending |
//! | 4n | number of the data block of each record |
//! | 2n | position of the record in its block |

/// Where an expiring record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpiryEntry {
    /// Milliseconds since the epoch.
    pub expire_at_ms: u64,
    /// Data block.
    pub block: u32,
    /// Position in the block.
    pub index: u16,
}

/// An expiry index in its stored form.
#[derive(Clone, Copy, Debug)]
pub struct ExpiryIndex<'a> {
    expiries: &'a [u8],
    blocks: &'a [u8],
    indexes: &'a [u8],
}

impl<'a> ExpiryIndex<'a> {
    /// Cuts the columns; `None` when the sizes contradict each other.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk::<4>()?;
        let count = u32::from_le_bytes(*count) as usize;
        let (expiries, rest) = rest.split_at_checked(count * 8)?;
        let (blocks, rest) = rest.split_at_checked(count * 4)?;
        (rest.len() == count * 2).then_some(Self { expiries, blocks, indexes: rest })
    }

    /// Records.
    pub fn len(&self) -> usize {
        self.expiries.len() / 8
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.expiries.is_empty()
    }

    /// The record with ordinal `at`.
    pub fn get(&self, at: usize) -> Option<ExpiryEntry> {
        Some(ExpiryEntry {
            expire_at_ms: u64::from_le_bytes(chunk(self.expiries, at)?),
            block: u32::from_le_bytes(chunk(self.blocks, at)?),
            index: u16::from_le_bytes(chunk(self.indexes, at)?),
        })
    }
}

fn chunk<const N: usize>(column: &[u8], at: usize) -> Option<[u8; N]> {
    column.get(at * N..)?.first_chunk().copied()
}

/// The stored form of `entries`, which it sorts.
pub fn encode(entries: &mut [ExpiryEntry]) -> Vec<u8> {
    entries.sort_unstable();
    let mut out = Vec::with_capacity(4 + entries.len() * 14);
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    entries.iter().for_each(|entry| out.extend_from_slice(&entry.expire_at_ms.to_le_bytes()));
    entries.iter().for_each(|entry| out.extend_from_slice(&entry.block.to_le_bytes()));
    entries.iter().for_each(|entry| out.extend_from_slice(&entry.index.to_le_bytes()));
    out
}
