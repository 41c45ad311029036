//! Strings compared before they are written or removed: DELEX, DIGEST, MSETEX, and what SET shares.

use aidb_base::hash::key_hash;

use crate::number::parse_integer;
use crate::resp::Args;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::Class;
use crate::value::{Encoding, Value};

use super::set_options::{self, ExpiryOption, Family, SetCondition};
use super::{Call, is_word};

/// Characters of a digest.
const DIGEST_CHARACTERS: usize = 16;

/// What a string has to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// IFEQ.
    Equal,
    /// IFNE.
    Different,
    /// IFDEQ.
    DigestEqual,
    /// IFDNE.
    DigestDifferent,
}

impl Comparison {
    /// The comparison of an option's word.
    pub fn parse(word: &[u8]) -> Option<Self> {
        match () {
            () if is_word(word, "ifeq") => Some(Self::Equal),
            () if is_word(word, "ifne") => Some(Self::Different),
            () if is_word(word, "ifdeq") => Some(Self::DigestEqual),
            () if is_word(word, "ifdne") => Some(Self::DigestDifferent),
            () => None,
        }
    }

    /// Refuses an operand that is no digest where one is asked for.
    ///
    /// # Errors
    /// `must be exactly 16 hexadecimal characters`.
    pub fn check(self, operand: &[u8]) -> Outcome {
        let is_digest = matches!(self, Self::DigestEqual | Self::DigestDifferent);
        let is_hex = operand.iter().all(u8::is_ascii_hexdigit);
        if is_digest && !(is_hex && operand.len() == DIGEST_CHARACTERS) {
            return Err(Stop::fail("ERR must be exactly 16 hexadecimal characters"));
        }
        Ok(())
    }

    /// Whether a string is as wanted.
    pub fn accepts(self, value: &[u8], operand: &[u8]) -> bool {
        match self {
            Self::Equal => value == operand,
            Self::Different => value != operand,
            Self::DigestEqual => digest_text(value).as_bytes().eq_ignore_ascii_case(operand),
            Self::DigestDifferent => !Self::DigestEqual.accepts(value, operand),
        }
    }

    /// Whether no string at all is as wanted: it differs from everything.
    pub fn accepts_absence(self) -> bool {
        matches!(self, Self::Different | Self::DigestDifferent)
    }
}

fn digest_text(value: &[u8]) -> String {
    format!("{:016x}", key_hash(value))
}

/// `DIGEST key`
pub fn digest(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let found = call.look_up_string(&key, |reply, value, _| {
        reply.bulk(digest_text(value).as_bytes());
    })?;
    if found.is_none() {
        call.reply.null();
    }
    Ok(())
}

/// `DELEX key [IFEQ value | IFNE value | IFDEQ digest | IFDNE digest]`
pub fn delex(call: &mut Call<'_>) -> Outcome {
    let args = call.args;
    let comparison =
        match args.len() {
            2 => None,
            4 => Some(Comparison::parse(args.get(2)).ok_or_else(|| {
                Stop::fail("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
            })?),
            _ => return Err(Stop::fail("ERR wrong number of arguments for 'delex' command")),
        };
    if let Some(comparison) = comparison {
        comparison.check(args.get(3))?;
    }
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let accepts = |value: Value<'_>, _| -> Result<bool, Stop> {
        match comparison {
            None => Ok(true),
            Some(comparison) => Ok(comparison.accepts(value.string()?, args.get(3))),
        }
    };
    let removes = call.read(&key, accepts)?.transpose()?.unwrap_or(false);
    if removes {
        call.delete(&key)?;
        call.notify(Class::Generic, "del", args.get(1));
    }
    call.reply.integer(i64::from(removes));
    Ok(())
}

/// `MSETEX numkeys key value [key value …] [NX | XX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`
pub fn msetex(call: &mut Call<'_>) -> Outcome {
    let args = call.args;
    let pairs = count_of_pairs(&args)?;
    let options = set_options::parse(&args, 2 + 2 * pairs, Family::MSetEx)?;
    let options = options.resolve(&args, Family::MSetEx, call.store.now_ms())?;
    let keys: Vec<_> = call.keys(2, 2)?.into_iter().take(pairs).collect();
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let mut expiries = Vec::with_capacity(pairs);
    for key in &keys {
        let found = call.read(key, |_, expire_at_ms| expire_at_ms)?;
        let refused = match options.condition {
            SetCondition::IfAbsent => found.is_some(),
            SetCondition::IfPresent => found.is_none(),
            _ => false,
        };
        if refused {
            call.reply.integer(0);
            return Ok(());
        }
        expiries.push(match options.expiry {
            ExpiryOption::At(at) => at,
            ExpiryOption::Keep => found.unwrap_or(0),
            ExpiryOption::Unsaid | ExpiryOption::Persist => 0,
        });
    }
    call.begin();
    for (index, (key, expire_at_ms)) in keys.iter().zip(expiries).enumerate() {
        call.stage_string(key, Encoding::Whole, args.get(3 + 2 * index), expire_at_ms)?;
    }
    call.commit_batch()?;
    for name in args.from(2).step_by(2).take(pairs) {
        call.notify(Class::String, "set", name);
        if matches!(options.expiry, ExpiryOption::At(_)) {
            call.notify(Class::Generic, "expire", name);
        }
    }
    call.reply.integer(1);
    Ok(())
}

fn count_of_pairs(args: &Args<'_>) -> Result<usize, Stop> {
    let pairs = parse_integer(args.get(1))
        .and_then(|pairs| usize::try_from(pairs).ok())
        .filter(|pairs| *pairs > 0)
        .ok_or_else(|| Stop::fail("ERR invalid numkeys value"))?;
    match pairs <= (args.len() - 2) / 2 {
        true => Ok(pairs),
        false => Err(SYNTAX),
    }
}
