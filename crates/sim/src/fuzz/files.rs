//! Damage to one file of a small, complete database that was closed in order.
//!
//! The input is a list of patches, five bytes each: which file of its kind, where (u16), what to do
//! (overwrite, insert, cut) and a byte. The database must open or say what is wrong, and reads must
//! answer or say what is wrong; nothing may panic or hang.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use aidb_base::ErrorKind;
use aidb_engine::Db;
use aidb_engine::db::ScanRange;
use aidb_engine::vfs::Vfs;

use crate::crash::actor::Actor;
use crate::crash::setting::{DIR, Setting};
use crate::disk::Disk;
use crate::vfs::FaultVfs;

struct Template {
    disk: Disk,
    setting: Setting,
    files: Vec<PathBuf>,
}

/// Patches `CURRENT`.
pub fn current(data: &[u8]) {
    damage("CURRENT", data);
}

/// Patches the manifest.
pub fn manifest(data: &[u8]) {
    damage("MANIFEST", data);
}

/// Patches a log segment.
pub fn log(data: &[u8]) {
    damage(".log", data);
}

/// Patches a table.
pub fn table(data: &[u8]) {
    damage(".sst", data);
}

/// Patches a blob file.
pub fn blob(data: &[u8]) {
    damage(".blob", data);
}

fn damage(kind: &str, data: &[u8]) {
    let template = template();
    let named = |path: &&PathBuf| path.to_string_lossy().contains(kind);
    let files: Vec<_> = template.files.iter().filter(named).collect();
    assert!(!files.is_empty(), "the template has no {kind}");
    let vfs = FaultVfs::on(template.disk.clone());
    for patch in data.chunks_exact(5) {
        let path = files[usize::from(patch[0] & 0x3f) % files.len()];
        let at = usize::from(u16::from_le_bytes([patch[1], patch[2]]));
        apply(&vfs, path, at, patch[3], patch[4]);
    }
    visit(&vfs, &template.setting);
}

fn apply(vfs: &FaultVfs, path: &Path, at: usize, action: u8, byte: u8) {
    let mut bytes = read(vfs, path);
    let at = at % (bytes.len() + 1);
    match action % 4 {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, byte),
        _ => {
            if let Some(target) = bytes.get_mut(at) {
                *target = byte;
            }
        }
    }
    replace(vfs, path, &bytes);
}

/// Reads everything; damage must be reported as damage.
fn visit(vfs: &FaultVfs, setting: &Setting) {
    let db = match Db::open(Path::new(DIR), setting.options(vfs)) {
        Ok(db) => db,
        Err(error) => {
            let told = matches!(error.kind(), ErrorKind::Corruption | ErrorKind::Invalid);
            assert!(told, "{:?}: {error}", error.kind());
            return;
        }
    };
    for (keyspace, _, _) in db.keyspaces() {
        for reverse in [false, true] {
            let range = ScanRange { lower: None, upper: None, reverse };
            let Ok(mut scan) = db.scan(keyspace, range) else { continue };
            while let Ok(Some(_)) = scan.next() {}
        }
        let _ = db.get(keyspace, b"key02");
        let _ = db.len(keyspace);
    }
    let _ = db.compact(None);
    let _ = db.close();
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let build = |seed| {
            let mut actor = Actor::new(seed);
            actor.open()?;
            (0..120).try_for_each(|_| actor.step())?;
            if let Some(db) = actor.db.take() {
                db.close()?;
            }
            let files = ["", "wal", "sst", "blob"].iter().flat_map(|dir| list(&actor.vfs, dir));
            let (files, disk) = (files.collect::<Vec<_>>(), actor.vfs.disk());
            Ok::<_, aidb_base::Error>(Template { disk, setting: actor.setting, files })
        };
        let kinds = ["CURRENT", "MANIFEST", ".log", ".sst", ".blob"];
        let complete = |template: &Template| {
            let has = |kind| template.files.iter().any(|f| f.to_string_lossy().contains(kind));
            template.setting.mappable && kinds.into_iter().all(has)
        };
        let mut built = (0..500).map(build).filter_map(Result::ok);
        built.find(complete).unwrap_or_else(|| panic!("no history makes a file of every kind"))
    })
}

fn list(vfs: &FaultVfs, dir: &str) -> Vec<PathBuf> {
    let dir = Path::new(DIR).join(dir);
    let names = vfs.list_dir(&dir).unwrap_or_default();
    let mut paths: Vec<_> = names.into_iter().map(|name| dir.join(name)).collect();
    paths.sort();
    paths
}

fn read(vfs: &FaultVfs, path: &Path) -> Vec<u8> {
    let disk = vfs.disk();
    let contents = disk.find(path).and_then(|id| disk.contents(id).cloned());
    contents.map(|bytes| bytes.to_vec()).unwrap_or_default()
}

fn replace(vfs: &FaultVfs, path: &Path, bytes: &[u8]) {
    let written = vfs.remove(path).and_then(|()| vfs.create(path));
    written.and_then(|mut file| file.append(bytes)).unwrap_or_else(|e| panic!("{e}"));
}
