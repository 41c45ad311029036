//! One suite of claims, run over every file system of this crate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aidb_base::{Attempt, ErrorKind};

use super::{MemVfs, OsVfs, Vfs};

/// Name, file system, directory, and what keeps that.
type World = (&'static str, Arc<dyn Vfs>, PathBuf, Option<tempfile::TempDir>);

/// A directory of its own on each file system.
fn worlds() -> Vec<World> {
    let temporary = tempfile::tempdir().unwrap();
    let memory = MemVfs::new();
    memory.create_dir_all(Path::new("/work")).unwrap();
    vec![
        ("os", Arc::new(OsVfs::new()), temporary.path().to_owned(), Some(temporary)),
        ("mem", Arc::new(memory), PathBuf::from("/work"), None),
    ]
}

fn each(claim: impl Fn(&dyn Vfs, &Path)) {
    for (name, vfs, dir, _keep) in worlds() {
        eprintln!("on {name}");
        claim(vfs.as_ref(), &dir);
    }
}

fn write(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) {
    let mut file = vfs.create(path).unwrap();
    file.append(bytes).unwrap();
    file.sync().unwrap();
}

fn read(vfs: &dyn Vfs, path: &Path) -> Vec<u8> {
    let file = vfs.open_read(path).unwrap();
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

fn names(vfs: &dyn Vfs, dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        vfs.list_dir(dir).unwrap().iter().map(|name| name.display().to_string()).collect();
    names.sort();
    names
}

fn kind<T>(result: aidb_base::Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("must fail"),
        Err(error) => error.kind(),
    }
}

#[test]
fn appended_bytes_are_read_back_by_position() {
    each(|vfs, dir| {
        let path = dir.join("a");
        let mut file = vfs.create(&path).unwrap();
        assert!(file.is_empty());
        file.append(b"hello ").unwrap();
        file.append(b"").unwrap();
        file.append(b"world").unwrap();
        assert_eq!(file.len(), 11);
        file.sync().unwrap();
        file.syncer().sync_data().unwrap();
        let reader = vfs.open_read(&path).unwrap();
        assert_eq!((reader.len(), reader.is_empty()), (11, false));
        let mut word = [0; 5];
        reader.read_exact_at(6, &mut word).unwrap();
        assert_eq!(&word, b"world");
        assert_eq!(vfs.file_len(&path).unwrap(), 11);
    });
}

#[test]
fn reading_past_the_end_is_corruption_that_names_the_file() {
    each(|vfs, dir| {
        write(vfs, &dir.join("short"), b"abc");
        let reader = vfs.open_read(&dir.join("short")).unwrap();
        let error = reader.read_exact_at(1, &mut [0; 3]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corruption);
        assert!(error.message().contains("short") && error.message().contains("offset 1"));
        assert_eq!(kind(reader.read_exact_at(1 << 40, &mut [0; 1])), ErrorKind::Corruption);
    });
}

#[test]
fn create_refuses_an_existing_name_and_a_missing_directory() {
    each(|vfs, dir| {
        write(vfs, &dir.join("a"), b"1");
        assert_eq!(kind(vfs.create(&dir.join("a"))), ErrorKind::Invalid);
        assert_eq!(kind(vfs.create_mapped(&dir.join("a"), 10)), ErrorKind::Invalid);
        assert_eq!(kind(vfs.create(&dir.join("no/a"))), ErrorKind::Invalid);
        assert_eq!(kind(vfs.create(&dir.join("a/b"))), ErrorKind::Invalid);
        assert_eq!(read(vfs, &dir.join("a")), b"1");
    });
}

#[test]
fn opening_or_measuring_a_missing_file_is_invalid() {
    each(|vfs, dir| {
        assert_eq!(kind(vfs.open_read(&dir.join("a"))), ErrorKind::Invalid);
        assert_eq!(kind(vfs.file_len(&dir.join("a"))), ErrorKind::Invalid);
        assert_eq!(kind(vfs.truncate(&dir.join("a"), 0)), ErrorKind::Invalid);
        assert_eq!(kind(vfs.list_dir(&dir.join("a"))), ErrorKind::Invalid);
        assert!(vfs.sync_dir(&dir.join("a")).is_err());
    });
}

#[test]
fn a_large_range_just_written_and_read_is_in_memory() {
    each(|vfs, dir| {
        let bytes: Vec<u8> = (0..1_000_003u32).map(|i| i as u8).collect();
        write(vfs, &dir.join("a"), &bytes);
        let reader = vfs.open_read(&dir.join("a")).unwrap();
        assert_eq!(reader.map().unwrap(), bytes);
        assert!(reader.is_resident(0, bytes.len()));
        assert!(reader.is_resident(5000, 600_000));
        assert!(reader.is_resident(1_000_002, 100));
    });
}

#[test]
fn a_mapping_shows_the_file_and_an_empty_file_has_none() {
    each(|vfs, dir| {
        write(vfs, &dir.join("a"), b"mapped");
        write(vfs, &dir.join("empty"), b"");
        let reader = vfs.open_read(&dir.join("a")).unwrap();
        assert_eq!(reader.map().unwrap(), b"mapped");
        assert!(reader.is_resident(0, 6));
        reader.drop_cache(0, 6);
        assert_eq!(reader.map().unwrap(), b"mapped");
        let empty = vfs.open_read(&dir.join("empty")).unwrap();
        assert!(empty.is_empty() && empty.map().is_none());
        empty.read_exact_at(0, &mut []).unwrap();
    });
}

#[test]
fn a_mapping_outlives_the_removal_of_its_file() {
    each(|vfs, dir| {
        write(vfs, &dir.join("a"), b"still here");
        let reader = vfs.open_read(&dir.join("a")).unwrap();
        vfs.remove(&dir.join("a")).unwrap();
        assert!(!vfs.exists(&dir.join("a")).unwrap());
        assert_eq!(reader.map().unwrap(), b"still here");
        let mut bytes = [0; 5];
        reader.read_exact_at(6, &mut bytes[..4]).unwrap();
        assert_eq!(&bytes[..4], b"here");
    });
}

#[test]
fn a_read_that_must_not_wait_is_right_when_it_answers() {
    each(|vfs, dir| {
        write(vfs, &dir.join("a"), b"0123456789");
        let reader = vfs.open_read(&dir.join("a")).unwrap();
        let mut bytes = [0; 4];
        if let Attempt::Done(()) = reader.try_read_exact_at(3, &mut bytes).unwrap() {
            assert_eq!(&bytes, b"3456");
        }
    });
}

#[test]
fn a_mapped_file_starts_as_zeroes_and_keeps_what_is_written() {
    each(|vfs, dir| {
        let path = dir.join("log");
        let Some(mut file) = vfs.create_mapped(&path, 8192).unwrap() else {
            assert!(!vfs.exists(&path).unwrap(), "an unsupported mapping leaves no file");
            return;
        };
        assert_eq!(file.capacity(), 8192);
        let early = vfs.open_read(&path).unwrap();
        file.write_at(4090, b"across pages");
        file.write_at(8191, b"!");
        file.syncer().sync_data().unwrap();
        let bytes = read(vfs, &path);
        assert_eq!(bytes.len(), 8192);
        assert_eq!(&bytes[4090..4102], b"across pages");
        assert_eq!((bytes[0], bytes[8190], bytes[8191]), (0, 0, b'!'));
        let mut late = [0; 12];
        early.read_exact_at(4090, &mut late).unwrap();
        assert_eq!(&late, b"across pages", "a reader sees what was written after it was opened");
    });
}

#[test]
fn what_was_written_to_a_mapped_file_is_shared_while_more_comes() {
    each(|vfs, dir| {
        let path = dir.join("log");
        let bytes = 3 << 20;
        let Some(mut file) = vfs.create_mapped(&path, bytes).unwrap() else { return };
        let Some(shared) = file.shared() else { return };
        file.write_at(8, b"first");
        let first = shared.bytes(8..13);
        assert!(shared.holds(first) && !shared.holds(b"elsewhere"));
        std::thread::scope(|scope| {
            scope
                .spawn(|| (0..bytes as usize).step_by(100_000).for_each(|end| shared.prepare(end)));
            for at in (16..bytes as usize - 8).step_by(4099) {
                file.write_at(at, &at.to_le_bytes());
            }
        });
        vfs.remove(&path).unwrap();
        drop(file);
        assert_eq!(first, b"first");
        for at in (16..bytes as usize - 8).step_by(4099) {
            assert_eq!(
                shared.bytes(at..at + 8),
                at.to_le_bytes(),
                "preparing spares what is written"
            );
        }
    });
}

#[test]
fn rename_replaces_its_target_and_needs_its_source() {
    each(|vfs, dir| {
        write(vfs, &dir.join("a"), b"new");
        write(vfs, &dir.join("b"), b"old");
        let old = vfs.open_read(&dir.join("b")).unwrap();
        vfs.rename(&dir.join("a"), &dir.join("b")).unwrap();
        vfs.sync_dir(dir).unwrap();
        assert_eq!(names(vfs, dir), ["b"]);
        assert_eq!(read(vfs, &dir.join("b")), b"new");
        assert_eq!(old.map().unwrap(), b"old");
        assert_eq!(kind(vfs.rename(&dir.join("a"), &dir.join("b"))), ErrorKind::Invalid);
        assert_eq!(kind(vfs.rename(&dir.join("b"), &dir.join("no/b"))), ErrorKind::Invalid);
        assert_eq!(read(vfs, &dir.join("b")), b"new");
    });
}

#[test]
fn renaming_a_directory_moves_everything_below_it() {
    each(|vfs, dir| {
        vfs.create_dir_all(&dir.join("from/deep")).unwrap();
        write(vfs, &dir.join("from/deep/a"), b"1");
        write(vfs, &dir.join("from2"), b"2");
        vfs.rename(&dir.join("from"), &dir.join("to")).unwrap();
        assert_eq!(names(vfs, dir), ["from2", "to"]);
        assert_eq!(read(vfs, &dir.join("to/deep/a")), b"1");
        assert!(!vfs.exists(&dir.join("from/deep")).unwrap());
        vfs.create_dir_all(&dir.join("again")).unwrap();
        assert!(vfs.rename(&dir.join("again"), &dir.join("to")).is_err(), "target is not empty");
    });
}

#[test]
fn removing_nothing_is_no_error_and_removing_a_directory_is() {
    each(|vfs, dir| {
        vfs.remove(&dir.join("nothing")).unwrap();
        vfs.create_dir_all(&dir.join("d")).unwrap();
        assert!(vfs.remove(&dir.join("d")).is_err());
        assert!(vfs.exists(&dir.join("d")).unwrap());
    });
}

#[test]
fn a_hard_link_is_the_same_file_under_a_second_name() {
    each(|vfs, dir| {
        write(vfs, &dir.join("a"), b"both");
        vfs.hard_link(&dir.join("a"), &dir.join("b")).unwrap();
        assert_eq!(kind(vfs.hard_link(&dir.join("a"), &dir.join("b"))), ErrorKind::Invalid);
        assert_eq!(kind(vfs.hard_link(&dir.join("x"), &dir.join("y"))), ErrorKind::Invalid);
        vfs.remove(&dir.join("a")).unwrap();
        assert_eq!(read(vfs, &dir.join("b")), b"both");
    });
}

#[test]
fn truncate_cuts_and_grows_with_zeroes() {
    each(|vfs, dir| {
        let path = dir.join("a");
        write(vfs, &path, b"abcdef");
        vfs.truncate(&path, 2).unwrap();
        assert_eq!(read(vfs, &path), b"ab");
        vfs.truncate(&path, 4).unwrap();
        assert_eq!(read(vfs, &path), b"ab\0\0");
    });
}

#[test]
fn directories_are_created_with_parents_and_listed_without_what_is_below() {
    each(|vfs, dir| {
        vfs.create_dir_all(&dir.join("x/y/z")).unwrap();
        vfs.create_dir_all(&dir.join("x/y")).unwrap();
        write(vfs, &dir.join("x/f"), b"");
        write(vfs, &dir.join("x/y/g"), b"");
        assert_eq!(names(vfs, &dir.join("x")), ["f", "y"]);
        assert_eq!(names(vfs, &dir.join("x/y")), ["g", "z"]);
        assert!(names(vfs, &dir.join("x/y/z")).is_empty());
        assert!(vfs.exists(&dir.join("x/y")).unwrap() && !vfs.exists(&dir.join("y")).unwrap());
        assert_eq!(kind(vfs.create_dir_all(&dir.join("x/f/h"))), ErrorKind::Invalid);
        assert_eq!(kind(vfs.list_dir(&dir.join("x/f"))), ErrorKind::Invalid);
        vfs.sync_dir(&dir.join("x")).unwrap();
    });
}

#[test]
fn a_lock_is_exclusive_names_its_holder_and_ends_with_its_guard() {
    each(|vfs, dir| {
        let path = dir.join("LOCK");
        let held = vfs.lock(&path).unwrap();
        let Err(error) = vfs.lock(&path) else { panic!("locked twice") };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains(&std::process::id().to_string()), "{error}");
        drop(held);
        let again = vfs.lock(&path).unwrap();
        let other = vfs.lock(&dir.join("OTHER")).unwrap();
        drop((again, other));
        assert_eq!(names(vfs, dir), ["LOCK", "OTHER"]);
        assert_eq!(kind(vfs.lock(&dir.join("no/LOCK"))), ErrorKind::Invalid);
    });
}

#[test]
fn free_space_and_boot_id_are_stable() {
    each(|vfs, dir| {
        assert!(vfs.free_bytes(dir).unwrap() > 0);
        assert_eq!(vfs.boot_id(), vfs.boot_id());
    });
}

#[test]
fn in_memory_paths_have_one_name() {
    let vfs = MemVfs::new();
    vfs.create_dir_all(Path::new("db/./wal")).unwrap();
    write(&vfs, Path::new("db/wal/../a"), b"1");
    assert_eq!(read(&vfs, Path::new("/db/a")), b"1");
    assert_eq!(names(&vfs.clone(), Path::new("/db/")), ["a", "wal"]);
}

#[test]
fn an_in_memory_mapping_stays_frozen_under_a_writer() {
    let vfs = MemVfs::new();
    let path = Path::new("/a");
    let mut file = vfs.create(path).unwrap();
    file.append(b"one").unwrap();
    let reader = vfs.open_read(path).unwrap();
    assert_eq!(reader.map().unwrap(), b"one");
    file.append(b" two").unwrap();
    vfs.truncate(path, 1).unwrap();
    assert_eq!(reader.map().unwrap(), b"one");
    file.append(b"!").unwrap();
    assert_eq!(read(&vfs, path), b"o\0\0\0\0\0\0!");
}
