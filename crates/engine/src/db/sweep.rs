//! The expiry sweeper: writes real deletes for records whose time has come.
//!
//! Readers hide an expired record at once; the sweeper makes its key leave the count and its space
//! come back, as a delete in the log that replicas and change feeds see too. It finds due records
//! in the expiry index of tables, behind a cursor per table, and in a heap over the expiring records
//! of each memtable. A delete is committed only if the record is still the newest of its key.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use aidb_base::{ErrorKind, FileNumber, KeyspaceId, Result, Seq};
use parking_lot::Mutex;

use super::view::Generation;
use super::write::{Condition, Newest, WriteOptions};
use super::{Db, Inner};
use crate::batch::WriteBatch;
use crate::table::Table;

const STEP: usize = 512;

/// A record whose time has come.
struct Due {
    keyspace: KeyspaceId,
    key: Vec<u8>,
    seq: Seq,
}

/// Told the keyspace and key of every record that the sweeper removed.
type Listener = Box<dyn Fn(KeyspaceId, &[u8]) + Send + Sync>;

/// How far the sweeper has come, and whom it tells.
#[derive(Default)]
pub(super) struct Sweeper {
    progress: Mutex<Progress>,
    is_paused: AtomicBool,
    listener: OnceLock<Listener>,
}

#[derive(Default)]
struct Progress {
    tables: HashMap<FileNumber, u64>,
    memtables: HashMap<Seq, Pending>,
}

/// Expiring records of one memtable: those seen so far, soonest first.
#[derive(Default)]
struct Pending {
    seen: usize,
    soonest: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Inner {
    /// Deletes the records of a keyspace that are due now, as far as the database takes writes: a
    /// full disk must not stop those who only count.
    pub(super) fn sweep(&self, keyspace: KeyspaceId) -> Result<()> {
        if self.state.check_writable().is_err() || self.sweeper.is_paused.load(Ordering::Relaxed) {
            return Ok(());
        }
        loop {
            match self.sweep_some(Some(keyspace)) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => {
                    let is_refusal = matches!(
                        error.kind(),
                        ErrorKind::Exhausted | ErrorKind::Unavailable | ErrorKind::Closed
                    );
                    return if is_refusal { Ok(()) } else { Err(error) };
                }
            }
        }
    }

    /// Deletes records of any keyspace that are due, as long as there are many.
    pub(super) fn sweep_step(&self) -> Result<()> {
        if self.sweeper.is_paused.load(Ordering::Relaxed) {
            return Ok(());
        }
        while !self.state.is_closed() && self.sweep_some(None)? {}
        Ok(())
    }

    /// Deletes up to a bounded number of due records; true when there may be more.
    fn sweep_some(&self, keyspace: Option<KeyspaceId>) -> Result<bool> {
        let (due, has_more) = self.find_due(keyspace)?;
        let result = self.delete_all(&due);
        if result.is_err() {
            // What was found is not deleted: look for it again from the start.
            *self.sweeper.progress.lock() = Progress::default();
        }
        result.map(|()| has_more)
    }

    fn delete_all(&self, due: &[Due]) -> Result<()> {
        match self.delete_due(due) {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            other => return other,
        }
        for one in due {
            match self.delete_due(std::slice::from_ref(one)) {
                Err(error) if error.kind() != ErrorKind::Conflict => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn delete_due(&self, due: &[Due]) -> Result<()> {
        if due.is_empty() {
            return Ok(());
        }
        let mut batch = WriteBatch::new();
        let mut conditions = Vec::with_capacity(due.len());
        for Due { keyspace, key, seq } in due {
            batch.delete(*keyspace, key)?;
            conditions.push(Condition { keyspace: *keyspace, key, seen: *seq });
        }
        self.commit_if(&conditions, &batch, WriteOptions::default(), Self::seen_as_due)?;
        if let Some(listener) = self.sweeper.listener.get() {
            due.iter().for_each(|one| listener(one.keyspace, &one.key));
        }
        Ok(())
    }

    /// The batch that wrote the newest record of a key if that is due, else 0. The number alone does
    /// not tell: a batch may have written the key twice.
    fn seen_as_due(&self, newest: Newest) -> Seq {
        match newest {
            Some((seq, _, expire_at_ms)) if expire_at_ms != 0 && expire_at_ms <= self.now_ms() => {
                seq
            }
            _ => 0,
        }
    }

    fn find_due(&self, keyspace: Option<KeyspaceId>) -> Result<(Vec<Due>, bool)> {
        let now_ms = self.now_ms();
        let view = self.view.load_full();
        let mut progress = self.sweeper.progress.lock();
        let mut due = Vec::new();
        for generation in view.generations() {
            let pending = progress.memtables.entry(generation.first_seq()).or_default();
            pending.collect(generation, now_ms, &mut due);
        }
        for tree in view.version.trees() {
            if keyspace.is_some_and(|wanted| wanted != tree.id) {
                continue;
            }
            for file in tree.tables() {
                if due.len() >= STEP {
                    break;
                }
                let first = file.meta().min_expire_ms;
                if first != 0 && first <= now_ms {
                    let at = progress.tables.entry(file.number()).or_default();
                    collect_table(tree.id, file.table(), at, now_ms, &mut due)?;
                }
            }
        }
        let is_current = |seq: &Seq| view.generations().any(|g| g.first_seq() == *seq);
        progress.memtables.retain(|seq, _| is_current(seq));
        let tables = view.version.state().tables().count();
        if progress.tables.len() > 2 * tables + 16 {
            progress.tables.clear();
        }
        let has_more = due.len() >= STEP;
        due.retain(|one| {
            let newest = self.newest(&view, one.keyspace, &one.key);
            newest.is_ok_and(|newest| self.seen_as_due(newest) == one.seq)
        });
        Ok((due, has_more))
    }
}

impl Db {
    /// Says who is told of every record that the sweeper removes, after its delete is committed; only
    /// the first call counts. The listener runs on any thread and must be quick.
    pub fn set_expiry_listener(
        &self,
        listener: impl Fn(KeyspaceId, &[u8]) + Send + Sync + 'static,
    ) {
        // Two listeners would both believe to be the one who tells.
        let _ = self.inner.sweeper.listener.set(Box::new(listener));
    }

    /// Lets the sweeper rest, or go on. For tests: expired records stay hidden, and counted.
    pub fn set_sweeping(&self, is_on: bool) {
        self.inner.sweeper.is_paused.store(!is_on, Ordering::Relaxed);
    }

    /// Lets the sweeper remove one record now if its time has come. May read the disk.
    ///
    /// # Errors
    /// Those of a read and of a write. While writes are refused, nothing happens.
    pub fn remove_due(&self, keyspace: KeyspaceId, key: &[u8]) -> Result<()> {
        let inner = &self.inner;
        inner.state.check_open()?;
        let view = inner.view.load_full();
        let seq = inner.seen_as_due(inner.newest(&view, keyspace, key)?);
        if seq == 0 || inner.state.check_writable().is_err() {
            return Ok(());
        }
        match inner.delete_due(&[Due { keyspace, key: key.to_vec(), seq }]) {
            // Somebody was faster.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            other => other,
        }
    }
}

impl Pending {
    fn collect(&mut self, generation: &Generation, now_ms: u64, due: &mut Vec<Due>) {
        for (index, _, entry) in generation.memtable.expiring(self.seen) {
            self.soonest.push(Reverse((entry.expire_at_ms, index)));
            self.seen = index + 1;
        }
        while due.len() < STEP {
            match self.soonest.peek() {
                Some(&Reverse((at_ms, index))) if at_ms <= now_ms => {
                    self.soonest.pop();
                    if let Some((_, keyspace, entry)) = generation.memtable.expiring(index).next() {
                        due.push(Due { keyspace, key: entry.key.to_vec(), seq: entry.seq });
                    }
                }
                _ => return,
            }
        }
    }
}

fn collect_table(
    keyspace: KeyspaceId,
    table: &Arc<Table>,
    at: &mut u64,
    now_ms: u64,
    due: &mut Vec<Due>,
) -> Result<()> {
    let room = STEP.saturating_sub(due.len());
    let found = table.due(*at, now_ms, room)?;
    *at = found.next;
    due.extend(found.records.into_iter().map(|r| Due { keyspace, key: r.key, seq: r.seq }));
    Ok(())
}
