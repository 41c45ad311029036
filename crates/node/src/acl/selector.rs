//! One set of commands, keys and channels; and whether it allows a call.

use aidb_redis::resp::Args;
use aidb_redis::table::Command;

use super::Patterns;
use super::commands::CommandSet;

/// What a user may do, or one of several such sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) commands: CommandSet,
    pub(crate) keys: Patterns,
    pub(crate) channels: Patterns,
}

/// What was not allowed; in the order in which it matters when several selectors refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Denied {
    /// The command.
    Command,
    /// A key among its arguments.
    Key,
    /// A channel among its arguments.
    Channel,
}

/// Why a call is not allowed: what, and which argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Denial {
    pub(crate) what: Denied,
    pub(crate) place: usize,
}

impl Selector {
    /// Allows nothing, but perhaps every channel.
    pub(crate) fn nothing(opens_channels: bool) -> Self {
        let channels = if opens_channels { Patterns::all() } else { Patterns::default() };
        Self { commands: CommandSet::none(), keys: Patterns::default(), channels }
    }

    /// Allows everything.
    pub(crate) fn everything() -> Self {
        let (keys, channels) = (Patterns::all(), Patterns::all());
        Self { commands: CommandSet::all(), keys, channels }
    }

    pub(crate) fn allows_everything(&self) -> bool {
        self.commands.is_all() && self.keys.is_all() && self.channels.is_all()
    }

    /// Whether a call is allowed: the command, all its keys and all its channels.
    pub(crate) fn check(&self, command: &Command, args: &Args<'_>) -> Result<(), Denial> {
        if !self.commands.allows(command, args) {
            return Err(Denial { what: Denied::Command, place: 0 });
        }
        if !self.keys.is_all() && command.has_keys() {
            // Arguments that do not fit name no keys: the command refuses them.
            for used in command.key_uses(args).unwrap_or_default() {
                let key = args.get(used.place);
                if !self.keys.allows_key(key, used.reads(), used.writes()) {
                    return Err(Denial { what: Denied::Key, place: used.place });
                }
            }
        }
        if !self.keys.allows_reading_all() {
            if let Some(place) = pattern_of_sort(command, args) {
                return Err(Denial { what: Denied::Key, place });
            }
        }
        if !self.channels.is_all() {
            let (places, is_pattern) = channels_of(command, args);
            for place in places {
                if !self.channels.allows_channel(args.get(place), is_pattern) {
                    return Err(Denial { what: Denied::Channel, place });
                }
            }
        }
        Ok(())
    }
}

/// The first pattern of SORT that stands for keys which its arguments do not name.
fn pattern_of_sort(command: &Command, args: &Args<'_>) -> Option<usize> {
    if !matches!(command.name, "sort" | "sort_ro") {
        return None;
    }
    (3..args.len()).find(|at| {
        let (word, pattern) = (args.get(at - 1), args.get(*at));
        (word.eq_ignore_ascii_case(b"by") && pattern.contains(&b'*'))
            || (word.eq_ignore_ascii_case(b"get") && pattern != b"#")
    })
}

/// Which arguments are channels to speak or listen on, and whether they are patterns.
fn channels_of(command: &Command, args: &Args<'_>) -> (std::ops::Range<usize>, bool) {
    match command.name {
        "publish" | "spublish" => (1..2, false),
        "subscribe" | "ssubscribe" => (1..args.len(), false),
        "psubscribe" => (1..args.len(), true),
        _ => (0..0, false),
    }
}
