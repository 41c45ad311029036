//! Which keys, or channels, a selector allows.

use aidb_redis::glob;

/// A glob pattern of names and what may be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    text: Box<[u8]>,
    reads: bool,
    writes: bool,
}

/// A set of names: all of them, or those that match a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patterns {
    is_all: bool,
    patterns: Vec<Pattern>,
}

impl Patterns {
    pub(crate) fn all() -> Self {
        Self { is_all: true, patterns: Vec::new() }
    }

    pub(crate) fn is_all(&self) -> bool {
        self.is_all
    }

    /// Adds a pattern; one that is there already gets more rights.
    pub(crate) fn add(&mut self, text: &[u8], reads: bool, writes: bool) {
        match self.patterns.iter_mut().find(|known| *known.text == *text) {
            Some(known) => {
                (known.reads, known.writes) = (known.reads | reads, known.writes | writes)
            }
            None => self.patterns.push(Pattern { text: text.into(), reads, writes }),
        }
    }

    /// Whether a key may be used so.
    pub(crate) fn allows_key(&self, key: &[u8], reads: bool, writes: bool) -> bool {
        self.is_all
            || self.patterns.iter().any(|pattern| {
                pattern.reads >= reads
                    && pattern.writes >= writes
                    && glob::matches(&pattern.text, key, false)
            })
    }

    /// Whether every key may be read.
    pub(crate) fn allows_reading_all(&self) -> bool {
        self.is_all || self.patterns.iter().any(|pattern| pattern.reads && *pattern.text == *b"*")
    }

    /// Whether a channel may be used; a pattern only when it is one of these, letter by letter.
    pub(crate) fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        let fits = |pattern: &Pattern| match is_pattern {
            true => *pattern.text == *name,
            false => glob::matches(&pattern.text, name, false),
        };
        self.is_all || self.patterns.iter().any(fits)
    }

    /// Whether every name of `other` is here, too, as far as the patterns themselves show.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let has = |pattern: &Pattern| self.patterns.iter().any(|own| own.text == pattern.text);
        self.is_all || (!other.is_all && other.patterns.iter().all(has))
    }

    /// As rules, separated by blanks: `~a %R~b` of keys, `&a` of channels.
    pub(crate) fn describe(&self, sign: u8) -> Vec<u8> {
        if self.is_all {
            return vec![sign, b'*'];
        }
        let rules = self.patterns.iter().map(|pattern| {
            let rights: &[u8] = match (pattern.reads, pattern.writes) {
                (true, false) => b"%R",
                (false, true) => b"%W",
                _ => b"",
            };
            [rights, &[sign], &pattern.text].concat()
        });
        rules.collect::<Vec<_>>().join(&b' ')
    }
}
