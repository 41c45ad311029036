//! Libraries of functions: their texts, kept with the data. Part of the storage format.
//!
//! ```text
//! key "function:NAME" in the system keyspace: the text of the library, its `#!` line included
//! ```

use aidb_base::{KeyspaceId, Result};
use aidb_engine::batch::WriteBatch;
use aidb_engine::db::ScanRange;

use super::{Mode, Store};
use crate::stop::Outcome;

const PREFIX: &[u8] = b"function:";
/// The first key behind those of libraries.
const BEHIND: &[u8] = b"function;";

/// A change of the stored libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibraryChange<'a> {
    /// Stores a text under a name.
    Put {
        /// Name of the library.
        name: &'a [u8],
        /// Its text.
        text: &'a [u8],
    },
    /// Removes the library of a name.
    Remove(&'a [u8]),
}

impl Store {
    /// The texts of all libraries, by name.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn libraries(&self) -> Result<Vec<Vec<u8>>> {
        let range = ScanRange {
            lower: Some(PREFIX.to_vec()),
            upper: Some(BEHIND.to_vec()),
            reverse: false,
        };
        let mut scan = self.db.scan(self.system, range)?;
        let mut texts = Vec::new();
        while let Some((_, text)) = scan.next()? {
            texts.push(text.to_vec());
        }
        Ok(texts)
    }

    /// Applies changes together, durably as any write. May wait. The caller keeps other changes of
    /// libraries out.
    ///
    /// # Errors
    /// As [`Store::put`]; then nothing changed.
    pub fn change_libraries<'a>(
        &self,
        changes: impl Iterator<Item = LibraryChange<'a>>,
    ) -> Outcome {
        let mut batch = WriteBatch::new();
        for change in changes {
            add(&mut batch, self.system, change)?;
        }
        self.commit(Mode::Wait, &batch)
    }
}

fn add(batch: &mut WriteBatch, system: KeyspaceId, change: LibraryChange<'_>) -> Result<()> {
    match change {
        LibraryChange::Put { name, text } => batch.put(system, &[PREFIX, name].concat(), text, 0),
        LibraryChange::Remove(name) => batch.delete(system, &[PREFIX, name].concat()),
    }
}
