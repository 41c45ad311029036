//! The file of users: one line per user, as ACL LIST shows it.
//!
//! Empty lines say nothing; there are no comments, as in Redis. A file is loaded as a whole or not at all; it
//! is written beside the old one, synced, and takes its place.

use std::path::Path;
use std::sync::Arc;

use aidb_base::{Error, ErrorKind, Result};
use aidb_engine::vfs::Vfs;

use super::user::Name;
use super::{Acl, User, merge_selectors};

impl Acl {
    /// Replaces all users by those of the file; gives the names whose connections must end.
    ///
    /// # Errors
    /// The text that Redis answers: every line that is wrong.
    pub(crate) fn load(
        &self,
        vfs: &dyn Vfs,
        path: &Path,
    ) -> std::result::Result<Vec<Arc<Name>>, String> {
        let bytes = read(vfs, path).map_err(|error| {
            let why = match error.kind() {
                _ if !vfs.exists(path).unwrap_or(false) => "No such file or directory".to_owned(),
                ErrorKind::Invalid => "not a readable file".to_owned(),
                _ => error.to_string(),
            };
            format!("Error loading ACLs, opening file '{}': {why}", path.display())
        })?;
        let users = self.parse(&bytes, &path.display().to_string())?;
        Ok(self.replace(users))
    }

    /// The users of a file's text.
    fn parse(&self, bytes: &[u8], path: &str) -> std::result::Result<Vec<User>, String> {
        let mut users: Vec<User> = Vec::new();
        let mut errors = String::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let words: Vec<&[u8]> = line.split(|byte| matches!(byte, b' ' | b'\t')).collect();
            let words: Vec<&[u8]> = words.into_iter().filter(|word| !word.is_empty()).collect();
            let [b"user", name, rules @ ..] = words.as_slice() else {
                errors.push_str(&format!(
                    "{path}:{number} should start with user keyword followed by the username. "
                ));
                continue;
            };
            if users.iter().any(|user| *user.name().text == **name) {
                let name = String::from_utf8_lossy(name);
                errors.push_str(&format!(
                    "WARNING: Duplicate user '{name}' found on line {number}. "
                ));
                continue;
            }
            match self.parse_user(name, rules) {
                Ok(user) => users.push(user),
                Err(why) => errors.push_str(&format!("{path}:{number}: {why}")),
            }
        }
        if errors.is_empty() {
            return Ok(users);
        }
        Err(errors
            + "WARNING: ACL errors detected, no change to the previously active ACL rules was \
               performed")
    }

    fn parse_user(&self, name: &[u8], rules: &[&[u8]]) -> std::result::Result<User, String> {
        let opens_channels = self.opens_channels();
        let mut user = User::nobody(self.new_name(name), opens_channels);
        let rules = merge_selectors(rules.iter().copied())
            .map_err(|_| "Unmatched parenthesis in selector definition.".to_owned())?;
        for rule in rules {
            user.apply(&rule, opens_channels).map_err(|why| {
                let rule = String::from_utf8_lossy(&rule).into_owned();
                match why {
                    super::RuleError::Syntax => "Syntax error. ".to_owned(),
                    why => format!("Error in applying operation '{rule}': {}. ", why.text()),
                }
            })?;
        }
        Ok(user)
    }

    /// Writes all users.
    ///
    /// # Errors
    /// Those of the file system; then the old file is as it was.
    pub(crate) fn save(&self, vfs: &dyn Vfs, path: &Path) -> Result<()> {
        let mut text = Vec::new();
        for user in self.all() {
            text.extend_from_slice(&user.describe());
            text.push(b'\n');
        }
        replace(vfs, path, &text)
    }
}

fn read(vfs: &dyn Vfs, path: &Path) -> Result<Vec<u8>> {
    let file = vfs.open_read(path)?;
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Puts a file in place of another, so that one of them is there whatever happens.
fn replace(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().ok_or_else(|| {
        Error::invalid(format!("{} is no file name; check the setting aclfile", path.display()))
    })?;
    let mut fresh_name = name.to_owned();
    fresh_name.push(".new");
    let fresh = path.with_file_name(fresh_name);
    if vfs.exists(&fresh)? {
        vfs.remove(&fresh)?;
    }
    let mut file = vfs.create(&fresh)?;
    file.append(bytes)?;
    file.sync()?;
    drop(file);
    vfs.rename(&fresh, path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    vfs.sync_dir(parent.unwrap_or(Path::new(".")))
}
