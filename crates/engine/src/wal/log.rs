//! The log as its writer sees it: one open segment, the ones before it, and a spare.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aidb_base::{Epoch, Error, FileNumber, Result, Seq, hash};
use parking_lot::Mutex;

use super::format::{RecordType, SegmentHeader, record_bytes};
use super::segment::{Blank, Segment, prepare_ahead};
use crate::batch::PairBatch;
use crate::file_names::FileKind;
use crate::planted::{Bug, is_planted};
use crate::vfs::{SharedMapping, SyncFile, Vfs};

/// What never changes while a log is open.
pub struct LogEnv {
    /// File system.
    pub vfs: Arc<dyn Vfs>,
    /// Database directory.
    pub dir: PathBuf,
    /// Database uuid.
    pub uuid: [u8; 16],
    /// Whether segments are written through memory.
    pub mapped: bool,
    /// Bytes of the largest ordinary segment.
    pub segment_bytes_max: usize,
    /// Gives the next file number.
    pub next_number: Box<dyn Fn() -> FileNumber + Send + Sync>,
}

/// A segment that has a successor, or that recovery found.
#[derive(Clone)]
pub struct Retired {
    /// Number of the file.
    pub number: FileNumber,
    /// Sequence number of its first batch.
    pub first_seq: Seq,
    /// Sequence number of its last batch; below `first_seq` when it has none.
    pub last_seq: Seq,
    /// Where its records end.
    pub end: usize,
    unsynced: Option<Arc<dyn SyncFile>>,
}

impl Retired {
    /// A segment whose contents are durable.
    pub fn durable(number: FileNumber, first_seq: Seq, last_seq: Seq, end: usize) -> Self {
        Self { number, first_seq, last_seq, end, unsynced: None }
    }

    /// Leaves it to the next sync to make the contents durable.
    pub fn sync_later(&mut self, syncer: Arc<dyn SyncFile>) {
        self.unsynced = Some(syncer);
    }
}

/// The half of the log that is shared with the thread that prepares spares.
pub struct Spares {
    env: LogEnv,
    spare: Mutex<Option<Blank>>,
    /// Memory of the segment being written.
    active: Mutex<Option<Arc<SharedMapping>>>,
    wanted: AtomicBool,
    bytes: AtomicU64,
}

impl Spares {
    /// Whether there is something to prepare.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Prepares memory of the active segment and a spare one off the write path.
    ///
    /// # Errors
    /// As the file system says; the next roll then creates its segment itself.
    pub fn prepare(&self) -> Result<()> {
        if !self.wanted.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        self.prepare_active();
        // Whoever needs the spare meanwhile waits here for it instead of making one as well.
        let mut spare = self.spare.lock();
        if spare.is_none() && self.env.mapped {
            *spare = Some(self.create(self.bytes.load(Ordering::Acquire) as usize)?);
        }
        drop(spare);
        self.prepare_active();
        Ok(())
    }

    fn prepare_active(&self) {
        let active = self.active.lock().clone();
        if let Some(active) = active {
            prepare_ahead(&active);
        }
    }

    fn create(&self, bytes: usize) -> Result<Blank> {
        let number = (self.env.next_number)();
        let path = FileKind::Wal.path(&self.env.dir, number);
        let vfs = &*self.env.vfs;
        let blank = Blank::create(vfs, &path, number, bytes, self.env.mapped)?;
        vfs.sync_dir(&FileKind::Wal.dir(&self.env.dir))?;
        Ok(blank)
    }
}

/// What one sync has to do, in order, and what it achieves.
pub struct SyncPlan {
    targets: Vec<(FileNumber, Arc<dyn SyncFile>)>,
    active: Option<(FileNumber, usize)>,
    /// Everything up to here is durable afterwards.
    pub last_seq: Seq,
}

impl SyncPlan {
    /// Syncs older segments before newer ones. Runs without the writer's lock.
    ///
    /// # Errors
    /// The first failure; the log must then not be used any more.
    pub fn run(&self) -> Result<()> {
        let run = || self.targets.iter().try_for_each(|(_, file)| file.sync_data());
        if is_planted(Bug::SyncTriedAgain) { run().or_else(|_| run()) } else { run() }
    }
}

/// The log of an open database. Every method is called under the writer's lock.
pub struct Log {
    spares: Arc<Spares>,
    segment: Option<Segment>,
    retired: VecDeque<Retired>,
    epoch: Epoch,
    last_seq: Seq,
    bytes_next: usize,
    bytes_written: u64,
    marker_due: Option<(FileNumber, usize)>,
}

const SEGMENT_BYTES_FIRST: usize = 256 << 10;
const SEGMENT_GROWTH: usize = 8;

impl Log {
    /// A log that goes on after `retired` segments and `last_seq`. No file is created before the
    /// first append.
    pub fn new(env: LogEnv, retired: Vec<Retired>, last_seq: Seq, epoch: Epoch) -> Self {
        let bytes_next = SEGMENT_BYTES_FIRST.min(env.segment_bytes_max);
        let spares = Arc::new(Spares {
            env,
            spare: Mutex::new(None),
            active: Mutex::new(None),
            wanted: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
        });
        let retired = retired.into();
        Self {
            spares,
            segment: None,
            retired,
            epoch,
            last_seq,
            bytes_next,
            bytes_written: 0,
            marker_due: None,
        }
    }

    /// The shared half, for the thread that prepares spares.
    pub fn spares(&self) -> Arc<Spares> {
        self.spares.clone()
    }

    /// Whether a batch of `payload` bytes can be appended without creating a file.
    #[inline]
    pub fn is_ready(&self, payload: usize) -> bool {
        self.segment.as_ref().is_some_and(|segment| segment.is_mapped() && segment.fits(payload))
            || self.spares.spare.try_lock().is_some_and(|spare| {
                spare.as_ref().is_some_and(|blank| blank.capacity() > record_bytes(payload) + 1024)
            })
    }

    /// Appends the batch `seq`, one above the last one.
    ///
    /// # Errors
    /// As the file system says; the batch is then not in the log and the log can be used again.
    #[inline]
    pub fn append_batch(&mut self, seq: Seq, payload: &[u8], digest: u64) -> Result<()> {
        self.make_room(seq, payload.len())?;
        self.append(RecordType::Batch, seq, payload, digest)?;
        self.finish_batch(seq);
        Ok(())
    }

    /// As [`Log::append_batch`], of a batch that is encoded only here.
    ///
    /// # Errors
    /// As [`Log::append_batch`].
    pub fn append_pairs(&mut self, seq: Seq, pairs: &PairBatch<'_>, digest: u64) -> Result<()> {
        self.make_room(seq, pairs.bytes())?;
        let append = |segment: &mut Segment| segment.append_pairs(seq, pairs, digest);
        self.append_with(pairs.bytes(), append)?;
        self.finish_batch(seq);
        Ok(())
    }

    #[inline]
    fn make_room(&mut self, seq: Seq, payload: usize) -> Result<()> {
        debug_assert_eq!(seq, self.last_seq + 1);
        match &self.segment {
            Some(segment) if segment.fits(payload) => {}
            _ => self.roll(payload)?,
        }
        match self.marker_due.take() {
            Some(due) => self.append_marker(due),
            None => Ok(()),
        }
    }

    #[inline]
    fn finish_batch(&mut self, seq: Seq) {
        self.last_seq = seq;
        if self.segment.as_ref().is_some_and(Segment::is_short_of_memory)
            && !self.spares.wanted.load(Ordering::Relaxed)
        {
            self.spares.wanted.store(true, Ordering::Release);
        }
    }

    /// The payload of `len` bytes that was appended last, in memory that stays as long as the mapping
    /// is kept; `None` when the segment is not written through memory.
    #[inline]
    pub fn last_payload(&self, len: usize) -> Option<(&[u8], &Arc<SharedMapping>)> {
        self.segment.as_ref()?.last_payload(len)
    }

    #[inline]
    fn append(&mut self, kind: RecordType, seq: Seq, payload: &[u8], digest: u64) -> Result<()> {
        self.append_with(payload.len(), |segment| segment.append(kind, seq, payload, digest))
    }

    #[inline]
    fn append_with(
        &mut self,
        payload: usize,
        append: impl FnOnce(&mut Segment) -> Result<()>,
    ) -> Result<()> {
        let Some(segment) = &mut self.segment else {
            return Err(Error::internal("append to a log without segment"));
        };
        match append(segment) {
            Ok(()) => {
                self.bytes_written += record_bytes(payload) as u64;
                Ok(())
            }
            Err(error) => {
                // Part of the record may be in the file; the successor's header says where it ends.
                self.retire();
                Err(error)
            }
        }
    }

    fn append_marker(&mut self, (number, end): (FileNumber, usize)) -> Result<()> {
        if self.segment.as_ref().is_none_or(|segment| segment.number() != number) {
            return Ok(());
        }
        let payload = (end as u64).to_le_bytes();
        self.append(RecordType::SyncMarker, self.last_seq, &payload, hash::digest(&payload))
    }

    fn roll(&mut self, payload: usize) -> Result<()> {
        let needed = record_bytes(payload) + 1024;
        let blank = match self.take_spare(needed)? {
            Some(blank) => blank,
            None => self.spares.create(self.bytes_next.max(needed))?,
        };
        if self.segment.is_some() {
            self.append(RecordType::Seal, self.last_seq, b"", hash::digest(b""))?;
            self.retire();
        }
        *self.spares.active.lock() = blank.shared().cloned();
        self.start(blank)?;
        // Another batch as large as this one should find a spare that holds it.
        let bytes_max = self.spares.env.segment_bytes_max;
        self.bytes_next = (self.bytes_next * SEGMENT_GROWTH).min(bytes_max).max(needed);
        self.spares.bytes.store(self.bytes_next as u64, Ordering::Release);
        self.spares.wanted.store(self.spares.env.mapped, Ordering::Release);
        Ok(())
    }

    /// The spare, if it is large enough and its number follows those in use: recovery takes the order
    /// of segments from their numbers. Another spare is of no use and removed.
    fn take_spare(&self, needed: usize) -> Result<Option<Blank>> {
        let Some(blank) = self.spares.spare.lock().take() else { return Ok(None) };
        let active = self.segment.as_ref().map(Segment::number);
        let newest = active.or(self.retired.back().map(|retired| retired.number)).unwrap_or(0);
        if blank.capacity() >= needed && blank.number() > newest {
            return Ok(Some(blank));
        }
        self.spares.env.vfs.remove(blank.path())?;
        Ok(None)
    }

    fn start(&mut self, blank: Blank) -> Result<()> {
        let env = &self.spares.env;
        let last = self.retired.back();
        let header = SegmentHeader {
            number: blank.number(),
            uuid: env.uuid,
            predecessor: last.map_or(0, |last| last.number),
            predecessor_end: last.map_or(0, |last| last.end as u64),
            first_seq: self.last_seq + 1,
            epoch: self.epoch,
            boot_id: env.vfs.boot_id(),
        };
        let path = blank.path().to_owned();
        let uid = hash::file_uid(&env.uuid, header.number);
        match blank.start(&header, uid) {
            Ok(segment) => {
                self.segment = Some(segment);
                Ok(())
            }
            Err(error) => {
                // The file has no whole header, so a recovery that sees it discards it.
                let _ = env.vfs.remove(&path);
                Err(error)
            }
        }
    }

    fn retire(&mut self) {
        if let Some(segment) = self.segment.take() {
            *self.spares.active.lock() = None;
            self.retired.push_back(Retired {
                number: segment.number(),
                first_seq: segment.first_seq(),
                last_seq: self.last_seq,
                end: segment.end(),
                unsynced: Some(segment.syncer()),
            });
        }
    }

    /// What must be synced to make everything appended so far durable.
    pub fn sync_plan(&self) -> SyncPlan {
        let mut targets: Vec<_> = self
            .retired
            .iter()
            .filter(|_| !is_planted(Bug::OlderSegmentNotSynced))
            .filter_map(|retired| Some((retired.number, retired.unsynced.clone()?)))
            .collect();
        let active = self.segment.as_ref().map(|segment| (segment.number(), segment.end()));
        targets.extend(self.segment.as_ref().map(|s| (s.number(), s.syncer())));
        SyncPlan { targets, active, last_seq: self.last_seq }
    }

    /// Notes that `plan` was carried out.
    pub fn note_synced(&mut self, plan: &SyncPlan) {
        for retired in &mut self.retired {
            if plan.targets.iter().any(|(number, _)| *number == retired.number)
                && plan.active.is_none_or(|(number, _)| number != retired.number)
            {
                retired.unsynced = None;
            }
        }
        self.marker_due = plan.active;
    }

    /// Seals and syncs everything, gives back unused space.
    ///
    /// # Errors
    /// As the file system says.
    pub fn close(&mut self) -> Result<()> {
        let vfs = self.spares.env.vfs.clone();
        if let Some(blank) = self.spares.spare.lock().take() {
            vfs.remove(blank.path())?;
        }
        let plan = self.sync_plan();
        plan.run()?;
        self.note_synced(&plan);
        let Some(segment) = &self.segment else { return Ok(()) };
        let path = segment.path().to_owned();
        let is_mapped = segment.is_mapped();
        // Says for ever that nothing before it may be missing.
        if let Some(due) = self.marker_due.take() {
            self.append_marker(due)?;
        }
        self.append(RecordType::Seal, self.last_seq, b"", hash::digest(b""))?;
        self.retire();
        let Some(last) = self.retired.back_mut() else { return Ok(()) };
        last.unsynced = None;
        if is_mapped { vfs.truncate(&path, last.end as u64) } else { Ok(()) }
    }

    /// Ends the open segment, so that its space can be given back once it is not needed; the next
    /// append begins a small one. False when none was open.
    ///
    /// # Errors
    /// As the file system says; the log goes on.
    pub fn rest(&mut self) -> Result<bool> {
        if let Some(blank) = self.spares.spare.lock().take() {
            self.spares.env.vfs.remove(blank.path())?;
        }
        self.spares.wanted.store(false, Ordering::Release);
        if self.segment.is_none() {
            return Ok(false);
        }
        self.append(RecordType::Seal, self.last_seq, b"", hash::digest(b""))?;
        self.retire();
        self.bytes_next = SEGMENT_BYTES_FIRST.min(self.spares.env.segment_bytes_max);
        Ok(true)
    }

    /// Forgets the retired segments whose batches are all at or below `seq`, oldest first, and gives
    /// their numbers: the caller removes the files.
    pub fn release(&mut self, seq: Seq) -> Vec<FileNumber> {
        let mut released = Vec::new();
        while self.retired.front().is_some_and(|oldest| oldest.last_seq <= seq) {
            released.extend(self.retired.pop_front().map(|retired| retired.number));
        }
        released
    }

    /// The oldest segment that recovery needs when everything up to `flushed` is in tables. Never
    /// goes back, so that a removed segment that reappears after a power loss is not looked at.
    pub fn floor(&self, flushed: Seq) -> FileNumber {
        let needed = self.retired.iter().find(|retired| retired.last_seq > flushed);
        let active = self.segment.as_ref().map(Segment::number);
        let none_needed = self.retired.back().map_or(0, |newest| newest.number + 1);
        needed.map(|retired| retired.number).or(active).unwrap_or(none_needed)
    }

    /// Ends the active segment if everything in it is in tables up to `flushed`, so that it need not
    /// be read again: the next batch begins another one.
    pub fn retire_flushed(&mut self, flushed: Seq) {
        let is_used = self.segment.as_ref().is_some_and(|s| s.first_seq() <= self.last_seq);
        if is_used && self.last_seq <= flushed {
            self.retire();
        }
    }

    /// Every segment with records, oldest first.
    pub fn segments(&self) -> Vec<Retired> {
        let active = self.segment.as_ref().map(|segment| Retired {
            number: segment.number(),
            first_seq: segment.first_seq(),
            last_seq: self.last_seq,
            end: segment.end(),
            unsynced: None,
        });
        self.retired.iter().cloned().chain(active).collect()
    }

    /// Sequence number of the last batch.
    pub fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// Bytes of records appended since the log was opened.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// Bytes of all segments, without unused space.
    pub fn bytes(&self) -> u64 {
        self.segments().iter().map(|segment| segment.end as u64).sum()
    }

    /// The database directory.
    pub fn dir(&self) -> &Path {
        &self.spares.env.dir
    }
}
