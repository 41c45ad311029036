//! RESTORE: a key from the payload that DUMP gave, here or by a Redis.

mod build;

use aidb_base::{Error, ErrorKind};
use aidb_rdb::value::{Dialect, decode};
use aidb_rdb::{Input, Kind, payload};

use crate::key::MetaKey;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::{Class, Mode};

use super::{Call, is_word};
use build::Building;

/// Payloads above this size are read where waiting is allowed.
const INLINE_BYTES_MAX: usize = 16 << 10;

/// Why a value could not be restored.
#[derive(Debug)]
pub enum Refusal {
    /// Its bytes are not as they should be, or of a newer Redis or a module.
    Format(Error),
    /// The store has no place for such a value: what, and why.
    Unfit(String),
    /// The store cannot take it now.
    Stop(Stop),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Format(error)
    }
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl Refusal {
    #[cold]
    pub(super) fn damaged(what: &str) -> Self {
        Self::Format(Error::new(ErrorKind::Corruption, format!("the value has {what}")))
    }
}

/// What RESTORE was told.
#[derive(Default)]
struct Options {
    replaces: bool,
    is_absolute: bool,
}

/// `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`
pub fn restore(call: &mut Call<'_>) -> Outcome {
    let options = options(call)?;
    let bytes = call.args.get(3);
    if call.mode == Mode::Try && bytes.len() > INLINE_BYTES_MAX {
        return Err(Stop::WouldBlock);
    }
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let existed = call.exists(&key)?;
    if existed && !options.replaces {
        return Err(Stop::fail("BUSYKEY Target key name already exists."));
    }
    let ttl = u64::try_from(call.integer(2)?)
        .map_err(|_| Stop::fail("ERR Invalid TTL value, must be >= 0"))?;
    let payload = payload::open(bytes)
        .map_err(|_| Stop::fail("ERR DUMP payload version or checksum are wrong"))?;
    let expire_at_ms = match ttl {
        0 => 0,
        ttl if options.is_absolute => ttl,
        ttl => call.store.now_ms().saturating_add(ttl),
    };
    call.begin();
    let mut input = payload.input();
    let (type_byte, dialect) = (payload.type_byte, payload.dialect);
    match restore_value(call, &key, expire_at_ms, &mut input, (type_byte, dialect)) {
        // As in Redis, nobody asks whether more follows.
        Ok(()) => {}
        Err(Refusal::Stop(stop)) => return Err(stop),
        Err(Refusal::Unfit(_)) if Kind::of(type_byte) == Some(Kind::Module) => {
            return Err(Stop::fail("ERR Bad data format"));
        }
        Err(Refusal::Unfit(why)) => return Err(Stop::fail(format!("ERR {why}"))),
        Err(Refusal::Format(_)) => return Err(Stop::fail("ERR Bad data format")),
    }
    call.commit_batch()?;
    if call.has_passed(expire_at_ms) {
        if existed {
            call.notify(Class::Generic, "del", call.args.get(1));
        }
    } else {
        call.notify(Class::Generic, "restore", call.args.get(1));
    }
    call.reply.ok();
    Ok(())
}

fn options(call: &Call<'_>) -> Result<Options, Stop> {
    let mut options = Options::default();
    let (mut has_idle, mut has_frequency) = (false, false);
    let mut at = 4;
    while at < call.args.len() {
        let (word, has_more) = (call.args.get(at), at + 1 < call.args.len());
        if is_word(word, "replace") {
            options.replaces = true;
        } else if is_word(word, "absttl") {
            options.is_absolute = true;
        } else if is_word(word, "idletime") && has_more && !has_frequency {
            at += 1;
            has_idle = true;
            if call.integer(at)? < 0 {
                return Err(Stop::fail("ERR Invalid IDLETIME value, must be >= 0"));
            }
        } else if is_word(word, "freq") && has_more && !has_idle {
            at += 1;
            has_frequency = true;
            if !(0..=255).contains(&call.integer(at)?) {
                return Err(Stop::fail("ERR Invalid FREQ value, must be >= 0 and <= 255"));
            }
        } else {
            return Err(SYNTAX);
        }
        at += 1;
    }
    Ok(options)
}

/// Reads a value and adds to the call's batch that `key`, whatever it held, has it from now on; an
/// expiry that has passed removes the key. The caller holds the key's lock and commits the batch. A
/// large value's members are committed on the way, where nobody finds them before the key. An unfit
/// value is read to its end.
pub(crate) fn restore_value(
    call: &mut Call<'_>,
    key: &MetaKey,
    expire_at_ms: u64,
    input: &mut impl Input,
    (type_byte, dialect): (u8, Dialect),
) -> Result<(), Refusal> {
    let kind = Kind::of(type_byte);
    let kind = kind.ok_or_else(|| Refusal::damaged("a type that cannot be read"))?;
    let mut building = Building::begin(call, key, kind)?;
    let mut unfit = None;
    decode(input, type_byte, dialect, |element| {
        if unfit.is_none() {
            match building.add(call, &element) {
                Err(Refusal::Unfit(why)) => unfit = Some(why),
                outcome => outcome?,
            }
        }
        Ok::<_, Refusal>(())
    })?;
    if let Some(why) = unfit {
        return Err(Refusal::Unfit(why));
    }
    if call.has_passed(expire_at_ms) {
        let keys = call.store.keyspaces(call.session.database).keys;
        return Ok(call.scratch.batch.delete(keys, key.bytes()).map_err(Stop::from)?);
    }
    building.finish(call, expire_at_ms)
}
