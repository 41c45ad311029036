//! A cursor over one level: the cursor of the table it is in, opened when it gets there.

use std::ops::ControlFlow;
use std::sync::Arc;

use aidb_base::{Result, Seq};

use super::level::Level;
use crate::entry::Entry;
use crate::iterator::{Cursor, Patience, Ran};
use crate::table::TableCursor;

/// Visits the entries of all tables of a level in order.
pub struct LevelCursor {
    level: Arc<Level>,
    fill_cache: bool,
    patience: Option<Arc<Patience>>,
    /// Table that `cursor` is in.
    index: usize,
    cursor: Option<TableCursor>,
}

impl LevelCursor {
    /// A cursor over `level`; `fill_cache` says whether blocks it reads stay in the cache.
    pub fn new(level: Arc<Level>, fill_cache: bool) -> Self {
        Self { level, fill_cache, patience: None, index: 0, cursor: None }
    }

    /// Has `patience` say whether the cursor may wait for the disk.
    pub(crate) fn set_patience(&mut self, patience: &Arc<Patience>) {
        self.patience = Some(patience.clone());
    }

    /// Opens table `index`; past the last one the cursor is at no entry.
    fn enter(&mut self, index: usize) -> Option<&mut TableCursor> {
        let table = self.level.tables().get(index);
        if self.cursor.is_none() || self.index != index || table.is_none() {
            self.cursor = table.map(|table| table.table().cursor(self.fill_cache));
            self.index = index;
            if let (Some(cursor), Some(patience)) = (&mut self.cursor, &self.patience) {
                cursor.set_patience(patience);
            }
        }
        self.cursor.as_mut()
    }

    /// Moves on while the table is at its end.
    fn skip_forward(&mut self) -> Result<()> {
        while self.cursor.as_ref().is_some_and(|cursor| cursor.entry().is_none()) {
            if let Some(cursor) = self.enter(self.index + 1) {
                cursor.seek_to_first()?;
            }
        }
        Ok(())
    }

    /// Moves back while the table is at its end.
    fn skip_backward(&mut self) -> Result<()> {
        while self.cursor.as_ref().is_some_and(|cursor| cursor.entry().is_none()) {
            match self.index.checked_sub(1) {
                Some(index) => {
                    if let Some(cursor) = self.enter(index) {
                        cursor.seek_to_last()?;
                    }
                }
                None => self.cursor = None,
            }
        }
        Ok(())
    }

    /// After an error the cursor is at no entry.
    fn finish(&mut self, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.cursor = None;
        }
        result
    }

    fn seek_table(
        &mut self,
        index: usize,
        seek: impl FnOnce(&mut TableCursor) -> Result<()>,
    ) -> Result<()> {
        match self.enter(index) {
            Some(cursor) => seek(cursor),
            None => Ok(()),
        }
    }
}

impl Cursor for LevelCursor {
    fn seek_to_first(&mut self) -> Result<()> {
        let result = self.seek_table(0, Cursor::seek_to_first);
        let result = result.and_then(|()| self.skip_forward());
        self.finish(result)
    }

    fn seek_to_last(&mut self) -> Result<()> {
        let last = self.level.tables().len().saturating_sub(1);
        let result = self.seek_table(last, Cursor::seek_to_last);
        let result = result.and_then(|()| self.skip_backward());
        self.finish(result)
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        let result = self.seek_table(self.level.find(key), |cursor| cursor.seek(key));
        let result = result.and_then(|()| self.skip_forward());
        self.finish(result)
    }

    fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        let last = self.level.tables().len().saturating_sub(1);
        let index = self.level.find(key).min(last);
        let result = self.seek_table(index, |cursor| cursor.seek_before(key));
        let result = result.and_then(|()| self.skip_backward());
        self.finish(result)
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        let Some(cursor) = &mut self.cursor else { return Ok(()) };
        let result = cursor.next();
        if result.is_ok() && cursor.key_and_seq().is_some() {
            return Ok(());
        }
        let result = result.and_then(|()| self.skip_forward());
        self.finish(result)
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        let Some(cursor) = &mut self.cursor else { return Ok(()) };
        let result = cursor.prev();
        if result.is_ok() && cursor.key_and_seq().is_some() {
            return Ok(());
        }
        let result = result.and_then(|()| self.skip_backward());
        self.finish(result)
    }

    #[inline]
    fn entry(&self) -> Option<Entry<'_>> {
        self.cursor.as_ref().and_then(Cursor::entry)
    }

    #[inline]
    fn key_and_seq(&self) -> Option<(&[u8], Seq)> {
        self.cursor.as_ref().and_then(Cursor::key_and_seq)
    }

    #[inline]
    fn run<F>(&mut self, until: Option<&[u8]>, visit: &mut F) -> Result<Ran>
    where
        F: FnMut(Entry<'_>) -> ControlFlow<()>,
    {
        match &mut self.cursor {
            Some(cursor) => cursor.run(until, visit),
            None => Ok(Ran::Stayed),
        }
    }
}
