//! Fields of hashes whose time has come: found by their endings, taken out of count and index.
//!
//! The engine hides an expired field at once. What opens a hash to change it settles it first; the
//! sweeper settles those that nobody touches, and removes hashes that have no field left.

use aidb_base::{Error, KeyspaceId};
use aidb_engine::batch::WriteBatch;
use aidb_engine::db::ScanRange;
use std::sync::atomic::Ordering;

use super::{Access, Class, DATABASES, Mode, Pair, Store};
use crate::collection::expiring::{NEVER, due_key, due_of, due_records, read_due};
use crate::collection::{EXPIRING, Id, Spread};
use crate::key;
use crate::stop::Stop;
use crate::value::{Type, Value};

/// Endings of one hash that one commit settles at most, so that a slot is held for a moment only.
const ENDINGS_MAX: u64 = 4096;

/// What was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Fields that are no more.
    pub fields: u64,
    /// When the next one ends, at the earliest.
    pub due: u64,
}

impl Access<'_> {
    /// Adds to `batch` the removal of the fields of a hash whose time has come, up to `most`.
    /// Only in [`Mode::Wait`]: it may wait for the disk.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn settle_fields(
        self,
        members: KeyspaceId,
        id: &Id,
        most: u64,
        batch: &mut WriteBatch,
    ) -> Result<Settled, Stop> {
        let now_ms = self.now_ms();
        let upper = id.behind(crate::key::tag::HASH_EXPIRY);
        let mut walk = self.scan(members, id.endings(), Some(upper))?;
        let mut fields = 0;
        while let Some((key, _)) = walk.next()? {
            let Some((instant, field)) = id.read_ending(key) else { continue };
            if instant > now_ms || fields == most {
                return Ok(Settled { fields, due: instant });
            }
            fields += 1;
            batch.delete(members, key)?;
            let place = id.member(Type::Hash, field);
            // A field that is there was written again, just when its time had come.
            if self.read_record(Mode::Wait, members, &place, |_, _| ())?.is_none() {
                batch.delete(members, &place)?;
            }
        }
        Ok(Settled { fields, due: NEVER })
    }
}

impl Store {
    /// Notes that a field ends at an instant, for [`Store::sweep_fields`].
    pub fn note_due(&self, instant: u64) {
        self.next_due_ms.fetch_min(instant, Ordering::AcqRel);
    }

    /// Whether a field's time may have come since the last sweep.
    pub fn has_due_fields(&self) -> bool {
        self.next_due_ms.load(Ordering::Acquire) <= self.now_ms()
    }

    /// Removes all fields whose time has come, and the hashes that have none left.
    ///
    /// **Concurrency**: holds the slot of one hash at a time, for one commit. May wait.
    ///
    /// # Errors
    /// Those of the engine; what was removed until then stays removed.
    pub fn sweep_fields(&self) -> Result<(), Stop> {
        self.next_due_ms.store(NEVER, Ordering::Release);
        let swept = (0..DATABASES).try_for_each(|database| self.sweep_database(database));
        if swept.is_err() {
            // What is left is due already.
            self.note_due(0);
        }
        swept
    }

    fn sweep_database(&self, database: usize) -> Result<(), Stop> {
        loop {
            let pair = self.keyspaces(database);
            let range = ScanRange { lower: Some(due_records()), upper: None, reverse: false };
            let mut scan = self.db().scan(pair.members, range)?;
            let Some((record, _)) = scan.next()? else { return Ok(()) };
            let Some((instant, metadata_key)) = read_due(record) else { return Ok(()) };
            if instant > self.now_ms() {
                self.note_due(instant);
                return Ok(());
            }
            let (record, metadata_key) = (record.to_vec(), metadata_key.to_vec());
            drop(scan);
            let slot = metadata_key.first_chunk().map_or(0, |slot| u16::from_be_bytes(*slot));
            let _lock = self.lock_slots(Mode::Wait, std::iter::once(slot))?;
            if self.keyspaces(database) == pair {
                self.sweep_hash(database, pair, (instant, &metadata_key), &record)?;
            }
        }
    }

    /// Settles the hash of a due record, and removes the record. The hash's slot is held.
    fn sweep_hash(
        &self,
        database: usize,
        pair: Pair,
        (instant, metadata_key): (u64, &[u8]),
        due_record: &[u8],
    ) -> Result<(), Stop> {
        let found = self.db().get_with(pair.keys, metadata_key, |record, expire_at_ms| {
            let value = Value::decode(record).ok()?;
            let is_meant = value.kind == Type::Hash
                && value.flags & EXPIRING != 0
                && due_of(value.bytes) == instant;
            let spread = Spread::decode(value.bytes).filter(|_| is_meant)?;
            Some((record[0], spread, expire_at_ms))
        })?;
        let mut batch = WriteBatch::new();
        batch.delete(pair.members, due_record)?;
        let mut events: &[(Class, &'static str)] = &[];
        if let Some((first, spread, expire_at_ms)) = found.flatten() {
            let access = Access::direct(self);
            let settled =
                access.settle_fields(pair.members, &spread.id, ENDINGS_MAX, &mut batch)?;
            let count = spread.count.saturating_sub(settled.fields);
            if settled.fields > 0 {
                events = &[(Class::Hash, "hexpired"), (Class::Generic, "del")];
                events = if count == 0 { events } else { &events[..1] };
            }
            if count == 0 {
                batch.delete(pair.members, &spread.id.owner())?;
                batch.delete(pair.keys, metadata_key)?;
            } else {
                let mut record = vec![first];
                Spread { count, ..spread }.encode(&mut record);
                record.extend_from_slice(&settled.due.to_le_bytes());
                batch.put(pair.keys, metadata_key, &record, expire_at_ms)?;
                stage_due(&mut batch, pair.members, settled.due, metadata_key)?;
            }
        }
        self.commit(Mode::Wait, &batch)?;
        let mut user_key = Vec::new();
        if !events.is_empty() && key::decode(metadata_key, &mut user_key).is_some() {
            let access = Access::direct(self);
            events
                .iter()
                .for_each(|(class, event)| access.notify(*class, event, database, &user_key));
        }
        Ok(())
    }
}

/// Adds the due record of a hash, unless it has no field that ends.
pub fn stage_due(
    batch: &mut WriteBatch,
    members: KeyspaceId,
    due: u64,
    metadata_key: &[u8],
) -> Result<(), Error> {
    match due {
        NEVER => Ok(()),
        due => batch.put(members, &due_key(due, metadata_key), b"", 0),
    }
}
