//! Files and commands into a store and out of it; the wider tests are with a real Redis.

use std::sync::Arc;

use aidb_base::ManualClock;
use aidb_engine::options::{Env, Options};
use aidb_rdb::{Checksum, File, Kind, Records, Writer};

use super::*;

const NOW_MS: u64 = 1_700_000_000_000;

fn database() -> Db {
    let env = Env { clock: Arc::new(ManualClock::at(NOW_MS)), ..Env::default() };
    Db::open_in_memory(Options { env, ..Options::default() }).expect("a database")
}

fn importer() -> Importer {
    Importer::new(database(), Existing::Replace).expect("an importer")
}

/// A file with a hash of `fields` fields and one string per database given.
fn file_of(fields: u64, databases: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut records = Records::new(&mut bytes);
    records.header();
    records.function(b"#!lua name=lib\nredis.register_function('f', function() end)");
    for database in databases {
        let mut records = Records::new(&mut bytes);
        records.database(*database, 2);
        records.key(Kind::String, b"text", NOW_MS + 1000);
        Writer::new(&mut bytes, true).string(b"value");
        Records::new(&mut bytes).key(Kind::String, b"gone", NOW_MS - 1);
        Writer::new(&mut bytes, true).string(b"value");
        Records::new(&mut bytes).key(Kind::Hash, b"hash", 0);
        let mut out = Writer::new(&mut bytes, true);
        out.length(fields);
        for field in 0..fields {
            out.string(format!("field:{field}").as_bytes());
            out.string(&[b'v'; 100]);
        }
    }
    let mut checksum = Checksum::default();
    checksum.add(&bytes);
    bytes.extend(checksum.end());
    bytes
}

fn load(importer: &mut Importer, bytes: &[u8]) -> Result<bool> {
    let mut file = File::open(bytes)?;
    importer.load(&mut file, || true)
}

#[test]
fn a_file_is_loaded_with_exact_counts() {
    let mut importer = importer();
    assert!(load(&mut importer, &file_of(30_000, &[0, 3, 16])).expect("a whole file"));
    assert_eq!(importer.lengths().expect("lengths")[..4], [2, 0, 0, 2]);
    let report = importer.report();
    assert_eq!((report.expired, report.libraries, report.unfit), (2, 1, 3));
    let keys: Vec<_> = report.keys().filter(|(_, count)| *count > 0).collect();
    assert_eq!(keys, [("string", 2), ("hash", 2)]);
    assert_eq!(report.shown[0].why, "logical databases end at 15");
    let one = importer.fingerprint(0, b"hash").expect("a read");
    assert!(one.is_some() && one == importer.fingerprint(3, b"hash").expect("a read"));
    assert_eq!(importer.fingerprint(0, b"gone").expect("a read"), None);
}

#[test]
fn loading_goes_on_step_by_step() {
    let bytes = file_of(10, &[0, 1, 2]);
    let mut importer = importer();
    let mut file = File::open(bytes.as_slice()).expect("a file");
    let mut steps = 0;
    let mut more = [true, false].into_iter().cycle();
    while !importer.load(&mut file, || more.next() == Some(true)).expect("a whole file") {
        steps += 1;
    }
    assert!(steps > 9);
    assert_eq!(importer.lengths().expect("lengths")[..3], [2, 2, 2]);
}

#[test]
fn keys_that_are_there_may_stay() {
    let bytes = file_of(10, &[0]);
    let db = database();
    let mut importer = Importer::new(db.clone(), Existing::Replace).expect("an importer");
    load(&mut importer, &bytes).expect("a whole file");
    let before = importer.fingerprint(0, b"hash").expect("a read");
    let mut importer = Importer::new(db, Existing::Keep).expect("an importer");
    load(&mut importer, &file_of(20, &[0])).expect("a whole file");
    assert_eq!((importer.report().kept, importer.lengths().expect("lengths")[0]), (2, 2));
    assert_eq!(importer.fingerprint(0, b"hash").expect("a read"), before);
}

#[test]
fn a_torn_file_leaves_what_came_before() {
    let bytes = file_of(3000, &[0, 1]);
    let mut importer = importer();
    assert!(load(&mut importer, &bytes[..bytes.len() - 100]).is_err());
    let lengths = importer.lengths().expect("lengths");
    assert_eq!((lengths[0], lengths[1]), (2, 1));
}

fn commands(lines: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        out.extend(format!("*{}\r\n", words.len()).bytes());
        words.iter().for_each(|w| out.extend(format!("${}\r\n{w}\r\n", w.len()).bytes()));
    }
    out
}

fn start() -> Progress {
    Progress {
        phase: Phase::Loading,
        database: 0,
        offset: 100,
        history: "h".repeat(40),
        source: "redis://here".to_owned(),
    }
}

#[test]
fn commands_are_applied_with_their_offset() {
    let mut importer = importer();
    let mut progress = start();
    let lines = ["SELECT 2", "SET a 1", "INCR a", "MULTI", "RPUSH l x y", "LPOP l", "EXEC"];
    let bytes = commands(&lines);
    let applied = importer.apply(&bytes, &mut progress).expect("commands");
    assert_eq!(applied.bytes, bytes.len());
    assert_eq!((progress.offset, progress.database), (100 + bytes.len() as u64, 2));
    assert_eq!(importer.progress().expect("a record"), Some(progress.clone()));
    assert_eq!(importer.lengths().expect("lengths")[2], 2);
    let bytes = commands(&["REPLCONF GETACK *", "SWAPDB 2 0", "SELECT 0", "INCR a", "EVALX a b"]);
    let applied = importer.apply(&bytes, &mut progress).expect("commands");
    assert!(applied.wants_offset);
    assert_eq!(importer.lengths().expect("lengths")[..3], [2, 0, 0]);
    assert_eq!(importer.report().shown[0].why, "the command evalx of the source is not known here");
    assert_eq!(importer.progress().expect("a record").map(|p| p.phase), Some(Phase::Following));
}

#[test]
fn half_a_transaction_waits_for_the_rest() {
    let bytes = commands(&["SET a 1", "MULTI", "SET b 1", "SET c 1", "EXEC", "SET d 1"]);
    let first = commands(&["SET a 1"]).len();
    for cut in 0..bytes.len() {
        let mut importer = importer();
        let mut progress = start();
        let used = importer.apply(&bytes[..cut], &mut progress).expect("commands").bytes;
        assert!(used <= cut && [0, first].contains(&used) || used > cut.saturating_sub(30));
        assert_ne!(importer.lengths().expect("lengths")[0], 2, "half a transaction at {cut}");
        importer.apply(&bytes[used..], &mut progress).expect("commands");
        assert_eq!(importer.lengths().expect("lengths")[0], 4);
        assert_eq!(progress.offset, 100 + bytes.len() as u64);
    }
}

#[test]
fn what_is_no_command_is_refused() {
    let mut importer = importer();
    assert!(importer.apply(b"*1\r\n+x\r\n", &mut start()).is_err());
}

#[test]
fn what_was_imported_is_exported() {
    let db = database();
    let mut importer = Importer::new(db.clone(), Existing::Replace).expect("an importer");
    load(&mut importer, &file_of(20_000, &[0, 5])).expect("a whole file");
    let prints = [0, 5].map(|database| importer.fingerprint(database, b"hash").expect("a read"));
    let directory = tempfile::tempdir().expect("a directory");
    let env = Env { clock: Arc::new(ManualClock::at(NOW_MS)), ..Env::default() };
    let path = directory.path().join("out.rdb");
    let on_disk = Db::open(&directory.path().join("db"), Options { env, ..Options::default() });
    let on_disk = on_disk.expect("a database");
    let mut copy = Importer::new(on_disk.clone(), Existing::Replace).expect("an importer");
    load(&mut copy, &file_of(20_000, &[0, 5])).expect("a whole file");
    let mut exporter = Exporter::new(on_disk, &path, true).expect("an exporter");
    assert_eq!(exporter.total().expect("a total"), 4);
    let mut more = [true, false].into_iter().cycle();
    while !exporter.step(|| more.next() == Some(true)).expect("a step") {}
    let vfs = Env::default().vfs;
    let file = vfs.open_read(&path).expect("the file");
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes).expect("the bytes");
    let mut again = self::importer();
    assert!(load(&mut again, &bytes).expect("a whole file"));
    assert_eq!(again.report().libraries, 1);
    assert_eq!(prints, [0, 5].map(|d| again.fingerprint(d, b"hash").expect("a read")));
    assert_eq!(again.lengths().expect("lengths"), importer.lengths().expect("lengths"));
}

/// A payload with a hash of three fields, of which one ends at `ends_at`.
fn expiring_hash(ends_at: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = Writer::new(&mut bytes, true);
    out.expiring_hash(ends_at);
    out.length(3);
    for (field, end) in [(b"a", 0), (b"b", ends_at), (b"c", 0)] {
        out.field_expiry(end, ends_at);
        out.string(field);
        out.string(b"value");
    }
    aidb_rdb::payload::close_as(&mut bytes, 12);
    bytes
}

#[test]
fn fields_keep_when_they_expire() {
    for (ends_at, fields) in [(NOW_MS + 5000, 3), (NOW_MS - 1, 2)] {
        let store = Store::open(database(), AppendFsync::No).expect("a store");
        let (mut session, mut scratch) = (Session::default(), Scratch::default());
        let payload = expiring_hash(ends_at);
        let run = |words: &[&[u8]], session: &mut Session, scratch: &mut Scratch| {
            let mut args = crate::resp::ArgsBuffer::default();
            words.iter().for_each(|word| args.push(word));
            let mut out = Vec::new();
            let mut call = call(Access::direct(&store), session, scratch, &mut out);
            call.args = args.args();
            let command = crate::table::lookup(words[0]).expect("known");
            crate::commands::execute(&mut call, command).expect("done");
            out
        };
        run(&[b"restore", b"h", b"0", &payload], &mut session, &mut scratch);
        let len = run(&[b"hlen", b"h"], &mut session, &mut scratch);
        assert_eq!(len, format!(":{fields}\r\n").into_bytes());
        let dumped = run(&[b"dump", b"h"], &mut session, &mut scratch);
        if fields == 3 {
            let end = format!(":{ends_at}\r\n").into_bytes();
            let words: [&[u8]; 5] = [b"hpexpiretime", b"h", b"FIELDS", b"1", b"b"];
            assert!(run(&words, &mut session, &mut scratch).ends_with(&end));
            let behind = dumped.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            assert_eq!(dumped[behind], 24);
            let again = &dumped[behind..dumped.len() - 2];
            let prints = [again, payload.as_slice()].map(|bytes| payload_fingerprint(bytes).ok());
            assert_eq!(prints[0], prints[1]);
        }
    }
}
