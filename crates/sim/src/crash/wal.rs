//! The log alone: appends, syncs, rolls and spares, crashed at every change of the file system.
//!
//! What recovery must give: batches 1..=n without a gap, n not below the last finished sync (power
//! cut) or the last acknowledged batch (process crash), and no complaint: nothing is corrupt.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aidb_base::{Result, Rng, Seq, hash};
use aidb_engine::file_names::FileKind;
use aidb_engine::vfs::Vfs;
use aidb_engine::wal::log::{Log, LogEnv};
use aidb_engine::wal::recovery::{Scope, recover};

use crate::disk::Loss;
use crate::vfs::{FaultVfs, Moment};

const UUID: [u8; 16] = *b"a log on its own";
const DIR: &str = "/db";

/// What held when so many changes of the file system had been made.
#[derive(Clone, Copy)]
struct Promise {
    at: u64,
    appended: Seq,
    synced: Seq,
}

/// A recorded history of one log.
pub struct LogHistory {
    moments: Vec<Moment>,
    end: FaultVfs,
    promises: Vec<Promise>,
}

fn payload(seq: Seq) -> Vec<u8> {
    let mut rng = Rng::seeded(seq);
    let len = [0, 5, 40, 300, 1500, 9000][rng.below(6) as usize] as usize;
    (0..len).map(|_| rng.next_u64() as u8 & 0x81).collect()
}

impl LogHistory {
    /// Performs `steps` operations drawn from `seed`.
    ///
    /// # Errors
    /// None on a healthy disk.
    pub fn perform(seed: u64, steps: usize) -> Result<Self> {
        let mut rng = Rng::seeded(seed);
        let vfs = FaultVfs::default();
        vfs.create_dir_all(&FileKind::Wal.dir(Path::new(DIR)))?;
        vfs.sync_dir(Path::new("/"))?;
        vfs.sync_dir(Path::new(DIR))?;
        vfs.record();
        let start = vfs.changes();
        let numbers = AtomicU64::new(1);
        let mut log = Log::new(
            LogEnv {
                vfs: Arc::new(vfs.clone()),
                dir: DIR.into(),
                uuid: UUID,
                mapped: rng.below(2) == 0,
                segment_bytes_max: 8 << 10,
                next_number: Box::new(move || numbers.fetch_add(1, Ordering::Relaxed)),
            },
            Vec::new(),
            0,
            1,
        );
        let mut promise = Promise { at: 0, appended: 0, synced: 0 };
        let mut promises = vec![promise];
        for _ in 0..steps {
            step(&mut log, &mut promise, &mut rng)?;
            promise.at = vfs.changes() - start;
            promises.push(promise);
        }
        if rng.below(2) == 0 {
            log.close()?;
            promise.synced = promise.appended;
            promises.push(Promise { at: vfs.changes() - start, ..promise });
        }
        Ok(Self { moments: vfs.take_moments(), end: vfs, promises })
    }

    /// How many moments there are.
    pub fn moments(&self) -> u64 {
        self.moments.len() as u64 + 1
    }

    /// Crashes before change `moment` and recovers.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn crash(&self, moment: u64, loss: Loss, seed: u64) -> std::result::Result<(), String> {
        let mut rng = Rng::seeded(seed);
        let mut disk = self.end.disk();
        if let Some(Moment { before, write, .. }) = self.moments.get(moment as usize) {
            disk = before.clone();
            if let Some((id, offset, bytes)) = write {
                let len = rng.below(bytes.len() as u64 + 1) as usize;
                let _ = disk.write(*id, *offset, &bytes[..len]);
            }
        }
        let last = replay(&FaultVfs::on(disk.after(loss, &mut rng)))?;
        let held = self.promises.iter().rfind(|promise| promise.at <= moment);
        let next = self.promises.iter().find(|promise| promise.at > moment);
        let held = held.copied().unwrap_or(Promise { at: 0, appended: 0, synced: 0 });
        let low = if loss.is_power_cut() { held.synced } else { held.appended };
        let high = next.map_or(held.appended, |next| next.appended);
        if last < low || last > high {
            return Err(format!("recovered up to {last}, promised {low}, appended {high}"));
        }
        Ok(())
    }
}

fn step(log: &mut Log, promise: &mut Promise, rng: &mut Rng) -> Result<()> {
    match rng.below(8) {
        0 | 1 => {
            let plan = log.sync_plan();
            // The leader syncs without the lock: others append meanwhile.
            for _ in 0..rng.below(3) {
                append(log, promise)?;
            }
            plan.run()?;
            log.note_synced(&plan);
            promise.synced = promise.synced.max(plan.last_seq);
        }
        2 => log.spares().prepare()?,
        _ => append(log, promise)?,
    }
    Ok(())
}

fn append(log: &mut Log, promise: &mut Promise) -> Result<()> {
    let seq = promise.appended + 1;
    let bytes = payload(seq);
    log.append_batch(seq, &bytes, hash::digest(&bytes))?;
    promise.appended = seq;
    Ok(())
}

fn replay(vfs: &FaultVfs) -> std::result::Result<Seq, String> {
    let scope = Scope {
        progress: &|_, _| {},
        dir: Path::new(DIR),
        uuid: &UUID,
        floor: 0,
        flushed_seq: 0,
        kept_seq: None,
        distrust: false,
        salvage: false,
    };
    let mut last = 0;
    let mut gap = None;
    let recovered = recover(vfs, scope, &mut |seq, bytes| {
        if seq != last + 1 || bytes != payload(seq) {
            gap.get_or_insert(format!("batch {seq} after {last} is not what was appended"));
        }
        last = seq;
        Ok(())
    });
    let recovered = recovered.map_err(|e| format!("recovery refuses: {e}"))?;
    match gap {
        Some(gap) => Err(gap),
        None if recovered.last_seq != last => {
            Err(format!("recovery says {}, gave {last}", recovered.last_seq))
        }
        None => Ok(last),
    }
}
