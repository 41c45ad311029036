//! Classes of events, and their letters in the setting `notify-keyspace-events`.

/// A class of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Class {
    /// `g`: commands on keys of any type.
    Generic = 1 << 2,
    /// `$`
    String = 1 << 3,
    /// `l`
    List = 1 << 4,
    /// `s`
    Set = 1 << 5,
    /// `h`
    Hash = 1 << 6,
    /// `z`
    SortedSet = 1 << 7,
    /// `x`: a key's time has come.
    Expired = 1 << 8,
    /// `e`: a key was evicted.
    Evicted = 1 << 9,
    /// `t`
    Stream = 1 << 10,
    /// `d`: types that Redis has as modules.
    Module = 1 << 11,
    /// `m`: somebody read a key that is not there.
    Miss = 1 << 12,
    /// `n`: a key came to be.
    New = 1 << 13,
}

/// `K`: events go to `__keyspace@DATABASE__:KEY`.
const BY_KEY: u16 = 1;
/// `E`: events go to `__keyevent@DATABASE__:NAME`.
const BY_NAME: u16 = 2;

/// Classes that `A` stands for, in the order in which they are shown.
const ALL: [(char, Class); 10] = [
    ('g', Class::Generic),
    ('$', Class::String),
    ('l', Class::List),
    ('s', Class::Set),
    ('h', Class::Hash),
    ('z', Class::SortedSet),
    ('x', Class::Expired),
    ('e', Class::Evicted),
    ('t', Class::Stream),
    ('d', Class::Module),
];
const NEW: char = 'n';
const MISS: char = 'm';

/// A set of classes and where their events go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes(u16);

impl Classes {
    pub(super) fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> u16 {
        self.0
    }

    /// Parses the setting; `None` when a letter means nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bits = 0;
        for letter in text.chars() {
            bits |= match letter {
                'A' => ALL.iter().fold(0, |bits, (_, class)| bits | *class as u16),
                'K' => BY_KEY,
                'E' => BY_NAME,
                NEW => Class::New as u16,
                MISS => Class::Miss as u16,
                _ => ALL.iter().find(|(known, _)| *known == letter)?.1 as u16,
            };
        }
        Some(Self(bits))
    }

    /// The setting's text, in Redis's order.
    pub fn text(self) -> String {
        let has = |class: Class| self.0 & class as u16 != 0;
        let mut text = String::new();
        if ALL.iter().all(|(_, class)| has(*class)) {
            text.push('A');
        } else {
            text.extend(ALL.iter().filter(|(_, class)| has(*class)).map(|(letter, _)| letter));
            text.extend(has(Class::New).then_some(NEW));
        }
        text.extend(self.by_key().then_some('K'));
        text.extend(self.by_name().then_some('E'));
        text.extend(has(Class::Miss).then_some(MISS));
        text
    }

    /// Whether events go to the channel of their key.
    pub fn by_key(self) -> bool {
        self.0 & BY_KEY != 0
    }

    /// Whether events go to the channel of their name.
    pub fn by_name(self) -> bool {
        self.0 & BY_NAME != 0
    }
}
