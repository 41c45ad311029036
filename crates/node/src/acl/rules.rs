//! The language of ACL SETUSER.

use super::patterns::Patterns;
use super::user::Secret;
use super::{Selector, User};
use crate::acl::commands::CommandSet;

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleError {
    Unknown,
    Syntax,
    KeyBehindAll,
    ChannelBehindAll,
    NoSuchPassword,
    NotADigest,
    WordOfSubcommand,
    /// A selector begins and does not end.
    Unmatched,
}

impl RuleError {
    /// In Redis's words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown command or category name in ACL",
            Self::Syntax => "Syntax error",
            Self::KeyBehindAll => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does \
                 not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Self::ChannelBehindAll => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and \
                 does not have any effect. Try 'resetchannels' to start with an empty list of \
                 channels"
            }
            Self::NoSuchPassword => {
                "The password you are trying to remove from the user does not exist"
            }
            Self::NotADigest => {
                "The password hash must be exactly 64 characters and contain only lowercase \
                 hexadecimal characters"
            }
            Self::WordOfSubcommand => "Allowing first-arg of a subcommand is not supported",
            Self::Unmatched => "Unmatched parenthesis in acl selector",
        }
    }
}

/// Joins the arguments of a selector that was sent in pieces, `(+get`, `~k)`, into one.
///
/// # Errors
/// The argument with the parenthesis that nobody closes.
pub(crate) fn merge_selectors<'a>(
    arguments: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Vec<u8>>, Vec<u8>> {
    let mut merged = Vec::new();
    let mut open: Option<(Vec<u8>, &[u8])> = None;
    for argument in arguments {
        let (mut text, start) = match open.take() {
            Some((text, start)) => ([&text, b" ".as_slice(), argument].concat(), start),
            None if argument.starts_with(b"(") => (argument.to_vec(), argument),
            None => {
                merged.push(argument.to_vec());
                continue;
            }
        };
        match argument.ends_with(b")") {
            true => merged.push(std::mem::take(&mut text)),
            false => open = Some((text, start)),
        }
    }
    match open {
        Some((_, start)) => Err(start.to_vec()),
        None => Ok(merged),
    }
}

impl User {
    /// Changes the user by one rule; new selectors get every channel when `opens_channels`.
    pub(super) fn apply(&mut self, rule: &[u8], opens_channels: bool) -> Result<(), RuleError> {
        let word = String::from_utf8_lossy(rule).to_ascii_lowercase();
        match word.as_str() {
            "on" => self.is_on = true,
            "off" => self.is_on = false,
            "nopass" => (self.needs_no_password, self.secrets) = (true, Vec::new()),
            "resetpass" => (self.needs_no_password, self.secrets) = (false, Vec::new()),
            "sanitize-payload" => self.sanitizes = Some(true),
            "skip-sanitize-payload" => self.sanitizes = Some(false),
            "clearselectors" => self.selectors.clear(),
            "reset" => {
                let name = std::sync::Arc::clone(self.name());
                *self = Self::nobody(name, opens_channels);
                self.sanitizes = Some(true);
            }
            _ => match rule {
                [b'>', password @ ..] => self.add_secret(Secret::of(password)),
                [b'<', password @ ..] => self.remove_secret(Some(Secret::of(password)))?,
                [b'#', digest @ ..] => {
                    self.add_secret(Secret::parse(digest).ok_or(RuleError::NotADigest)?);
                }
                [b'!', digest @ ..] => {
                    let secret = Secret::parse(digest).ok_or(RuleError::NotADigest)?;
                    self.remove_secret(Some(secret))?;
                }
                [b'(', inner @ .., b')'] => {
                    let mut selector = Selector::nothing(opens_channels);
                    let words = inner.split(|byte| byte.is_ascii_whitespace());
                    for word in words.filter(|word| !word.is_empty()) {
                        selector.apply(word)?;
                    }
                    self.selectors.push(selector);
                }
                _ => self.root.apply(rule)?,
            },
        }
        Ok(())
    }

    fn add_secret(&mut self, secret: Secret) {
        self.needs_no_password = false;
        if !self.secrets.contains(&secret) {
            self.secrets.push(secret);
        }
    }

    fn remove_secret(&mut self, secret: Option<Secret>) -> Result<(), RuleError> {
        let place = self.secrets.iter().position(|known| Some(*known) == secret);
        self.secrets.remove(place.ok_or(RuleError::NoSuchPassword)?);
        Ok(())
    }
}

impl Selector {
    fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        let word = String::from_utf8_lossy(rule).to_ascii_lowercase();
        match word.as_str() {
            "allkeys" | "~*" => self.keys = Patterns::all(),
            "resetkeys" => self.keys = Patterns::default(),
            "allchannels" | "&*" => self.channels = Patterns::all(),
            "resetchannels" => self.channels = Patterns::default(),
            "allcommands" => self.commands = CommandSet::all(),
            "nocommands" => self.commands = CommandSet::none(),
            _ => match rule {
                [b'~' | b'%', ..] => self.add_key_pattern(rule)?,
                [b'&', pattern @ ..] => {
                    if self.channels.is_all() {
                        return Err(RuleError::ChannelBehindAll);
                    }
                    self.channels.add(without_blanks(pattern)?, true, true);
                }
                [sign @ (b'+' | b'-'), name @ ..] => self.commands.change(*sign == b'+', name)?,
                _ => return Err(RuleError::Syntax),
            },
        }
        Ok(())
    }

    /// `~pattern`, `%R~pattern`, `%W~pattern`, `%RW~pattern`
    fn add_key_pattern(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if self.keys.is_all() {
            return Err(RuleError::KeyBehindAll);
        }
        let tilde = rule.iter().position(|byte| *byte == b'~').ok_or(RuleError::Syntax)?;
        let (reads, writes) = match rule[..tilde].to_ascii_uppercase().as_slice() {
            b"" | b"%RW" | b"%WR" => (true, true),
            b"%R" => (true, false),
            b"%W" => (false, true),
            _ => return Err(RuleError::Syntax),
        };
        self.keys.add(without_blanks(&rule[tilde + 1..])?, reads, writes);
        Ok(())
    }
}

fn without_blanks(pattern: &[u8]) -> Result<&[u8], RuleError> {
    match pattern.iter().any(|byte| byte.is_ascii_whitespace() || *byte == 0) {
        true => Err(RuleError::Syntax),
        false => Ok(pattern),
    }
}
