//! Finding a key in a block: by hash tag for point lookups, by head for seeks.

use std::cmp::Ordering;

use super::{Block, Damaged, chunk, head_of, tag_of};

/// Most heads that are counted through rather than halved.
const HEADS_COUNTED: usize = 64;

impl Block<'_> {
    #[inline]
    fn head(&self, index: usize) -> u32 {
        self.layout.head(self.bytes, index).0
    }

    /// Index of the entry whose key is `key`, which has hash `hash`.
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> Result<Option<usize>, Damaged> {
        let Some(suffix) = key.strip_prefix(self.prefix()) else { return Ok(None) };
        let head = head_of(suffix);
        let Some(tail) = suffix.get(self.layout.head_len..) else { return Ok(None) };
        let tag = tag_of(hash);
        let tags = self.tags();
        let mut from = 0;
        while let Some(step) = memchr::memchr(tag, &tags[from..]) {
            let index = from + step;
            if self.head(index) == head && self.tail(index)? == tail {
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
        let low = self.first_head(|at| at < head);
        if low == self.count() || self.head(low) != head {
            return Ok(low);
        }
        let high = self.first_head(|at| at <= head);
        self.seek_among_equal(low, high, suffix.get(self.layout.head_len..).unwrap_or_default())
    }

    /// First entry in `low..high`, which share their head, whose tail is not before `tail`.
    fn seek_among_equal(
        &self,
        mut low: usize,
        mut high: usize,
        tail: &[u8],
    ) -> Result<usize, Damaged> {
        while low < high {
            let middle = low.midpoint(high);
            if self.tail(middle)? < tail {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// First entry for whose head `is_before` is false; it is true up to some entry.
    ///
    /// Halves only large blocks and counts the rest, without a branch to mispredict.
    #[inline]
    fn first_head(&self, is_before: impl Fn(u32) -> bool) -> usize {
        let (mut start, mut len) = (0, self.count());
        while len > HEADS_COUNTED {
            let half = len / 2;
            if is_before(self.head(start + half)) {
                start += half + 1;
                len -= half + 1;
            } else {
                len = half;
            }
        }
        let at = self.layout.heads_at + start * 4;
        let heads = self.bytes[at..at + len * 4].chunks_exact(4);
        start
            + heads
                .map(|head| usize::from(is_before(u32::from_le_bytes(chunk(head, 0)))))
                .sum::<usize>()
    }
}
