//! Users as rules: what ACL LIST answers and files of users hold.

use super::patterns::Patterns;
use super::{Selector, User};

impl User {
    /// One line, `user name rule …`.
    pub(crate) fn describe(&self) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = vec![b"user".to_vec(), self.name().text.to_vec()];
        words.extend(self.flags().into_iter().map(|flag| flag.as_bytes().to_vec()));
        words.extend(self.secrets.iter().map(|secret| format!("#{secret}").into_bytes()));
        words.push(self.root.describe());
        let others = self.selectors.iter();
        words.extend(others.map(|other| [b"(".as_slice(), &other.describe(), b")"].concat()));
        words.join(&b' ')
    }

    /// `on` or `off`, `nopass`, and what was said about payloads.
    pub(crate) fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.is_on { "on" } else { "off" }];
        if self.needs_no_password {
            flags.push("nopass");
        }
        flags.extend(self.sanitizes.map(|sanitizes| match sanitizes {
            true => "sanitize-payload",
            false => "skip-sanitize-payload",
        }));
        flags
    }

    /// SHA-256 of each password in hexadecimal.
    pub(crate) fn digests(&self) -> Vec<String> {
        self.secrets.iter().map(ToString::to_string).collect()
    }

    /// The first selector, and the others.
    pub(crate) fn selectors(&self) -> (&Selector, &[Selector]) {
        (&self.root, &self.selectors)
    }
}

impl Selector {
    /// Rules for keys, channels, commands.
    fn describe(&self) -> Vec<u8> {
        let mut words = Vec::new();
        if self.keys != Patterns::default() {
            words.push(self.keys.describe(b'~'));
        }
        if !self.channels.is_all() {
            words.push(b"resetchannels".to_vec());
        }
        if self.channels != Patterns::default() {
            words.push(self.channels.describe(b'&'));
        }
        words.push(self.commands.describe().into_bytes());
        words.join(&b' ')
    }
}
