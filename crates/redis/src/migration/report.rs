//! What an import did, and what it could not do.

use crate::value::Type;

const KINDS: [Type; 7] =
    [Type::String, Type::List, Type::Set, Type::SortedSet, Type::Hash, Type::Stream, Type::Json];

/// Things that are remembered one by one; beyond they are only counted.
const SHOWN_MAX: usize = 100;

/// Something that has no place in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Logical database; as the source numbers them.
    pub database: u64,
    /// The key; empty for what is none.
    pub key: Vec<u8>,
    /// Why.
    pub why: String,
}

/// Counts of an import.
#[derive(Clone, Debug, Default)]
pub struct Report {
    keys: [u64; 7],
    /// Keys whose time had passed.
    pub expired: u64,
    /// Keys left alone because they were there.
    pub kept: u64,
    /// Libraries of functions.
    pub libraries: u64,
    /// Things that could not be represented.
    pub unfit: u64,
    /// The first of them.
    pub shown: Vec<Unfit>,
    /// Facts that the file states about itself.
    pub facts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Replicated commands applied.
    pub commands: u64,
}

impl Report {
    pub(super) fn count(&mut self, kind: Type) {
        self.keys[kind as usize % self.keys.len()] += 1;
    }

    pub(super) fn refuse(&mut self, database: u64, key: &[u8], why: String) {
        self.unfit += 1;
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(Unfit { database, key: key.to_vec(), why });
        }
    }

    pub(super) fn state(&mut self, name: Vec<u8>, value: Vec<u8>) {
        if self.facts.len() < SHOWN_MAX {
            self.facts.push((name, value));
        }
    }

    /// Keys imported, by the answer of TYPE.
    pub fn keys(&self) -> impl Iterator<Item = (&'static str, u64)> {
        KINDS.into_iter().map(Type::name).zip(self.keys)
    }
}
