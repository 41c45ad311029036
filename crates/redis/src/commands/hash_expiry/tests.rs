//! Fields that end, against a model: a map that knows the time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::tests::{NOW_MS, Server};
use crate::store::Mode;

#[test]
fn fields_end_one_by_one_and_the_hash_with_the_last() {
    let mut server = Server::new();
    server.script(
        "HSET h a 1 b 2 c 3 => :3
        HEXPIRE h 10 FIELDS 2 a x => *2 :1 :-2
        HPEXPIRE h 20000 FIELDS 1 b => *1 :1
        HTTL h FIELDS 4 a b c x => *4 :10 :20 :-1 :-2
        HPTTL h FIELDS 1 b => *1 :20000
        HEXPIRETIME h FIELDS 1 a => *1 :1700000010
        HPEXPIRETIME h FIELDS 2 b c => *2 :1700000020000 :-1
        OBJECT ENCODING h => $10 listpackex
        HLEN h => :3",
    );
    server.clock.advance_ms(10_000);
    server.script(
        "HGET h a => $-1
        HLEN h => :2
        HEXISTS h a => :0
        HMGET h a b => *2 $-1 $1 2
        HSETNX h a 5 => :1
        HTTL h FIELDS 1 a => *1 :-1
        HDEL h a c => :2
        HLEN h => :1",
    );
    server.clock.advance_ms(10_000);
    server.script(
        "HLEN h => :0
        HGETALL h => *0
        HKEYS h => *0
        HSCAN h 0 => *2 $1 0 *0
        HRANDFIELD h => $-1
        EXISTS h => :1",
    );
    server.store.sweep_fields().expect("swept");
    server.script(
        "EXISTS h => :0
        DBSIZE => :0
        HSET h a 1 => :1
        HLEN h => :1",
    );
}

#[test]
fn conditions_compare_ends() {
    Server::new().script(
        "HSET h f 1 => :1
        HEXPIRE h 10 XX FIELDS 1 f => *1 :0
        HEXPIRE h 10 GT FIELDS 1 f => *1 :0
        HEXPIRE h 10 LT FIELDS 1 f => *1 :1
        HEXPIRE h 10 NX FIELDS 1 f => *1 :0
        HEXPIRE h 10 GT FIELDS 1 f => *1 :0
        HEXPIRE h 11 gt FIELDS 1 f => *1 :1
        HEXPIRE h 11 LT FIELDS 1 f => *1 :0
        HEXPIRE h 9 xx FIELDS 2 f f => *2 :1 :1
        HPERSIST h FIELDS 2 f g => *2 :1 :-2
        HPERSIST h FIELDS 1 f => *1 :-1
        HEXPIRE h 5 NX FIELDS 2 f f => *2 :1 :0
        HEXPIREAT h 1 FIELDS 1 f => *1 :2
        EXISTS h => :0",
    );
}

#[test]
fn bad_arguments_are_refused() {
    Server::new().script(
        "HSET h f 1 => :1
        HEXPIRE h x FIELDS 1 f => ERR value is not an integer or out of range
        HEXPIRE h -1 FIELDS 1 f => ERR invalid expire time, must be >= 0
        HEXPIRE h 9223372036854775807 FIELDS 1 f => ERR invalid expire time in 'hexpire' command
        HPEXPIREAT h 70368744177663 FIELDS 1 f => ERR invalid expire time in 'hpexpireat' command
        HEXPIRE h 1 FIELDS 0 f => ERR Parameter `numFields` should be greater than 0
        HEXPIRE h 1 FIELDS x f => ERR Parameter `numFields` should be greater than 0
        HEXPIRE h 1 FIELDS 2 f => ERR The `numfields` parameter must match the number of arguments
        HEXPIRE h 1 FIELDS 1 f g => ERR The `numfields` parameter must match the number of arguments
        HEXPIRE h 1 NX f 1 f => ERR Mandatory argument FIELDS is missing or not at the right position
        HTTL h f 1 f => ERR Mandatory argument FIELDS is missing or not at the right position
        HGETDEL h FIELDS 0 f => ERR Number of fields must be a positive integer
        HGETEX h EX 1 PERSIST FIELDS 1 f => ERR syntax error
        HSETEX h FNX FXX FIELDS 1 f v => ERR syntax error
        HSETEX h FIELDS 1 f v g => ERR The `numfields` parameter must match the number of arguments
        HTTL none FIELDS 2 f g => *2 :-2 :-2
        HEXPIRE none 1 FIELDS 1 f => *1 :-2
        HPERSIST none FIELDS 1 f => *1 :-2
        HGETDEL none FIELDS 1 f => *1 $-1
        SET s 1 => +OK
        HTTL s FIELDS 1 f => WRONGTYPE Operation against a key holding the wrong kind of value
        HTTL h FIELDS 1 f => *1 :-1",
    );
}

#[test]
fn fields_are_read_written_and_removed_with_their_ends() {
    let mut server = Server::new();
    server.script(
        "HSETEX h EX 10 FIELDS 2 a 1 b 2 => :1
        HTTL h FIELDS 2 a b => *2 :10 :10
        HSETEX h FNX FIELDS 2 a 3 c 4 => :0
        HSETEX h FXX FIELDS 2 a 3 c 4 => :0
        HSETEX h FXX KEEPTTL FIELDS 1 a 3 => :1
        HTTL h FIELDS 1 a => *1 :10
        HSETEX h FIELDS 1 a 4 => :1
        HTTL h FIELDS 1 a => *1 :-1
        HINCRBY h b 5 => :7
        HINCRBYFLOAT h b 0.5 => $3 7.5
        HTTL h FIELDS 1 b => *1 :10
        HGETEX h PERSIST FIELDS 2 b x => *2 $3 7.5 $-1
        HTTL h FIELDS 1 b => *1 :-1
        HGETEX h PX 1500 FIELDS 1 b => *1 $3 7.5
        HTTL h FIELDS 1 b => *1 :2
        HGETDEL h FIELDS 2 a a => *2 $1 4 $-1
        HSETEX h PXAT 1 FIELDS 2 b 1 c 2 => :1
        EXISTS h => :0",
    );
}

#[test]
fn ends_go_with_a_hash_that_is_copied_renamed_or_moved() {
    let mut server = Server::new();
    server.script(
        "HSETEX h EX 10 FIELDS 1 a 1 => :1
        HSET h b 2 => :1
        COPY h copy => :1
        RENAME h renamed => +OK
        COPY copy moved => :1
        MOVE moved 1 => :1
        HTTL copy FIELDS 2 a b => *2 :10 :-1
        HTTL renamed FIELDS 2 a b => *2 :10 :-1",
    );
    server.clock.advance_ms(10_000);
    server.store.sweep_fields().expect("swept");
    server.session.database = 1;
    server.script("HGETALL moved => *2 $1 b $1 2");
    server.session.database = 0;
    server.script(
        "HGETALL copy => *2 $1 b $1 2
        HGETALL renamed => *2 $1 b $1 2
        DEL copy => :1
        HSETEX renamed EX 1 FIELDS 1 b 3 => :1
        SET renamed x => +OK",
    );
    server.clock.advance_ms(10_000);
    server.store.sweep_fields().expect("swept");
    server.script("GET renamed => $1 x");
    server.store.reclaim().expect("reclaimed");
}

#[test]
fn a_hash_with_something_due_is_not_settled_on_a_reactor() {
    let mut server = Server::new();
    server.script("HSETEX h PX 5 FIELDS 1 a 1 => :1");
    assert_eq!(server.run_as("HSETEX h EX 1 FIELDS 1 b 1", Mode::Try), Some(":1".to_owned()));
    server.clock.advance_ms(5);
    assert_eq!(server.run_as("HLEN h", Mode::Try), None);
    assert_eq!(server.run("HLEN h"), ":1");
}

/// A field's value and end; 0: none.
type Model = BTreeMap<u8, (String, u64)>;

#[derive(Clone, Debug)]
enum Step {
    Set(u8, u16),
    SetUntil(u8, u16, u64),
    Expire(u8, u64),
    Persist(u8),
    Delete(u8),
    Add(u8),
    Pass(u64),
    Sweep,
    Rename,
}

fn a_step() -> impl Strategy<Value = Step> {
    let field = 0..12u8;
    let span = 0..400u64;
    prop_oneof![
        (field.clone(), any::<u16>()).prop_map(|(f, v)| Step::Set(f, v)),
        (field.clone(), any::<u16>(), span.clone()).prop_map(|(f, v, t)| Step::SetUntil(f, v, t)),
        (field.clone(), span.clone()).prop_map(|(f, t)| Step::Expire(f, t)),
        field.clone().prop_map(Step::Persist),
        field.clone().prop_map(Step::Delete),
        field.prop_map(Step::Add),
        span.prop_map(Step::Pass),
        Just(Step::Sweep),
        Just(Step::Rename),
    ]
}

struct World {
    server: Server,
    key: &'static str,
    model: Model,
    now_ms: u64,
}

impl World {
    fn apply(&mut self, step: Step) {
        let (key, now) = (self.key, self.now_ms);
        match step {
            Step::Set(field, value) => {
                self.server.run(&format!("HSET {key} f{field} {value}"));
                self.model.insert(field, (value.to_string(), 0));
            }
            Step::SetUntil(field, value, span) => {
                self.server.run(&format!("HSETEX {key} PX {span} FIELDS 1 f{field} {value}"));
                self.model.insert(field, (value.to_string(), now + span));
            }
            Step::Expire(field, span) => {
                let reply = self.server.run(&format!("HPEXPIRE {key} {span} FIELDS 1 f{field}"));
                let expected = match (self.model.contains_key(&field), span) {
                    (false, _) => "*1 :-2",
                    (true, 0) => "*1 :2",
                    (true, _) => "*1 :1",
                };
                assert_eq!(reply, expected);
                self.model.entry(field).and_modify(|(_, end)| *end = now + span);
            }
            Step::Persist(field) => {
                self.server.run(&format!("HPERSIST {key} FIELDS 1 f{field}"));
                self.model.entry(field).and_modify(|(_, end)| *end = 0);
            }
            Step::Delete(field) => {
                let reply = self.server.run(&format!("HDEL {key} f{field}"));
                assert_eq!(reply, format!(":{}", i64::from(self.model.remove(&field).is_some())));
            }
            Step::Add(field) => {
                let entry = self.model.entry(field).or_insert(("0".to_owned(), 0));
                entry.0 = (entry.0.parse::<u64>().expect("a number") + 1).to_string();
                let reply = self.server.run(&format!("HINCRBY {key} f{field} 1"));
                assert_eq!(reply, format!(":{}", entry.0));
            }
            Step::Pass(span) => {
                self.server.clock.advance_ms(span);
                self.now_ms += span;
            }
            Step::Sweep => self.server.store.sweep_fields().expect("swept"),
            Step::Rename if !self.model.is_empty() => {
                self.key = if key == "h" { "other" } else { "h" };
                self.server.run(&format!("RENAME {key} {}", self.key));
            }
            Step::Rename => {}
        }
        let now = self.now_ms;
        self.model.retain(|_, (_, end)| *end == 0 || *end > now);
    }

    fn check(&mut self) {
        let key = self.key;
        assert_eq!(self.server.run(&format!("HLEN {key}")), format!(":{}", self.model.len()));
        for field in 0..12u8 {
            let found = self.model.get(&field);
            let value = self.server.run(&format!("HGET {key} f{field}"));
            let expected = found.map_or("$-1".to_owned(), |(v, _)| format!("${} {v}", v.len()));
            assert_eq!(value, expected);
            let left = self.server.run(&format!("HPEXPIRETIME {key} FIELDS 1 f{field}"));
            let expected = match found {
                None => -2,
                Some((_, 0)) => -1,
                Some((_, end)) => *end as i64,
            };
            assert_eq!(left, format!("*1 :{expected}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_hash_is_what_the_model_says(steps in prop::collection::vec(a_step(), 1..60)) {
        let mut world =
            World { server: Server::new(), key: "h", model: Model::new(), now_ms: NOW_MS };
        for step in steps {
            world.apply(step);
            world.check();
        }
        world.server.clock.advance_ms(1000);
        world.now_ms += 1000;
        world.apply(Step::Sweep);
        world.server.store.reclaim().expect("reclaimed");
        world.check();
        let key = world.key;
        let exists = world.server.run(&format!("EXISTS {key}"));
        prop_assert_eq!(exists, format!(":{}", i64::from(!world.model.is_empty())));
    }
}
