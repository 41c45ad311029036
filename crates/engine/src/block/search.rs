//! Finding a key in a block: by hash tag for point lookups, by head for seeks.

use std::cmp::Ordering;

use super::{Block, Damaged, chunk, head_of, tag_of};

impl Block<'_> {
    #[inline]
    pub(super) fn head(&self, index: usize) -> u32 {
        u32::from_le_bytes(chunk(self.bytes, self.layout.heads_at + index * 4))
    }

    /// Index of the entry whose key is `key`, which has hash `hash`.
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> Result<Option<usize>, Damaged> {
        let Some(suffix) = key.strip_prefix(self.prefix()) else { return Ok(None) };
        let tag = tag_of(hash);
        let tags = self.tags();
        let mut from = 0;
        while let Some(step) = memchr::memchr(tag, &tags[from..]) {
            let index = from + step;
            if self.suffix(index)? == suffix {
                return Ok(Some(index));
            }
            from = index + 1;
        }
        Ok(None)
    }

    /// Index of the first entry whose key is at or after `key`; `count()` when there is none.
    pub fn seek(&self, key: &[u8]) -> Result<usize, Damaged> {
        let prefix = self.prefix();
        let shared = key.len().min(prefix.len());
        match key[..shared].cmp(&prefix[..shared]) {
            Ordering::Less => return Ok(0),
            Ordering::Greater => return Ok(self.count()),
            Ordering::Equal if shared < prefix.len() => return Ok(0),
            Ordering::Equal => {}
        }
        let suffix = &key[shared..];
        let head = head_of(suffix);
        let mut low = self.partition(0, self.count(), |index| self.head(index) < head);
        let mut high = self.partition(low, self.count(), |index| self.head(index) <= head);
        while low < high {
            let middle = low.midpoint(high);
            if self.suffix(middle)? < suffix {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// First index in `low..high` for which `before` is false.
    #[inline]
    fn partition(&self, low: usize, high: usize, before: impl Fn(usize) -> bool) -> usize {
        let (mut base, mut len) = (low, high - low);
        while len > 0 {
            let half = len / 2;
            if before(base + half) {
                base += half + 1;
                len -= half + 1;
            } else {
                len = half;
            }
        }
        base
    }
}
