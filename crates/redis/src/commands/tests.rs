//! Commands against an in-memory database and a clock that stands still; the wider comparison is
//! with a real Redis in `tests/conformance`.

use std::sync::Arc;

use aidb_base::ManualClock;
use aidb_engine::db::Db;
use aidb_engine::options::{Env, Options};
use proptest::prelude::*;

use super::*;
use crate::resp::{Parser, Protocol, RequestLimits};
use crate::store::{AppendFsync, Store};
use crate::table::lookup;

pub(super) const NOW_MS: u64 = 1_700_000_000_000;

pub(super) struct Server {
    pub(super) store: Store,
    pub(super) clock: Arc<ManualClock>,
    pub(super) session: Session,
    scratch: Scratch,
}

impl Server {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let env = Env { clock: Arc::clone(&clock) as _, ..Env::default() };
        let db = Db::open_in_memory(Options { env, ..Options::default() }).expect("a database");
        let store = Store::open(db, AppendFsync::No).expect("a store");
        Self { store, clock, session: Session::default(), scratch: Scratch::default() }
    }

    /// The reply to an inline command, errors as their line.
    pub(super) fn run(&mut self, line: &str) -> String {
        self.run_as(line, Mode::Wait).expect("waiting is allowed")
    }

    pub(super) fn run_as(&mut self, line: &str, mode: Mode) -> Option<String> {
        let mut parser = Parser::new();
        let line = format!("{line}\n");
        let limits = RequestLimits { bulk_bytes_max: 1024, is_stranger: false };
        parser.parse(line.as_bytes(), limits).expect("a command");
        let args = parser.args(line.as_bytes());
        let mut out = Vec::new();
        let command = lookup(args.get(0)).expect("known");
        assert!(command.accepts(args.len()), "{line}");
        let mut call = Call {
            store: Access::direct(&self.store),
            session: &mut self.session,
            args,
            reply: Reply::new(&mut out, Protocol::Resp2),
            scratch: &mut self.scratch,
            mode,
        };
        match execute(&mut call, command) {
            Ok(()) => {}
            Err(Stop::Fail(line)) => return Some(String::from_utf8_lossy(&line).into_owned()),
            Err(Stop::WouldBlock | Stop::Beyond | Stop::Wait(_)) => {
                assert!(out.is_empty());
                return None;
            }
        }
        Some(String::from_utf8_lossy(&out).replace("\r\n", " ").trim_end().to_owned())
    }

    /// Runs lines of `command => reply`.
    pub(super) fn script(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (command, reply) = line.split_once(" => ").expect("a reply");
            assert_eq!(self.run(command), reply, "{command}");
        }
    }
}

#[test]
fn strings_are_set_under_conditions() {
    Server::new().script(
        "SET k v => +OK
        SET k w NX => $-1
        SET k w XX => +OK
        SET other w XX => $-1
        SET k x GET => $1 w
        SET fresh x GET => $-1
        SET fresh y NX GET => $1 x
        GET k => $1 x
        SETNX k y => :0
        SETNX n y => :1
        GETSET k z => $1 x
        GETDEL k => $1 z
        GET k => $-1
        GETDEL k => $-1",
    );
}

#[test]
fn expiry_is_set_kept_and_dropped() {
    let mut server = Server::new();
    server.script(
        "SET k v EX 10 => +OK
        PTTL k => :10000
        SET k w KEEPTTL => +OK
        TTL k => :10
        APPEND k x => :2
        INCRBY n 5 => :5
        TTL k => :10
        SET k v => +OK
        TTL k => :-1
        TTL none => :-2
        PEXPIRE k 1500 => :1
        TTL k => :2
        PEXPIRETIME k => :1700000001500
        EXPIRETIME k => :1700000002
        EXPIRE k 1 GT => :0
        EXPIRE k 1 LT => :1
        EXPIRE k 5 NX => :0
        EXPIRE n 5 GT => :0
        EXPIRE n 5 LT => :1
        PERSIST n => :1
        PERSIST n => :0
        GETEX k PERSIST => $1 v
        TTL k => :-1
        EXPIRE k -1 => :1
        EXISTS k => :0",
    );
    server.run("SET brief v PX 100");
    server.clock.advance_ms(99);
    assert_eq!(server.run("GET brief"), "$1 v");
    server.clock.advance_ms(1);
    assert_eq!(server.run("GET brief"), "$-1");
    assert_eq!(server.run("SET brief v NX"), "+OK");
}

#[test]
fn numbers_add_and_refuse() {
    Server::new().script(
        "INCR n => :1
        DECRBY n 11 => :-10
        INCRBYFLOAT n 0.5 => $4 -9.5
        INCR n => ERR value is not an integer or out of range
        SET big 9223372036854775807 => +OK
        INCR big => ERR increment or decrement would overflow
        GET big => $19 9223372036854775807
        DECRBY big -9223372036854775808 => ERR decrement would overflow",
    );
}

#[test]
fn encodings_are_those_that_redis_reports() {
    let mut server = Server::new();
    let (short, long) = ("x".repeat(44), "x".repeat(45));
    server.run(&format!("MSET int 12 short {short} long {long} notint 012"));
    server.script(
        "OBJECT ENCODING int => $3 int
        OBJECT ENCODING short => $6 embstr
        OBJECT ENCODING long => $3 raw
        OBJECT ENCODING notint => $6 embstr
        APPEND int 3 => :3
        OBJECT ENCODING int => $3 raw
        INCR int => :124
        OBJECT ENCODING int => $3 int
        INCRBYFLOAT int 1 => $3 125
        OBJECT ENCODING int => $6 embstr
        COPY int copy => :1
        OBJECT ENCODING copy => $6 embstr
        SETRANGE made 0 1 => :1
        OBJECT ENCODING made => $3 raw",
    );
}

#[test]
fn keys_move_copy_and_rename_with_their_expiry() {
    Server::new().script(
        "SET k v EX 100 => +OK
        RENAME k l => +OK
        TTL l => :100
        COPY l m DB 3 => :1
        COPY l m DB 3 => :0
        COPY l m DB 3 REPLACE => :1
        MOVE l 3 => :1
        EXISTS l => :0
        SELECT 3 => +OK
        TTL l => :100
        TTL m => :100
        RENAMENX l m => :0
        DBSIZE => :2
        RENAME none x => ERR no such key",
    );
}

#[test]
fn scans_end_and_say_where_they_are() {
    let mut server = Server::new();
    (0..25).for_each(|n| drop(server.run(&format!("SET key:{n} v"))));
    let (mut cursor, mut found) = ("0".to_owned(), 0);
    let mut calls = 0;
    loop {
        let reply = server.run(&format!("SCAN {cursor} COUNT 4"));
        let mut words = reply.split(' ').skip(2);
        cursor = words.next().expect("a cursor").to_owned();
        found += words.next().expect("a count")[1..].parse::<usize>().expect("a number");
        calls += 1;
        if cursor == "0" {
            break;
        }
    }
    assert_eq!((found, calls), (25, 7));
    server.script(
        "SCAN 0 MATCH key:1 COUNT 100 => *2 $1 0 *1 $5 key:1
        SCAN 0 TYPE list COUNT 100 => *2 $1 0 *0
        SCAN x => ERR invalid cursor",
    );
}

#[test]
fn long_commands_never_run_where_waiting_is_forbidden() {
    let mut server = Server::new();
    for line in ["KEYS *", "SCAN 0", "DBSIZE", "FLUSHALL", "RANDOMKEY", "SWAPDB 0 1"] {
        assert_eq!(server.run_as(line, Mode::Try), None, "{line}");
    }
    assert_eq!(server.run_as("SET k v", Mode::Try).as_deref(), Some("+OK"));
    assert_eq!(server.run_as("GET k", Mode::Try).as_deref(), Some("$1 v"));
}

#[test]
fn what_would_block_has_had_no_effect() {
    let mut server = Server::new();
    server.run("MSET {s}a 1 b 2");
    let store = &server.store;
    let db = store.db().clone();
    let seq = db.visible_seq();
    let key = MetaKey::encode(b"{s}a").expect("short");
    // A second store over the same database shares no locks, so the lock is taken on this one.
    let blocked = {
        let _held = store.lock(Mode::Try, &key).expect("free");
        let mut out = Vec::new();
        let mut parser = Parser::new();
        let line = b"MSET b 9 {s}a 9\n";
        parser
            .parse(line, RequestLimits { bulk_bytes_max: 64, is_stranger: false })
            .expect("a command");
        let mut session = Session::default();
        let mut call = Call {
            store: Access::direct(store),
            session: &mut session,
            args: parser.args(line),
            reply: Reply::new(&mut out, Protocol::Resp2),
            scratch: &mut server.scratch,
            mode: Mode::Try,
        };
        matches!(execute(&mut call, lookup(b"mset").expect("known")), Err(Stop::WouldBlock))
    };
    assert!(blocked);
    assert_eq!(db.visible_seq(), seq);
    assert_eq!(server.run("MGET {s}a b"), "*2 $1 1 $1 2");
}

#[test]
fn members_of_ended_collections_are_removed_and_others_stay() {
    let mut server = Server::new();
    let many: String = (0..300).map(|n| format!(" m{n}")).collect();
    for key in ["kept", "deleted", "overwritten", "renamed", "expiring"] {
        server.run(&format!("SADD {key}{many}"));
    }
    server.script("DEL deleted => :1\nSET overwritten v => +OK\nRENAME renamed other => +OK");
    server.run("PEXPIRE expiring 10");
    server.clock.advance_ms(10);
    assert_eq!(server.store.reclaim().expect("reclaimed"), 3);
    assert_eq!(server.store.reclaim().expect("reclaimed"), 0);
    let members = server.store.keyspaces(0).members;
    assert_eq!(server.store.db().len(members).expect("a length"), 2 * 301);
    server.script("SISMEMBER kept m7 => :1\nSISMEMBER other m7 => :1\nSCARD other => :300");
}

proptest! {
    #[test]
    fn ranges_are_those_of_a_model(text in "[a-z]{0,8}", start in -12i64..12, end in -12i64..12) {
        let mut server = Server::new();
        server.run(&format!("SET k '{text}'"));
        let len = text.len() as i64;
        let from = if start < 0 { (len + start).max(0) } else { start };
        let to = if end < 0 { len + end } else { end.min(len - 1) };
        // Redis lets a negative end before the start mean the first byte.
        let to = if to < 0 && !(start < 0 && start > end) { 0 } else { to };
        let expected = (from..=to).filter_map(|i| text.chars().nth(i as usize)).collect::<String>();
        let reply = server.run(&format!("GETRANGE k {start} {end}"));
        prop_assert_eq!(reply, format!("${} {expected}", expected.len()).trim_end().to_owned());
    }
}

#[test]
fn short_walks_over_large_collections_need_no_other_thread() {
    let mut server = Server::new();
    for kind in ["HSET h", "ZADD z"] {
        let pairs: String = (0..300).map(|n| format!(" {n} {n}")).collect();
        server.run(&format!("{kind}{pairs}"));
    }
    let members: String = (0..1100).map(|n| format!(" {n}")).collect();
    server.run(&format!("SADD s{members}"));
    for line in
        ["HGETALL h", "HKEYS h", "ZRANGE z 290 300", "ZRANK z 7", "ZCOUNT z 1 9", "HSCAN h 0"]
    {
        let found = server.run_as(line, Mode::Try);
        assert_eq!(found, Some(server.run(line)), "{line}");
    }
    for line in ["SMEMBERS s", "SORT s", "ZREVRANGE z 0 5", "ZPOPMIN z"] {
        assert_eq!(server.run_as(line, Mode::Try), None, "{line}");
    }
}
