use aidb_redis::resp::ArgsBuffer;

use super::latency::LatencyEvents;
use super::monitors::quote;
use super::secrets::redacted;

fn shown(words: &[&str]) -> Vec<String> {
    let mut buffer = ArgsBuffer::default();
    words.iter().for_each(|word| buffer.push(word.as_bytes()));
    let shown = redacted(&buffer.args());
    shown.into_iter().map(|word| String::from_utf8(word).expect("text")).collect()
}

#[test]
fn secrets_are_hidden() {
    assert_eq!(shown(&["AUTH", "u", "p"]), ["AUTH", "(redacted)", "(redacted)"]);
    assert_eq!(
        shown(&["hello", "3", "AUTH", "u", "p", "SETNAME", "n"]),
        ["hello", "3", "AUTH", "(redacted)", "(redacted)", "SETNAME", "n"]
    );
    assert_eq!(
        shown(&["CONFIG", "SET", "timeout", "1", "RequirePass", "p"]),
        ["CONFIG", "SET", "timeout", "1", "RequirePass", "(redacted)"]
    );
    assert_eq!(shown(&["ACL", "SETUSER", "u", ">p"])[2..], ["(redacted)", "(redacted)"]);
    assert_eq!(shown(&["GET", "auth"]), ["GET", "auth"]);
}

#[test]
fn quotes_are_those_of_redis() {
    let mut line = String::new();
    quote(&mut line, b"a\"\\\n\x00\xff ~");
    assert_eq!(line, "\"a\\\"\\\\\\n\\x00\\xff ~\"");
}

#[test]
fn of_one_second_the_longest_event_is_kept() {
    let events = LatencyEvents::default();
    events.add("command", 7, 10);
    events.add("command", 7, 30);
    events.add("command", 8, 20);
    let (_, series) = events.find(b"COMMAND").expect("known");
    assert_eq!(series.samples, [(7, 30), (8, 20)]);
    assert_eq!(series.max_ms, 30);
    assert_eq!(events.forget(&[b"other"]), 0);
    assert_eq!(events.forget(&[]), 1);
}
