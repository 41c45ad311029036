//! Clients inside this process: alone, waiting, listening, closed by others.

use std::time::Duration;

use aidb_engine::Options;
use aidb_engine::db::Db;
use aidb_redis::store::{AppendFsync, Mode};

use super::{LocalClient, Progress};
use crate::{Node, NodeOptions};

fn node(appendfsync: AppendFsync) -> Node {
    let db = Db::open_in_memory(Options::default()).unwrap();
    let options =
        NodeOptions { host: String::new(), reactors: 1, appendfsync, ..NodeOptions::default() };
    Node::start(db, options).unwrap()
}

/// Says one inline command.
fn say(client: &mut LocalClient, command: &str) -> Progress {
    client.input().extend_from_slice(format!("{command}\r\n").as_bytes());
    match client.advance(Mode::Try) {
        Progress::MustWait => client.advance(Mode::Wait),
        progress => progress,
    }
}

/// What was answered so far.
fn heard(client: &mut LocalClient) -> String {
    let text = String::from_utf8(client.output().to_vec()).unwrap();
    client.consume(text.len());
    text
}

#[test]
fn commands_are_answered_by_the_thread_that_says_them() {
    let node = node(AppendFsync::EverySec);
    let mut client = node.local_client();
    assert_eq!(say(&mut client, "SET k v"), Progress::Done);
    assert_eq!(say(&mut client, "GET k"), Progress::Done);
    assert_eq!(heard(&mut client), "+OK\r\n$1\r\nv\r\n");
    assert!(client.is_free());
}

#[test]
fn half_a_command_waits_for_its_rest() {
    let node = node(AppendFsync::EverySec);
    let mut client = node.local_client();
    client.input().extend_from_slice(b"*1\r\n$4\r\nPI");
    assert_eq!(client.advance(Mode::Try), Progress::Done);
    assert_eq!(heard(&mut client), "");
    client.input().extend_from_slice(b"NG\r\n");
    assert_eq!(client.advance(Mode::Try), Progress::Done);
    assert_eq!(heard(&mut client), "+PONG\r\n");
}

#[test]
fn replies_larger_than_a_reactor_takes_at_once_come_whole() {
    let node = node(AppendFsync::EverySec);
    let mut client = node.local_client();
    say(&mut client, &format!("SET k {}", "x".repeat(60_000)));
    heard(&mut client);
    let line = "GET k\r\n".repeat(100);
    client.input().extend_from_slice(line.as_bytes());
    assert_eq!(client.advance(Mode::Wait), Progress::Done);
    assert_eq!(say(&mut client, "PING"), Progress::Done);
    let text = heard(&mut client);
    assert!(text.ends_with("+PONG\r\n"));
    assert_eq!(text.len(), 100 * (60_000 + "$60000\r\n\r\n".len()) + 7);
}

#[test]
fn replies_to_writes_wait_for_the_disk_when_they_must() {
    let node = node(AppendFsync::Always);
    let mut client = node.local_client();
    client.input().extend_from_slice(b"PING\r\nSET k v\r\n");
    assert_eq!(client.advance(Mode::Try), Progress::MustWait);
    assert_eq!(client.output(), b"");
    assert_eq!(client.advance(Mode::Wait), Progress::Done);
    assert_eq!(heard(&mut client), "+PONG\r\n+OK\r\n");
}

#[test]
fn a_client_that_waits_for_a_key_is_called() {
    let node = node(AppendFsync::EverySec);
    let (mut waiting, mut pushing) = (node.local_client(), node.local_client());
    assert_eq!(say(&mut waiting, "BLPOP q 0"), Progress::Blocked(None));
    assert_eq!(waiting.advance(Mode::Try), Progress::Blocked(None));
    say(&mut pushing, "RPUSH q a");
    waiting.inbox().wait(Duration::from_secs(10));
    assert_eq!(waiting.advance(Mode::Try), Progress::Done);
    assert_eq!(heard(&mut waiting), "*2\r\n$1\r\nq\r\n$1\r\na\r\n");
}

#[test]
fn a_client_gives_up_when_its_time_is_over() {
    let node = node(AppendFsync::EverySec);
    let mut client = node.local_client();
    let Progress::Blocked(Some(left)) = say(&mut client, "BLPOP q 0.01") else {
        panic!("it does not wait")
    };
    client.inbox().wait(left + Duration::from_millis(1));
    assert_eq!(client.advance(Mode::Try), Progress::Done);
    assert_eq!(heard(&mut client), "*-1\r\n");
    assert!(client.is_free());
}

#[test]
fn messages_lie_in_the_inbox_until_the_client_looks() {
    let node = node(AppendFsync::EverySec);
    let (mut listener, mut speaker) = (node.local_client(), node.local_client());
    say(&mut listener, "SUBSCRIBE news");
    assert_eq!(heard(&mut listener), "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    say(&mut speaker, "PUBLISH news hi");
    assert_eq!(heard(&mut speaker), ":1\r\n");
    assert_eq!(listener.advance(Mode::Try), Progress::Done);
    assert_eq!(heard(&mut listener), "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n");
    assert!(!listener.is_free());
    listener.close();
    say(&mut speaker, "PUBLISH news hi");
    assert_eq!(heard(&mut speaker), ":0\r\n");
}

#[test]
fn others_may_unblock_and_kill() {
    let node = node(AppendFsync::EverySec);
    let (mut victim, mut other) = (node.local_client(), node.local_client());
    say(&mut victim, "CLIENT ID");
    let id = heard(&mut victim).trim_start_matches(':').trim_end().to_owned();
    say(&mut victim, "BLPOP q 0");
    say(&mut other, &format!("CLIENT UNBLOCK {id} ERROR"));
    assert_eq!(victim.advance(Mode::Try), Progress::Done);
    assert!(heard(&mut victim).starts_with("-UNBLOCKED"));
    say(&mut other, &format!("CLIENT KILL ID {id}"));
    assert_eq!(victim.advance(Mode::Try), Progress::Closed);
}

#[test]
fn a_signal_shows_that_the_inbox_has_something() {
    let node = node(AppendFsync::EverySec);
    let (mut listener, mut speaker) = (node.local_client(), node.local_client());
    let signal = listener.inbox().signal().unwrap();
    assert_eq!(listener.inbox().signal().unwrap(), signal);
    say(&mut listener, "SUBSCRIBE news");
    say(&mut speaker, "PUBLISH news hi");
    listener.inbox().wait(Duration::from_secs(10));
    assert_eq!(listener.advance(Mode::Try), Progress::Done);
    assert!(heard(&mut listener).ends_with("$2\r\nhi\r\n"));
}

#[test]
fn a_stopped_node_answers_nobody() {
    let node = node(AppendFsync::EverySec);
    let mut client = node.local_client();
    node.stop().unwrap();
    assert_eq!(say(&mut client, "PING"), Progress::Closed);
}
