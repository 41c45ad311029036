//! Addresses, listeners that come and go, certificates that are not there.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::*;
use crate::settings::NodeOptions;

fn tcp(text: &str) -> Address {
    Address::Tcp(text.parse::<SocketAddr>().expect("an address"))
}

#[test]
fn only_addresses_of_this_machine_are_local() {
    for local in ["127.0.0.1:1", "127.3.2.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert!(tcp(local).is_local(), "{local}");
    }
    for other in ["10.0.0.1:1", "[2001:db8::1]:1", "[::ffff:10.0.0.1]:1", "0.0.0.0:1"] {
        assert!(!tcp(other).is_local(), "{other}");
    }
    let unix = Address::Unix("/tmp/a.sock".into());
    assert!(unix.is_local());
    assert_eq!(unix.to_string(), "/tmp/a.sock:0");
}

fn options(host: &str) -> NodeOptions {
    NodeOptions { host: host.to_owned(), port: 0, ..NodeOptions::default() }
}

#[test]
fn every_host_is_listened_on_and_all_share_the_first_port() {
    let listeners = listen(&options("127.0.0.1 127.0.0.2 -192.0.2.1")).expect("listen");
    let addresses: Vec<SocketAddr> = listeners.iter().filter_map(Listener::address).collect();
    assert_eq!(addresses.len(), 2, "the last one is not ours, and may be missing");
    assert_eq!(addresses[0].port(), addresses[1].port());
    let taken = NodeOptions { port: addresses[0].port(), ..options("127.0.0.1") };
    assert!(listen(&taken).is_err());
}

#[test]
fn a_server_without_a_place_to_listen_at_is_refused() {
    assert!(listen(&NodeOptions { plaintext: false, ..options("127.0.0.1") }).is_err());
    assert!(listen(&options("no.such.host.invalid")).is_err());
    assert!(listen(&options("")).expect("no network is asked for").is_empty());
}

#[test]
fn a_socket_in_the_file_system_is_replaced_when_nobody_listens() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.sock");
    let options = NodeOptions {
        plaintext: false,
        unix_socket: Some(path.clone()),
        unix_socket_mode: Some(0o600),
        ..options("127.0.0.1")
    };
    let first = listen(&options).expect("listen");
    let mode = std::fs::metadata(&path).expect("the socket").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    assert!(listen(&options).is_err(), "somebody listens");
    drop(first);
    assert!(!path.exists(), "it is gone with its listener");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("left behind"));
    listen(&options).expect("replaced");
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let certificates = Certificates::unread(TlsFiles::default());
    assert!(certificates.config().is_none());
    let error = certificates.load(TlsFiles::default()).expect_err("no file");
    assert!(error.to_string().contains("tls_cert_file"), "{error}");
    let files = TlsFiles { certificate: PathBuf::from("/no/such.pem"), ..TlsFiles::default() };
    let error = certificates.load(files).expect_err("no such file");
    assert!(error.to_string().contains("/no/such.pem"), "{error}");
    assert!(certificates.config().is_none());
}
