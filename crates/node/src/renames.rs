//! Commands under other names, or none: `rename_commands` of the settings.

use std::collections::HashMap;

use aidb_base::{Error, Result};
use aidb_redis::table::{COMMANDS, Command, lookup};

/// The names under which clients and scripts call commands.
#[derive(Default)]
pub(crate) struct Renames {
    names: HashMap<Vec<u8>, &'static Command>,
    /// Places in the table of commands that lost their name.
    hidden: Vec<usize>,
}

impl Renames {
    /// From pairs of old and new name; an empty new name takes the command away.
    ///
    /// # Errors
    /// `Invalid` when there is no such command, or the new name is taken.
    pub(crate) fn new(pairs: &[(String, String)]) -> Result<Self> {
        let mut renames = Self::default();
        for (old, new) in pairs {
            let command = lookup(old.as_bytes()).ok_or_else(|| {
                Error::invalid(format!("rename_commands: there is no command {old:?}"))
            })?;
            if !renames.hidden.contains(&command.index) {
                renames.hidden.push(command.index);
            }
            if new.is_empty() {
                continue;
            }
            let name = new.to_ascii_lowercase().into_bytes();
            let is_taken = lookup(&name).is_some_and(|other| !renames.is_hidden(other));
            if is_taken || renames.names.insert(name, command).is_some() {
                return Err(Error::invalid(format!(
                    "rename_commands: {old:?} cannot be called {new:?}, another command is"
                )));
            }
        }
        Ok(renames)
    }

    /// The command of a name in any case.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<&'static Command> {
        if self.hidden.is_empty() {
            return lookup(name);
        }
        self.find_renamed(name)
    }

    #[cold]
    fn find_renamed(&self, name: &[u8]) -> Option<&'static Command> {
        let renamed = self.names.get(&name.to_ascii_lowercase()).copied();
        renamed.or_else(|| lookup(name).filter(|command| !self.is_hidden(command)))
    }

    fn is_hidden(&self, command: &Command) -> bool {
        self.hidden.contains(&COMMANDS[command.index].index)
    }
}

#[cfg(test)]
mod tests;
