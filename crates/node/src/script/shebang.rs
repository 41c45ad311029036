//! The first line of scripts and libraries: `#!lua name=… flags=…`.

use aidb_redis::Stop;
use aidb_redis::resp::words;

use super::flags::Flags;

/// What a library's first line says.
pub(super) struct Header {
    pub(super) name: String,
    /// Where the line ends: what follows begins with its line break.
    pub(super) end: usize,
}

/// What the `#!` line of a script says, and where it ends.
///
/// # Errors
/// What EVAL answers.
pub(super) fn of_script(text: &[u8]) -> Result<(Flags, usize), Stop> {
    let end =
        memchr::memchr(b'\n', text).ok_or_else(|| Stop::fail("ERR Invalid script shebang"))?;
    let words = words(&text[..end]).unwrap_or_default();
    let Some((engine, options)) = words.split_first() else {
        return Err(Stop::fail("ERR Invalid engine in script shebang"));
    };
    if engine != b"#!lua" {
        return Err(Stop::quoting(&[b"ERR Unexpected engine in script shebang: ", engine]));
    }
    let mut flags = Flags::default();
    for option in options {
        let Some(names) = option.strip_prefix(b"flags=") else {
            return Err(Stop::quoting(&[b"ERR Unknown lua shebang option: ", option]));
        };
        let names = names.split(|byte| *byte == b',').filter(|_| !names.is_empty());
        for name in names {
            if !flags.add(name) {
                return Err(Stop::quoting(&[b"ERR Unexpected flag in script shebang: ", name]));
            }
        }
    }
    Ok((flags, end))
}

/// What the first line of a library says.
///
/// # Errors
/// What FUNCTION LOAD answers.
pub(super) fn of_library(text: &[u8]) -> Result<Header, Stop> {
    if !text.starts_with(b"#!") {
        return Err(Stop::fail("ERR Missing library metadata"));
    }
    let invalid = || Stop::fail("ERR Invalid library metadata");
    let end = memchr::memchr(b'\n', text).ok_or_else(invalid)?;
    let words = words(&text[..end]).ok_or_else(invalid)?;
    let (engine, options) = words.split_first().ok_or_else(invalid)?;
    let mut name = None;
    for option in options {
        let Some(value) = value_of(option, b"name=") else {
            return Err(Stop::quoting(&[b"ERR Invalid metadata value given: ", option]));
        };
        if name.replace(value).is_some() {
            return Err(Stop::fail(
                "ERR Invalid metadata value, name argument was given multiple times",
            ));
        }
    }
    let name = name.ok_or_else(|| Stop::fail("ERR Library name was not given"))?;
    let name = identifier(name).ok_or_else(|| Stop::fail(BAD_NAME))?;
    let engine = engine.strip_prefix(b"#!").unwrap_or(engine);
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(Stop::quoting(&[b"ERR Engine '", engine, b"' not found"]));
    }
    Ok(Header { name, end })
}

fn value_of<'a>(option: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let (front, value) = option.split_at_checked(key.len())?;
    front.eq_ignore_ascii_case(key).then_some(value)
}

/// The answer to a name that is no [`identifier`], of libraries and functions alike.
pub(super) const BAD_NAME: &str = "ERR Library names can only contain letters, numbers, or \
     underscores(_) and must be at least one character long";

/// The text, if it can name a library or a function.
pub(super) fn identifier(name: &[u8]) -> Option<String> {
    let is_fine = !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    is_fine.then(|| String::from_utf8_lossy(name).into_owned())
}
