//! The command table, generated from `commands/*.toml` by `tools/generate_commands.py`.

mod generated;
mod keys;
#[cfg(test)]
mod tests;

pub use generated::{COMMANDS, NAMES, NodeCommand};
pub use keys::KeyUse;

use crate::commands::Handler;

/// Who executes a command.
#[derive(Clone, Copy, Debug)]
pub enum Layer {
    /// The data model.
    Data(Handler),
    /// The node, which knows clients, settings and statistics.
    Node(NodeCommand),
}

/// Keys among the arguments: `index`, then every `step` up to `last`.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// How the command uses the keys.
    pub flags: &'static [&'static str],
    /// What a reader should know.
    pub notes: Option<&'static str>,
    /// Argument of the first key.
    pub index: usize,
    /// Last key relative to the first; negative: from the end of the arguments (-1 = the last one).
    pub last: i64,
    /// Distance of neighbouring keys.
    pub step: usize,
    /// Divisor of the number of remaining arguments; 0 = none.
    pub limit: i64,
    /// The number of keys is an argument itself; then `last` and `limit` mean nothing.
    pub counted: Option<Counted>,
    /// A word that stands in front of the keys; then they begin behind it, and `index` is where to
    /// look for it first.
    pub keyword: Option<&'static str>,
}

/// Keys behind an argument that says how many they are; places relative to [`KeySpec::index`].
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// Where the number is.
    pub count_at: usize,
    /// Where the first key is.
    pub first: usize,
}

/// A documented argument.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Name.
    pub name: &'static str,
    /// Type as COMMAND DOCS names it.
    pub kind: &'static str,
    /// Literal word in front of the value.
    pub token: Option<&'static str>,
    /// Version of Redis that added it.
    pub since: Option<&'static str>,
    /// `optional`, `multiple`, …
    pub flags: &'static [&'static str],
    /// Key specification it belongs to.
    pub key_spec_index: Option<i64>,
    /// Alternatives or parts.
    pub arguments: &'static [Argument],
}

/// A command or subcommand.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Place in [`COMMANDS`]; subcommands have their container's.
    pub index: usize,
    /// Place among all commands and subcommands, below [`NAMES`].
    pub id: usize,
    /// Lower case name; of a subcommand `container|name`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Version of Redis that added it.
    pub since: &'static str,
    /// Family.
    pub group: &'static str,
    /// Cost.
    pub complexity: Option<&'static str>,
    /// Version of Redis that deprecated it.
    pub deprecated_since: Option<&'static str>,
    /// What to use instead.
    pub replaced_by: Option<&'static str>,
    /// Number of arguments with the name; negative: at least.
    pub arity: i64,
    /// Flags as COMMAND INFO names them.
    pub flags: &'static [&'static str],
    /// Access categories without `@`.
    pub acl: &'static [&'static str],
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// First key, last key, step.
    pub legacy_keys: (i64, i64, i64),
    /// Where the keys are.
    pub keys: &'static [KeySpec],
    /// Documented arguments.
    pub arguments: &'static [Argument],
    /// Subcommands.
    pub subcommands: &'static [Command],
    /// Who executes it.
    pub layer: Layer,
    /// Whether it may take long and so never runs on a reactor.
    pub aside: bool,
    /// Whether it changes data.
    pub writes: bool,
}

impl Command {
    /// Whether `arguments` words, the name among them, are enough and not too many.
    #[inline]
    pub fn accepts(&self, arguments: usize) -> bool {
        let arguments = arguments as i64;
        if self.arity >= 0 { arguments == self.arity } else { arguments >= -self.arity }
    }

    /// The subcommand of a name in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Command> {
        self.subcommands.iter().find(|sub| sub.short_name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name without its container.
    pub fn short_name(&self) -> &'static str {
        self.name.split_once('|').map_or(self.name, |(_, name)| name)
    }
}

/// Longest name that is found as a number.
const NAME_BYTES_MAX: usize = 16;

/// The command of a name in any case.
///
/// The name becomes one 128-bit number in lower case, found by comparisons of integers.
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    if name.len() > NAME_BYTES_MAX {
        return lookup_long(name);
    }
    let mut bytes = [0u8; NAME_BYTES_MAX];
    bytes[..name.len()].copy_from_slice(name);
    bytes.make_ascii_lowercase();
    let command = generated::find(u128::from_le_bytes(bytes)).map(|index| &COMMANDS[index])?;
    (command.name.len() == name.len()).then_some(command)
}

/// The few names that are too long for a number.
#[cold]
fn lookup_long(name: &[u8]) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
}
