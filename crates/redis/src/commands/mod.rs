//! Handlers, one file per family, and the call they are given.
//!
//! A handler reads its arguments, takes the locks it needs, reads, makes at most one commit as its
//! last step that can fail, and then replies. So it may stop anywhere before the commit without
//! effect, and be run again in [`Mode::Wait`].

pub mod bitfields;
pub mod bitmaps;
pub mod blocking;
pub mod bloom;
pub mod dump;
pub mod expiry;
mod footprint;
pub mod geo;
pub mod geo_search;
pub mod hash_expiry;
pub mod hash_fields;
pub mod hashes;
pub mod hyperloglog;
pub mod json;
pub mod keys;
pub mod lcs;
pub mod list_moves;
pub mod list_search;
mod list_store;
pub mod lists;
mod members;
pub mod members_random;
mod members_read;
pub mod members_scan;
pub mod multi;
pub mod numbers;
pub mod object;
pub mod restore;
pub mod scan;
pub mod server;
pub mod set_algebra;
pub mod set_options;
pub mod sets;
pub mod sort;
pub mod sorted_algebra;
pub mod sorted_pops;
pub mod sorted_ranges;
mod sorted_ranks;
pub mod sorted_sets;
mod sorted_span;
pub mod streams;
pub mod string_conditions;
pub mod strings;
#[cfg(test)]
mod tests;
mod transfer;

pub use footprint::footprint;

use aidb_base::KeyspaceId;
use aidb_engine::batch::WriteBatch;

use crate::key::MetaKey;
use crate::number::parse_integer;
use crate::resp::{Args, Reply};
use crate::session::Session;
use crate::stop::{NOT_AN_INTEGER, Outcome, Stop};
use crate::store::{Access, Class, Mode, SlotLock, Transaction};
use crate::table::{Command, Layer};
use crate::value::{Encoding, Type, Value, encoding_name, header};

/// A handler of the data model.
pub type Handler = fn(&mut Call<'_>) -> Outcome;

/// Memory that calls of one thread reuse, and what they counted.
#[derive(Debug, Default)]
pub struct Scratch {
    /// An encoded record.
    record: Vec<u8>,
    /// Operations to commit.
    batch: WriteBatch,
    /// Items of a packed collection.
    items: Vec<u8>,
    /// Counters since the thread began.
    pub counters: Counters,
}

/// What the calls of one thread did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Lookups that found their key.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Commits.
    pub commits: u64,
}

/// One command being executed.
pub struct Call<'a> {
    /// The data, as the transaction around the command sees it.
    pub store: Access<'a>,
    /// The client.
    pub session: &'a mut Session,
    /// Name and arguments.
    pub args: Args<'a>,
    /// Where the answer goes.
    pub reply: Reply<'a>,
    /// Memory to reuse.
    pub scratch: &'a mut Scratch,
    /// Whether the call may wait.
    pub mode: Mode,
}

/// Executes a command whose arity was checked.
///
/// # Errors
/// Whatever ended the handler; then the output holds nothing of it.
#[inline]
pub fn execute(call: &mut Call<'_>, command: &Command) -> Outcome {
    let Layer::Data(handler) = command.layer else {
        return Err(Stop::fail("ERR command is not of the data layer"));
    };
    if command.aside && call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let mark = call.reply.mark();
    let outcome = handler(call);
    if outcome.is_err() {
        call.reply.rewind(mark);
    }
    outcome
}

impl<'a> Call<'a> {
    #[inline]
    fn keyspace(&self) -> KeyspaceId {
        self.store.keyspace(self.session.database)
    }

    #[inline]
    fn key(&self, index: usize) -> Result<MetaKey, Stop> {
        MetaKey::encode(self.args.get(index))
    }

    fn keys(&self, from: usize, step: usize) -> Result<Vec<MetaKey>, Stop> {
        self.args.from(from).step_by(step).map(MetaKey::encode).collect()
    }

    fn counted_keys(&self, from: usize, count: usize) -> Result<Vec<MetaKey>, Stop> {
        self.args.from(from).take(count).map(MetaKey::encode).collect()
    }

    fn integer(&self, index: usize) -> Result<i64, Stop> {
        parse_integer(self.args.get(index)).ok_or(NOT_AN_INTEGER)
    }

    #[inline]
    fn lock(&self, key: &MetaKey) -> Result<SlotLock<'a>, Stop> {
        self.store.lock(self.mode, key)
    }

    /// Reads a key for a command that counts lookups.
    #[inline]
    fn look_up<R>(
        &mut self,
        key: &MetaKey,
        f: impl FnOnce(&mut Reply<'a>, Value<'_>, u64) -> R,
    ) -> Result<Option<R>, Stop> {
        let keyspace = self.keyspace();
        let reply = &mut self.reply;
        let found =
            self.store.read(self.mode, keyspace, key, |value, expiry| f(reply, value, expiry))?;
        match found {
            Some(_) => self.scratch.counters.hits += 1,
            None => self.scratch.counters.misses += 1,
        }
        Ok(found)
    }

    /// Counts a lookup that was done by other means.
    fn count_lookup(&mut self, found: bool) {
        let counters = &mut self.scratch.counters;
        *(if found { &mut counters.hits } else { &mut counters.misses }) += 1;
    }

    /// As [`Call::look_up`] for commands on strings.
    #[inline]
    fn look_up_string<R>(
        &mut self,
        key: &MetaKey,
        f: impl FnOnce(&mut Reply<'a>, &[u8], u64) -> R,
    ) -> Result<Option<R>, Stop> {
        let read = |reply: &mut Reply<'a>, value: Value<'_>, expiry| -> Result<R, Stop> {
            Ok(f(reply, value.string()?, expiry))
        };
        self.look_up(key, read)?.transpose()
    }

    /// Reads a key for a command that will write it.
    #[inline]
    fn read<R>(
        &self,
        key: &MetaKey,
        f: impl FnOnce(Value<'_>, u64) -> R,
    ) -> Result<Option<R>, Stop> {
        self.store.read(self.mode, self.keyspace(), key, f)
    }

    fn exists(&self, key: &MetaKey) -> Result<bool, Stop> {
        Ok(self.read(key, |_, _| ())?.is_some())
    }

    /// A copy of a key's string, its encoding and expiry.
    fn string(&self, key: &MetaKey) -> Result<Option<StoredString>, Stop> {
        let read = |value: Value<'_>, expire_at_ms| -> Result<StoredString, Stop> {
            let bytes = value.string()?.to_vec();
            Ok(StoredString { bytes, encoding: value.encoding, expire_at_ms })
        };
        self.read(key, read)?.transpose()
    }

    /// A copy of a key's record, whatever its type.
    fn record(&self, key: &MetaKey) -> Result<Option<StoredRecord>, Stop> {
        self.read(key, |value, expire_at_ms| StoredRecord::new(&value, expire_at_ms))
    }

    /// Stores a string. An expiry that has passed removes the key instead.
    #[inline]
    fn put_string(
        &mut self,
        key: &MetaKey,
        encoding: Encoding,
        bytes: &[u8],
        expire_at_ms: u64,
    ) -> Outcome {
        let record = &mut self.scratch.record;
        record.clear();
        record.push(header(encoding));
        record.extend_from_slice(bytes);
        let record = std::mem::take(record);
        let outcome = self.put_record(key, &record, expire_at_ms);
        if record.capacity() <= RECORD_KEPT_MAX {
            self.scratch.record = record;
        }
        outcome
    }

    /// Stores an encoded record. An expiry that has passed removes the key instead.
    #[inline]
    fn put_record(&mut self, key: &MetaKey, record: &[u8], expire_at_ms: u64) -> Outcome {
        if self.has_passed(expire_at_ms) {
            return self.delete(key);
        }
        self.store.put(self.mode, self.keyspace(), key, record, expire_at_ms)?;
        self.scratch.counters.commits += 1;
        Ok(())
    }

    /// Adds a string to the batch. An expiry that has passed removes the key instead.
    fn stage_string(
        &mut self,
        key: &MetaKey,
        encoding: Encoding,
        bytes: &[u8],
        expire_at_ms: u64,
    ) -> Outcome {
        let keyspace = self.keyspace();
        if self.has_passed(expire_at_ms) {
            return Ok(self.scratch.batch.delete(keyspace, key.bytes())?);
        }
        let Scratch { record, batch, .. } = &mut *self.scratch;
        record.clear();
        record.push(header(encoding));
        record.extend_from_slice(bytes);
        Ok(batch.put(keyspace, key.bytes(), record, expire_at_ms)?)
    }

    fn delete(&mut self, key: &MetaKey) -> Outcome {
        self.store.delete(self.mode, self.keyspace(), key)?;
        self.scratch.counters.commits += 1;
        Ok(())
    }

    /// Empties the batch, lets `fill` add to it and commits it.
    fn commit(
        &mut self,
        fill: impl FnOnce(&mut WriteBatch, KeyspaceId) -> Result<(), Stop>,
    ) -> Outcome {
        self.begin();
        let keyspace = self.keyspace();
        fill(&mut self.scratch.batch, keyspace)?;
        self.commit_batch()
    }

    /// The time for what notes when it happened.
    fn moment_ms(&self) -> u64 {
        match self.session.import_ms {
            0 => self.store.now_ms(),
            import_ms => import_ms,
        }
    }

    /// Type of a key's value, whoever asks.
    pub(crate) fn read_type(&self, key: &MetaKey) -> Result<Option<Type>, Stop> {
        self.read(key, |value, _| value.kind)
    }

    /// Bytes of the batch that waits to be committed.
    pub(crate) fn staged_bytes(&self) -> usize {
        self.scratch.batch.bytes()
    }

    /// Empties the batch, to be filled and given to [`Call::commit_batch`].
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.scratch.batch.clear();
    }

    /// Commits the batch; an empty one is nothing.
    #[inline]
    pub(crate) fn commit_batch(&mut self) -> Outcome {
        let batch = &mut self.scratch.batch;
        if batch.is_empty() {
            return Ok(());
        }
        let outcome = self.store.commit(self.mode, batch);
        self.scratch.counters.commits += u64::from(outcome.is_ok());
        if batch.bytes() > RECORD_KEPT_MAX {
            *batch = WriteBatch::new();
        }
        outcome
    }

    /// Tells of an event of a key of the client's database: right after the commit, slots held.
    #[inline]
    fn notify(&self, class: Class, event: &'static str, key: &[u8]) {
        self.store.notify(class, event, self.session.database, key);
    }

    /// As [`Call::notify`], for a collection that may have lost its last element, and so its key.
    #[inline]
    fn notify_shrunk(&self, class: Class, event: &'static str, key: &[u8], is_gone: bool) {
        self.notify(class, event, key);
        if is_gone {
            self.notify(Class::Generic, "del", key);
        }
    }

    /// As [`Call::notify`], for a key whose value was replaced by a result: by none, it is gone.
    fn notify_stored(&self, class: Class, event: &'static str, key: &[u8], is_empty: bool) {
        match is_empty {
            true => self.notify(Class::Generic, "del", key),
            false => self.notify(class, event, key),
        }
    }

    #[inline]
    fn has_passed(&self, expire_at_ms: u64) -> bool {
        expire_at_ms != 0 && expire_at_ms <= self.store.now_ms()
    }
}

/// Scratch memory above this size is given back.
const RECORD_KEPT_MAX: usize = 1 << 20;

/// A string read from the store; by default an empty one that was built in pieces.
struct StoredString {
    bytes: Vec<u8>,
    encoding: Encoding,
    expire_at_ms: u64,
}

impl Default for StoredString {
    fn default() -> Self {
        Self { bytes: Vec::new(), encoding: Encoding::Pieces, expire_at_ms: 0 }
    }
}

impl StoredString {
    /// Whether Redis keeps it as an object that can be changed in its place.
    fn is_raw(&self) -> bool {
        encoding_name(self.encoding, &self.bytes) == "raw"
    }
}

/// The record of a key of any type.
struct StoredRecord {
    bytes: Vec<u8>,
    expire_at_ms: u64,
}

impl StoredRecord {
    fn new(value: &Value<'_>, expire_at_ms: u64) -> Self {
        let mut bytes = Vec::with_capacity(1 + value.bytes.len());
        bytes.push(value.first_byte());
        bytes.extend_from_slice(value.bytes);
        Self { bytes, expire_at_ms }
    }
}

/// Runs `f` in a transaction of its own, or in the one around the command, and commits it.
fn atomically<R>(
    call: &mut Call<'_>,
    f: impl FnOnce(&mut Call<'_>) -> Result<R, Stop>,
) -> Result<R, Stop> {
    if call.store.is_transaction() {
        return f(call);
    }
    let (outer, transaction) = (call.store, Transaction::default());
    let result = f(&mut Call {
        store: Access::within(&outer, &transaction),
        session: &mut *call.session,
        args: call.args,
        reply: call.reply.reborrow(),
        scratch: &mut *call.scratch,
        mode: call.mode,
    })?;
    outer.commit_transaction(call.mode, transaction)?;
    Ok(result)
}

/// Whether an argument is the given word in any case.
fn is_word(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}
