//! Writers on several threads, with flushes and compactions beside them, until the world ends.
//!
//! Not repeatable, unlike histories; but what must hold is as exact. Batch `i` of thread `t` sets two
//! keys of the thread to `i`. The sequence numbers that were acknowledged say which batches a
//! recovery up to batch `n` must show and which it must not.

use std::path::Path;

use aidb_base::{Rng, Seq};
use aidb_engine::{Db, Durability, WriteBatch, WriteOptions};

use super::check::Verdict;
use super::setting::{DIR, Setting};
use crate::disk::Loss;
use crate::vfs::FaultVfs;

const THREADS: u64 = 4;

/// An acknowledged batch.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    thread: u64,
    number: u64,
    seq: Seq,
    is_synced: bool,
}

/// Runs one world to its end and checks what every kind of loss leaves of it.
///
/// # Errors
/// What does not hold, in words.
pub fn run(seed: u64) -> Verdict<()> {
    let mut rng = Rng::seeded(seed);
    let setting = Setting::draw(&mut rng);
    let vfs = FaultVfs::default();
    let vfs = if setting.mappable { vfs } else { vfs.without_mappings() };
    let mut options = setting.options(&vfs);
    options.background = true;
    let db = Db::open(Path::new(DIR), options).map_err(|e| format!("open: {e}"))?;
    vfs.end_at(vfs.changes() + rng.below(3000));
    let acknowledged = write_all(&db, &vfs, &setting, seed);
    drop(db);
    for loss in Loss::ALL {
        let checked = check(&vfs.reboot(loss, rng.next_u64()), &setting, &acknowledged, loss);
        checked.map_err(|what| format!("{setting:?}, {loss:?}: {what}"))?;
    }
    Ok(())
}

fn write_all(db: &Db, vfs: &FaultVfs, setting: &Setting, seed: u64) -> Vec<Acknowledged> {
    std::thread::scope(|scope| {
        let writer = |thread| {
            let mut rng = Rng::seeded(seed ^ (thread + 1) << 32);
            scope.spawn(move || write((db, vfs), setting, thread, &mut rng))
        };
        let writers: Vec<_> = (0..THREADS).map(writer).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap_or_default()).collect()
    })
}

/// Writes until the first refusal, or until the world has ended: stores to memory cannot fail, so
/// what is acknowledged then was not.
fn write(
    (db, vfs): (&Db, &FaultVfs),
    setting: &Setting,
    thread: u64,
    rng: &mut Rng,
) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    for number in 1u64.. {
        let durability = if rng.below(4) == 0 { Some(Durability::Sync) } else { None };
        let level = durability.unwrap_or_default().max(setting.durability);
        let filler = vec![number as u8; rng.below(300) as usize];
        let mut batch = WriteBatch::new();
        let filled = [keys(thread).0, keys(thread).1]
            .iter()
            .try_for_each(|key| batch.put(0, key, &number.to_le_bytes(), 0))
            .and_then(|()| batch.put(0, &rng.below(50).to_le_bytes(), &filler, 0));
        let Ok(seq) = filled.and_then(|()| db.write(&batch, WriteOptions { durability })) else {
            break;
        };
        if vfs.has_ended() {
            break;
        }
        let is_synced = level == Durability::Sync;
        acknowledged.push(Acknowledged { thread, number, seq, is_synced });
    }
    acknowledged
}

fn keys(thread: u64) -> (Vec<u8>, Vec<u8>) {
    (format!("first of {thread}").into_bytes(), format!("second of {thread}").into_bytes())
}

fn check(
    vfs: &FaultVfs,
    setting: &Setting,
    acknowledged: &[Acknowledged],
    loss: Loss,
) -> Verdict<()> {
    let db = Db::open(Path::new(DIR), setting.options(vfs)).map_err(|e| format!("open: {e}"))?;
    let recovered = db.visible_seq();
    let number = |key: &[u8]| -> Verdict<u64> {
        let value = db.get(0, key).map_err(|e| e.to_string())?;
        Ok(value.and_then(|v| v.try_into().ok()).map_or(0, u64::from_le_bytes))
    };
    let mut last = Vec::new();
    for thread in 0..THREADS {
        let (first, second) = keys(thread);
        let (first, second) = (number(&first)?, number(&second)?);
        if first != second {
            return Err(format!("half a batch of thread {thread}: {first} and {second}"));
        }
        last.push(first);
    }
    for batch in acknowledged {
        let is_shown = last[batch.thread as usize] >= batch.number;
        if is_shown != (batch.seq <= recovered) {
            return Err(format!("recovered up to {recovered}, {batch:?} is shown: {is_shown}"));
        }
        let is_promised = batch.is_synced || !loss.is_power_cut();
        if is_promised && !is_shown {
            return Err(format!("recovered up to {recovered}, without {batch:?}"));
        }
    }
    Ok(())
}
