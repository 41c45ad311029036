//! Which commands a selector allows.

use std::collections::BTreeMap;

use aidb_redis::resp::Args;
use aidb_redis::table::{COMMANDS, Command, NAMES, lookup};

use super::{CATEGORIES, RuleError};

const WORDS: usize = NAMES.div_ceil(64);

/// A set of commands and subcommands, and the rules that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandSet {
    /// Nothing was ever taken from all commands.
    is_all: bool,
    ids: [u64; WORDS],
    /// Commands that are allowed with one of these words as their first argument only.
    first_words: BTreeMap<usize, Vec<Vec<u8>>>,
    /// What the rules begin with: all commands, or none.
    begins_with_all: bool,
    /// Added or taken, without sign, in the order that gives this set.
    rules: Vec<(bool, String)>,
}

impl CommandSet {
    pub(crate) fn none() -> Self {
        Self {
            is_all: false,
            ids: [0; WORDS],
            first_words: BTreeMap::new(),
            begins_with_all: false,
            rules: Vec::new(),
        }
    }

    pub(crate) fn all() -> Self {
        Self { is_all: true, ids: [u64::MAX; WORDS], begins_with_all: true, ..Self::none() }
    }

    pub(crate) fn is_all(&self) -> bool {
        self.is_all
    }

    /// Whether a command or subcommand may be sent with these arguments.
    pub(crate) fn allows(&self, command: &Command, args: &Args<'_>) -> bool {
        if self.contains(command) || command.flags.contains(&"no_auth") {
            return true;
        }
        let first = args.get(1);
        self.first_words
            .get(&command.id)
            .is_some_and(|words| words.iter().any(|word| word.eq_ignore_ascii_case(first)))
    }

    pub(crate) fn contains(&self, command: &Command) -> bool {
        self.ids[command.id / 64] & (1 << (command.id % 64)) != 0
    }

    /// `+command`, `-command`, `+command|subcommand`, `+command|word`, `+@category`, …
    pub(crate) fn change(&mut self, adds: bool, name: &[u8]) -> Result<(), RuleError> {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        match name.strip_prefix('@') {
            Some("all") if adds => *self = Self::all(),
            Some("all") => *self = Self::none(),
            Some(category) => {
                if !CATEGORIES.contains(&category) {
                    return Err(RuleError::Unknown);
                }
                self.change_category(COMMANDS, category, adds);
                self.note(adds, &name);
            }
            None => self.change_command(adds, &name)?,
        }
        Ok(())
    }

    fn change_command(&mut self, adds: bool, name: &str) -> Result<(), RuleError> {
        match find(name) {
            Some(command) => self.change_one(command, adds),
            None if adds => self.add_first_word(name)?,
            None => return Err(RuleError::Unknown),
        }
        self.note(adds, name);
        Ok(())
    }

    fn change_category(&mut self, commands: &[Command], category: &str, adds: bool) {
        for command in commands {
            if command.acl.contains(&category) {
                self.change_one(command, adds);
            }
            self.change_category(command.subcommands, category, adds);
        }
    }

    /// A command with all its subcommands.
    fn change_one(&mut self, command: &Command, adds: bool) {
        self.is_all &= adds;
        for id in std::iter::once(command.id).chain(command.subcommands.iter().map(|sub| sub.id)) {
            let bit = 1 << (id % 64);
            match adds {
                true => self.ids[id / 64] |= bit,
                false => self.ids[id / 64] &= !bit,
            }
            self.first_words.remove(&id);
        }
    }

    fn add_first_word(&mut self, name: &str) -> Result<(), RuleError> {
        let (command, word) = name.rsplit_once('|').ok_or(RuleError::Unknown)?;
        let found = find(command).ok_or(RuleError::Unknown)?;
        if command.contains('|') {
            return Err(RuleError::WordOfSubcommand);
        }
        if word.is_empty() {
            return Err(RuleError::Syntax);
        }
        if !found.subcommands.is_empty() {
            return Err(RuleError::Unknown);
        }
        let words = self.first_words.entry(found.id).or_default();
        if !words.iter().any(|known| known == word.as_bytes()) {
            words.push(word.as_bytes().to_vec());
        }
        Ok(())
    }

    /// Notes a rule in place of those that it makes void.
    fn note(&mut self, adds: bool, name: &str) {
        self.rules.retain(|(_, known)| {
            let rest = known.strip_prefix(name);
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        });
        self.rules.push((adds, name.to_owned()));
    }

    /// The rules that give this set, such as `-@all +get`.
    pub(crate) fn describe(&self) -> String {
        let mut text = if self.begins_with_all { "+@all" } else { "-@all" }.to_owned();
        for (adds, name) in &self.rules {
            text.push_str(if *adds { " +" } else { " -" });
            text.push_str(name);
        }
        text
    }
}

/// A command or, as `container|name`, a subcommand.
fn find(name: &str) -> Option<&'static Command> {
    match name.split_once('|') {
        None => lookup(name.as_bytes()),
        Some((container, sub)) => lookup(container.as_bytes())?.subcommand(sub.as_bytes()),
    }
}
