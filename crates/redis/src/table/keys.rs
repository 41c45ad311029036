//! Which arguments of a command are keys, and what the command does with them.

use super::{Command, KeySpec};
use crate::number::parse_integer;
use crate::resp::Args;

/// One key of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Which argument it is.
    pub place: usize,
    /// How the command uses it, as COMMAND GETKEYSANDFLAGS names it.
    pub flags: &'static [&'static str],
}

impl KeyUse {
    /// Whether what the key holds is given away.
    pub fn reads(&self) -> bool {
        self.flags.contains(&"access")
    }

    /// Whether what the key holds changes.
    pub fn writes(&self) -> bool {
        self.flags.iter().any(|flag| matches!(*flag, "insert" | "update" | "delete"))
    }
}

const OVERWRITES: &[&str] = &["OW", "update"];
const READS: &[&str] = &["RO", "access"];
const READS_AND_WRITES: &[&str] = &["RW", "access", "update"];

impl Command {
    /// Places of the keys in `args`, and of names that only share the slot of a key; `None` when the
    /// arguments do not fit.
    pub fn key_places(&self, args: &Args<'_>) -> Option<Vec<usize>> {
        let mut places = Vec::new();
        for spec in self.keys {
            places.extend(self.places(spec, args)?);
        }
        Some(places)
    }

    /// The keys in `args` with their uses; `None` when the arguments do not fit.
    pub fn key_uses(&self, args: &Args<'_>) -> Option<Vec<KeyUse>> {
        let mut uses = Vec::new();
        for spec in self.keys.iter().filter(|spec| !spec.flags.contains(&"not_key")) {
            let flags = self.flags_of_call(spec, args);
            uses.extend(self.places(spec, args)?.into_iter().map(|place| KeyUse { place, flags }));
        }
        Some(uses)
    }

    /// The keys of one specification.
    fn places(&self, spec: &KeySpec, args: &Args<'_>) -> Option<Vec<usize>> {
        match (self.name, spec.keyword) {
            ("sort", Some(_)) => Some(sort_options(args).filter_map(SortOption::stored).last())
                .map(|last| last.into_iter().collect()),
            _ => spec.places(args),
        }
    }

    /// Whether it names keys at all.
    pub fn has_keys(&self) -> bool {
        self.keys.iter().any(|spec| !spec.flags.contains(&"not_key"))
    }

    /// The flags of a specification; options of the call decide when it says so.
    fn flags_of_call(&self, spec: &KeySpec, args: &Args<'_>) -> &'static [&'static str] {
        if !spec.flags.contains(&"variable_flags") {
            return spec.flags;
        }
        match self.name {
            "set" if args.from(3).any(gives_away) => READS_AND_WRITES,
            "set" => OVERWRITES,
            "bitfield" if only_gets(args) => READS,
            _ => READS_AND_WRITES,
        }
    }
}

/// Whether an option of SET tells something of the value that was there.
fn gives_away(word: &[u8]) -> bool {
    ["get", "ifeq", "ifne", "ifdeq", "ifdne"]
        .iter()
        .any(|option| word.eq_ignore_ascii_case(option.as_bytes()))
}

/// An option of SORT that names keys; of STORE the place of its argument.
#[derive(Clone, Copy)]
enum SortOption {
    Store(usize),
    Pattern,
}

impl SortOption {
    fn stored(self) -> Option<usize> {
        if let Self::Store(place) = self { Some(place) } else { None }
    }
}

/// The options of SORT as it reads them: a word behind BY is no option.
fn sort_options<'a>(args: &'a Args<'_>) -> impl Iterator<Item = SortOption> + 'a {
    let mut at = 2;
    std::iter::from_fn(move || {
        while at + 1 < args.len() {
            let (word, place) = (args.get(at), at + 1);
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let option = match () {
                () if is("store") => Some(SortOption::Store(place)),
                () if is("by") || is("get") => Some(SortOption::Pattern),
                () => None,
            };
            at += if is("limit") { 3 } else { 1 + usize::from(option.is_some()) };
            if option.is_some() {
                return option;
            }
        }
        None
    })
}

/// Whether every operation of a BITFIELD is a GET.
fn only_gets(args: &Args<'_>) -> bool {
    let mut at = 2;
    while at < args.len() {
        if !args.get(at).eq_ignore_ascii_case(b"get") {
            return false;
        }
        at += 3;
    }
    true
}

impl KeySpec {
    /// Places of the keys; `None` when the arguments do not fit.
    fn places(&self, args: &Args<'_>) -> Option<Vec<usize>> {
        match self.keyword {
            Some(word) if self.last == 0 => return Some(self.optional_places(word, args)),
            Some(word) if self.find(word, args).is_none() => return Some(Vec::new()),
            _ => {}
        }
        let (first, last) = self.first_and_last(args)?;
        (last < args.len()).then(|| (first..=last).step_by(self.step.max(1)).collect())
    }

    /// Every argument behind a word that makes the next one a key.
    ///
    /// The word may stand where another option takes it for a value; then one key too many is named.
    /// Nobody gets at a key that is not named.
    fn optional_places(&self, word: &str, args: &Args<'_>) -> Vec<usize> {
        let behind = self.index + 1..args.len();
        behind.filter(|at| args.get(at - 1).eq_ignore_ascii_case(word.as_bytes())).collect()
    }

    /// Places of the first and the last key; the last may be behind the arguments.
    fn first_and_last(&self, args: &Args<'_>) -> Option<(usize, usize)> {
        let index = match self.keyword {
            None => self.index,
            Some(word) => 1 + self.find(word, args)?,
        };
        let Some(counted) = self.counted else {
            let last = match self.last {
                last if last >= 0 => index + last as usize,
                last => args.len().checked_add_signed(last as isize)?,
            };
            // The keys are the first of several equal parts.
            if self.limit > 1 {
                let keys = (last + 1).checked_sub(index)? / self.limit as usize;
                return Some((index, (index + keys).checked_sub(1).filter(|last| *last >= index)?));
            }
            return Some((index, last));
        };
        let count = parse_integer(args.get(index + counted.count_at))?;
        let others = usize::try_from(count.checked_sub(1)?).ok()?;
        let first = index + counted.first;
        Some((first, first.checked_add(others.checked_mul(self.step.max(1))?)?))
    }

    fn find(&self, word: &str, args: &Args<'_>) -> Option<usize> {
        (self.index..args.len()).find(|at| args.get(*at).eq_ignore_ascii_case(word.as_bytes()))
    }
}
