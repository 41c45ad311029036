//! The visible view: of every key the newest version a reader may see, and nothing that is deleted,
//! covered by a range tombstone or expired.

use std::ops::ControlFlow;
use std::sync::Arc;

use aidb_base::{Result, Seq};

use super::{AnyCursor, Bounds, Cursor, MergeCursor, Ran, compare_keys, same_key};
use crate::entry::{Entry, Kind};
use crate::range_tombstone::{Cover, RangeTombstones};

const SAVED_VALUE_BYTES_KEPT: usize = 1 << 20;

/// Where the cursor is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At no entry.
    None,
    /// At the merge's entry: the newest visible version of its key.
    Merge,
    /// At the saved entry; the merge stands before every version of its key. Used going backward,
    /// where versions come oldest first and the newest is known only when the key is passed.
    Saved,
    /// Going forward, at the merge's entry, which was visited: its versions are yet to be passed.
    Passed,
    /// Going forward, at the merge's entry, which was not looked at; its key is a new one.
    Unseen,
    /// Going forward after a failure: the merge stands nowhere; every key up to the saved one is
    /// done with.
    Behind,
    /// As `Behind`, but for the saved key itself.
    Before,
}

/// A cursor over visible entries within bounds.
///
/// A `Blob` entry's value is the encoded reference; the caller resolves it.
pub struct ViewCursor<C = AnyCursor> {
    merge: MergeCursor<C>,
    hidden: Hidden,
    bounds: Bounds,
    place: Place,
    saved: Saved,
}

/// What hides entries.
struct Hidden {
    tombstones: Vec<Arc<RangeTombstones>>,
    max_seq: Seq,
    now_ms: u64,
    cover: KnownCover,
}

/// How the range tombstones cover the keys around the last one asked for.
#[derive(Default)]
struct KnownCover {
    is_known: bool,
    seq: Seq,
    from: Vec<u8>,
    /// Empty = no end.
    until: Vec<u8>,
}

/// A copied entry.
struct Saved {
    key: Vec<u8>,
    value: Vec<u8>,
    seq: Seq,
    kind: Kind,
    expire_at_ms: u64,
}

impl Hidden {
    #[inline]
    fn hides(&mut self, entry: &Entry<'_>) -> bool {
        entry.kind == Kind::Delete
            || entry.is_expired(self.now_ms)
            || (!self.tombstones.is_empty() && self.covers(entry))
    }

    fn covers(&mut self, entry: &Entry<'_>) -> bool {
        if !self.cover.holds_for(entry.key) {
            let covers = self.tombstones.iter().map(|set| set.cover(entry.key, self.max_seq));
            self.cover.learn(&covers.fold(Cover::NOTHING, Cover::and));
        }
        self.cover.seq > entry.seq
    }
}

impl KnownCover {
    #[inline]
    fn holds_for(&self, key: &[u8]) -> bool {
        self.is_known
            && compare_keys(key, &self.from).is_ge()
            && (self.until.is_empty() || compare_keys(key, &self.until).is_lt())
    }

    fn learn(&mut self, cover: &Cover<'_>) {
        (self.is_known, self.seq) = (true, cover.seq);
        self.from.clear();
        self.from.extend_from_slice(cover.from);
        self.until.clear();
        self.until.extend_from_slice(cover.until.unwrap_or_default());
    }
}

impl<C: Cursor> ViewCursor<C> {
    /// A view of `merge` as a reader at `max_seq` and `now_ms` sees it. The cursor is at no entry.
    pub fn new(
        merge: MergeCursor<C>,
        tombstones: Vec<Arc<RangeTombstones>>,
        max_seq: Seq,
        now_ms: u64,
        bounds: Bounds,
    ) -> Self {
        let tombstones = tombstones.into_iter().filter(|set| !set.is_empty()).collect();
        let saved = Saved {
            key: Vec::new(),
            value: Vec::new(),
            seq: 0,
            kind: Kind::Delete,
            expire_at_ms: 0,
        };
        let hidden = Hidden { tombstones, max_seq, now_ms, cover: KnownCover::default() };
        Self { merge, hidden, bounds, place: Place::None, saved }
    }

    /// Moves to the first visible entry.
    pub fn seek_to_first(&mut self) -> Result<()> {
        self.seek(b"")
    }

    /// Moves to the last visible entry.
    pub fn seek_to_last(&mut self) -> Result<()> {
        self.place = Place::None;
        match &self.bounds.upper {
            Some(upper) => self.merge.seek_before(upper)?,
            None => self.merge.seek_to_last()?,
        }
        self.settle_backward()
    }

    /// Moves to the first visible entry at or after `key`.
    pub fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.place = Place::None;
        let from = self.bounds.lower.as_deref().map_or(key, |lower| lower.max(key));
        if from.is_empty() {
            self.merge.seek_to_first()?
        } else {
            self.merge.seek(from)?
        }
        self.settle_forward(false)
    }

    /// Moves to the last visible entry before `key`.
    pub fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        self.place = Place::None;
        let until = self.bounds.upper.as_deref().map_or(key, |upper| upper.min(key));
        self.merge.seek_before(until)?;
        self.settle_backward()
    }

    /// Moves to the following visible entry; past the last one the cursor is at no entry. After an
    /// error it may be called again and goes on where it failed.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<()> {
        match self.place {
            Place::None => return Ok(()),
            Place::Merge | Place::Passed => {
                self.save_key();
                self.place = Place::Behind;
                self.merge.next()?;
            }
            Place::Saved | Place::Behind => {
                self.place = Place::Behind;
                self.merge.seek(&self.saved.key)?;
            }
            Place::Before => {
                self.merge.seek(&self.saved.key)?;
                return self.settle_forward(false);
            }
            Place::Unseen => return self.settle_forward(false),
        }
        self.settle_forward(true)
    }

    /// Gives the visible entries behind the cursor's to `visit`, in order: as many as come cheaply,
    /// maybe none. The cursor ends at the entry at which `visit` broke off, else at no entry, where
    /// only [`ViewCursor::next`] and seeks make sense.
    #[inline]
    pub fn run<F>(&mut self, visit: &mut F) -> Result<()>
    where
        F: FnMut(Entry<'_>) -> ControlFlow<()>,
    {
        if self.place != Place::Merge {
            return Ok(());
        }
        loop {
            let Self { merge, hidden, bounds, .. } = self;
            self.place = Place::None;
            let mut end = Place::Passed;
            let ran = merge.run(bounds.upper.as_deref(), &mut |entry| {
                if entry.seq > hidden.max_seq {
                    end = Place::Unseen;
                    return ControlFlow::Break(());
                }
                if hidden.hides(&entry) {
                    return ControlFlow::Continue(());
                }
                let flow = visit(entry);
                if flow.is_break() {
                    end = Place::Merge;
                }
                flow
            })?;
            if ran == Ran::Stayed || end != Place::Passed {
                self.place = end;
                return Ok(());
            }
            self.place = Place::Unseen;
            let Some(entry) = self.merge.entry() else { return Ok(()) };
            if self.is_past_upper(entry.key)
                || entry.seq > self.hidden.max_seq
                || self.hidden.hides(&entry)
            {
                return Ok(());
            }
            self.place = Place::Merge;
            if visit(entry).is_break() {
                return Ok(());
            }
        }
    }

    /// Moves to the preceding visible entry; before the first one the cursor is at no entry.
    #[inline]
    pub fn prev(&mut self) -> Result<()> {
        match self.place {
            Place::None | Place::Passed | Place::Unseen | Place::Behind | Place::Before => {
                self.place = Place::None;
                return Ok(());
            }
            Place::Merge => {
                self.save_key();
                self.place = Place::None;
                while self
                    .merge
                    .key_and_seq()
                    .is_some_and(|(key, _)| same_key(key, &self.saved.key))
                {
                    self.merge.prev()?;
                }
            }
            Place::Saved => self.place = Place::None,
        }
        self.settle_backward()
    }

    /// The entry at the cursor, valid until the next move.
    #[inline]
    pub fn entry(&self) -> Option<Entry<'_>> {
        match self.place {
            Place::Merge => self.merge.entry(),
            Place::Saved => Some(self.saved.entry()),
            _ => None,
        }
    }

    /// Key of the entry at the cursor.
    #[inline]
    pub fn key(&self) -> Option<&[u8]> {
        self.entry().map(|entry| entry.key)
    }

    /// Value of the entry at the cursor; an encoded reference when its kind is `Blob`.
    #[inline]
    pub fn value(&self) -> Option<&[u8]> {
        self.entry().map(|entry| entry.value)
    }

    fn save_key(&mut self) {
        if let Some((key, _)) = self.merge.key_and_seq() {
            self.saved.key.clear();
            self.saved.key.extend_from_slice(key);
        }
    }

    #[inline]
    fn is_past_upper(&self, key: &[u8]) -> bool {
        self.bounds.upper.as_deref().is_some_and(|upper| compare_keys(key, upper).is_ge())
    }

    /// Goes on from the merge's entry to the first visible one; past the saved key if `skip`.
    #[inline]
    fn settle_forward(&mut self, mut skip: bool) -> Result<()> {
        while let Some(entry) = self.merge.entry() {
            if skip && same_key(entry.key, &self.saved.key) {
                self.merge.next()?;
                continue;
            }
            if self.is_past_upper(entry.key) {
                break;
            }
            skip = entry.seq <= self.hidden.max_seq;
            if skip && !self.hidden.hides(&entry) {
                self.place = Place::Merge;
                return Ok(());
            }
            self.saved.key.clear();
            self.saved.key.extend_from_slice(entry.key);
            self.place = if skip { Place::Behind } else { Place::Before };
            self.merge.next()?;
        }
        self.place = Place::None;
        Ok(())
    }

    /// Goes on from the merge's entry to the first key, backward, with a visible version; saves it.
    fn settle_backward(&mut self) -> Result<()> {
        loop {
            let Some(entry) = self.merge.entry() else { return Ok(()) };
            if self
                .bounds
                .lower
                .as_deref()
                .is_some_and(|lower| compare_keys(entry.key, lower).is_lt())
            {
                return Ok(());
            }
            self.saved.key.clear();
            self.saved.key.extend_from_slice(entry.key);
            let mut visible = false;
            while let Some(entry) = self.merge.entry() {
                if entry.seq <= self.hidden.max_seq {
                    visible = !self.hidden.hides(&entry);
                    if visible {
                        self.saved.copy_all_but_key(&entry);
                    }
                }
                self.merge.prev()?;
                if !self.merge.key_and_seq().is_some_and(|(key, _)| same_key(key, &self.saved.key))
                {
                    break;
                }
            }
            if visible {
                self.place = Place::Saved;
                return Ok(());
            }
        }
    }
}

impl Saved {
    fn copy_all_but_key(&mut self, entry: &Entry<'_>) {
        (self.seq, self.kind, self.expire_at_ms) = (entry.seq, entry.kind, entry.expire_at_ms);
        if self.value.capacity() > SAVED_VALUE_BYTES_KEPT {
            self.value = Vec::new();
        }
        self.value.clear();
        self.value.extend_from_slice(entry.value);
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            key: &self.key,
            seq: self.seq,
            kind: self.kind,
            expire_at_ms: self.expire_at_ms,
            value: &self.value,
        }
    }
}

#[cfg(test)]
mod tests;
