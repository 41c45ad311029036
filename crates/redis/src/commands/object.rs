//! OBJECT: what is known of a key's inside.

use crate::number::parse_integer;
use crate::stop::{Outcome, Stop};

use super::{Call, is_word};

/// Reference count that Redis shows for its shared small integers.
const SHARED_REFERENCES: i64 = i32::MAX as i64;
const SHARED_INTEGERS: std::ops::Range<i64> = 0..10_000;

const HELP: &[&str] = &[
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
    "HELP",
    "    Prints this help.",
];

/// `OBJECT ENCODING | FREQ | IDLETIME | REFCOUNT key`, `OBJECT HELP`
pub fn object(call: &mut Call<'_>) -> Outcome {
    let word = call.args.get(1);
    if is_word(word, "help") && call.args.len() == 2 {
        call.reply.array(HELP.len());
        HELP.iter().for_each(|line| call.reply.simple(line));
        return Ok(());
    }
    let key = call.key(2)?;
    // Only values made in one piece are shared by Redis.
    let found = call.look_up(&key, |_, value, _| {
        let encoding = value.encoding_name();
        let number = parse_integer(value.bytes).filter(|_| encoding == "int");
        let shared = number.is_some_and(|number| SHARED_INTEGERS.contains(&number));
        (encoding, if shared { SHARED_REFERENCES } else { 1 })
    })?;
    let Some((encoding, references)) = found else {
        call.reply.null();
        return Ok(());
    };
    if is_word(word, "encoding") {
        call.reply.bulk(encoding.as_bytes());
    } else if is_word(word, "refcount") {
        call.reply.integer(references);
    } else if is_word(word, "idletime") {
        call.reply.integer(0);
    } else {
        return Err(Stop::fail(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take some \
             time to adjust.",
        ));
    }
    Ok(())
}
