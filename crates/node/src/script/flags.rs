//! What a script or a function declares about itself.

/// The words, in the order in which FUNCTION LIST tells them.
const NAMES: [&str; 5] =
    ["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"];

/// A set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    /// Adds the flag of a name; whether there is one.
    pub(super) fn add(&mut self, name: &[u8]) -> bool {
        let place = NAMES.iter().position(|known| known.as_bytes() == name);
        if let Some(place) = place {
            self.0 |= 1 << place;
        }
        place.is_some()
    }

    /// Whether writes are forbidden.
    pub(super) fn forbid_writes(self) -> bool {
        self.0 & 1 != 0
    }

    /// The names of the flags.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().enumerate().filter(move |(place, _)| self.0 & 1 << place != 0).map(|(_, n)| *n)
    }
}
