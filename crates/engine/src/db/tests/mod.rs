//! Claims about the database as a whole, on the in-memory file system with tiny limits.

mod basics;
mod elsewhere;
mod expiry;
mod feed;
mod ingest;
mod model;
mod portions;
mod recount;
mod reopen;
mod replay;

use std::path::Path;
use std::sync::Arc;

use aidb_base::{KeyspaceId, ManualClock};

use super::{DEFAULT_KEYSPACE, Db, ScanRange, WriteOptions};
use crate::batch::WriteBatch;
use crate::options::{Env, Options};
use crate::vfs::MemVfs;

const KS: KeyspaceId = DEFAULT_KEYSPACE;
const DIR: &str = "/db";

/// A file system and a clock that outlive the databases opened on them.
struct World {
    vfs: Arc<MemVfs>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        Self { vfs: Arc::new(MemVfs::new()), clock: Arc::new(ManualClock::at(1_000_000)) }
    }

    /// Limits so small that a few hundred operations reach several levels.
    fn options(&self) -> Options {
        Options {
            env: Env { vfs: self.vfs.clone(), clock: self.clock.clone() },
            memtable_bytes_max: 4096,
            memtables_bytes_max: 1 << 20,
            cache_bytes_max: 64 << 10,
            block_bytes: 128,
            table_bytes_max: 4096,
            level_base_bytes: 16 << 10,
            level_fanout: 4,
            blob_bytes_min: 256,
            background: false,
            ..Options::default()
        }
    }

    fn open(&self) -> Db {
        Db::open(Path::new(DIR), self.options()).unwrap()
    }
}

fn put(db: &Db, key: &[u8], value: &[u8]) {
    db.put(KS, key, value, 0, WriteOptions::default()).unwrap();
}

fn delete(db: &Db, key: &[u8]) {
    db.delete(KS, key, WriteOptions::default()).unwrap();
}

fn all(db: &Db, reverse: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut scan = db.scan(KS, ScanRange { reverse, ..ScanRange::default() }).unwrap();
    let mut items = Vec::new();
    while let Some((key, value)) = scan.next().unwrap() {
        items.push((key.to_vec(), value.to_vec()));
    }
    items
}
