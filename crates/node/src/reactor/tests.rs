//! A node as its sockets show it: limits of connections and of output, refusals, pauses.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use aidb_engine::Options;
use aidb_engine::db::Db;

use crate::{Node, NodeOptions};

fn node(options: NodeOptions) -> Node {
    let db = Db::open_in_memory(Options::default()).unwrap();
    Node::start(db, NodeOptions { port: 0, reactors: 1, ..options }).unwrap()
}

struct Client(TcpStream);

impl Client {
    fn of(node: &Node) -> Self {
        Self::at(node.addresses()[0])
    }

    fn at(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(stream)
    }

    /// Says inline commands and reads so many bytes as `expected` has.
    fn ask(&mut self, commands: &str, expected: &str) {
        self.0.write_all(commands.as_bytes()).unwrap();
        self.hear(expected);
    }

    fn hear(&mut self, expected: &str) {
        let mut heard = vec![0; expected.len()];
        self.0.read_exact(&mut heard).unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), expected);
    }

    /// Everything until the node closes.
    fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = self.0.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }
}

#[test]
fn one_connection_too_many_is_told_so() {
    let node = node(NodeOptions { clients_max: 2, ..NodeOptions::default() });
    let (mut first, mut second) = (Client::of(&node), Client::of(&node));
    first.ask("PING\r\n", "+PONG\r\n");
    second.ask("PING\r\n", "+PONG\r\n");
    assert_eq!(Client::of(&node).rest(), "-ERR max number of clients reached\r\n");
    second.ask("CONFIG SET maxclients 3\r\n", "+OK\r\n");
    Client::of(&node).ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn a_listener_that_does_not_read_is_closed_by_the_limit_of_its_class() {
    let node = node(NodeOptions::default());
    let (mut listener, mut speaker) = (Client::of(&node), Client::of(&node));
    listener.ask("SUBSCRIBE c\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    let limits = "normal 0 0 0 pubsub 4mb 0 0";
    speaker.ask(&format!("CONFIG SET client-output-buffer-limit \"{limits}\"\r\n"), "+OK\r\n");
    let message = "x".repeat(1 << 20);
    let publish = format!("*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1048576\r\n{message}\r\n");
    let mut reached = true;
    for _ in 0..64 {
        speaker.0.write_all(publish.as_bytes()).unwrap();
        let mut reply = [0; 4];
        speaker.0.read_exact(&mut reply).unwrap();
        reached = reply == *b":1\r\n";
        if !reached {
            break;
        }
    }
    assert!(!reached, "the listener is gone before 64 MiB wait for it");
    speaker.ask("PING\r\n", "+PONG\r\n");
}

#[test]
fn requests_that_cannot_be_meant_are_refused() {
    let node = node(NodeOptions::default());
    let mut client = Client::of(&node);
    client.ask("NOSUCH a\r\n", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' \r\n");
    client.ask("GET\r\n", "-ERR wrong number of arguments for 'get' command\r\n");
    client.ask("CONFIG NOSUCH\r\n", "-ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP.\r\n");
    client.ask(
        "MULTI\r\nNOSUCH\r\n",
        "+OK\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n",
    );
    client.ask("EXEC\r\n", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    client.ask("*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length\r\n");
    assert_eq!(client.rest(), "");
    assert_eq!(Client::of(&node).0.write(b"POST / HTTP/1.1\r\n").unwrap(), 17);
}

#[test]
fn a_stranger_may_only_say_who_it_is() {
    let options = NodeOptions { password: "secret".to_owned(), ..NodeOptions::default() };
    let node = node(options);
    let mut client = Client::of(&node);
    for line in ["GET k\r\n", "CONFIG GET requirepass\r\n", "ACL LIST\r\n", "MULTI\r\n"] {
        client.ask(line, "-NOAUTH Authentication required.\r\n");
    }
    client.ask("AUTH secret\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    client.ask("RESET\r\nPING\r\n", "+RESET\r\n-NOAUTH Authentication required.\r\n");
}

#[test]
fn a_pause_holds_writes_and_its_end_lets_them_go() {
    let node = node(NodeOptions::default());
    let (mut admin, mut writer) = (Client::of(&node), Client::of(&node));
    admin.ask("CLIENT PAUSE 100000 WRITE\r\n", "+OK\r\n");
    writer.ask("GET k\r\nSET k v\r\nGET k\r\n", "$-1\r\n");
    admin.ask("GET k\r\nCLIENT UNPAUSE\r\n", "$-1\r\n+OK\r\n");
    writer.hear("+OK\r\n$1\r\nv\r\n");
}

#[test]
fn a_deleted_user_is_heard_no_more() {
    let users = vec!["ann on nopass ~* +@all".to_owned()];
    let node = node(NodeOptions { users, ..NodeOptions::default() });
    let (mut admin, mut ann) = (Client::of(&node), Client::of(&node));
    ann.ask("AUTH ann x\r\nACL WHOAMI\r\n", "+OK\r\n$3\r\nann\r\n");
    admin.ask("ACL DELUSER ann\r\n", ":1\r\n");
    assert_eq!(ann.rest(), "");
}
