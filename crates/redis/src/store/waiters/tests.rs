//! Who is called, and in which order.

use std::sync::Arc;

use super::*;

struct Scene {
    waiters: Waiters,
    called: Arc<Mutex<Vec<u64>>>,
}

fn place(client: u64) -> Place {
    Place { client, reactor: 0, token: 0 }
}

fn scene(clients: &[u64]) -> Scene {
    let waiters = Waiters::default();
    let called = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&called);
    waiters.set_caller(move |place| log.lock().push(place.client));
    clients.iter().for_each(|client| waiters.join(0, b"k", place(*client)));
    Scene { waiters, called }
}

impl Scene {
    fn called(&self) -> Vec<u64> {
        std::mem::take(&mut self.called.lock())
    }
}

#[test]
fn the_first_of_the_line_is_called() {
    let scene = scene(&[1, 2, 1]);
    scene.waiters.call(0, b"k");
    scene.waiters.call(0, b"other");
    assert_eq!(scene.called(), [1]);
    scene.waiters.leave(1);
    assert_eq!(scene.called(), [2]);
    scene.waiters.leave(2);
    assert!(!scene.waiters.any());
}

#[test]
fn a_call_that_helps_nobody_runs_down_the_line_once() {
    let scene = scene(&[1, 2, 3]);
    scene.waiters.call(0, b"k");
    (1..=3).for_each(|client| scene.waiters.pass(client));
    assert_eq!(scene.called(), [1, 2, 3]);
    scene.waiters.pass(1);
    assert_eq!(scene.called(), [0; 0]);
    assert_eq!(scene.waiters.clients(), 3);
}

#[test]
fn who_comes_later_lets_a_called_client_go_first() {
    let scene = scene(&[1]);
    assert!(!scene.waiters.is_somebodys_turn(0, b"k", place(2)));
    scene.waiters.call(0, b"k");
    assert!(scene.waiters.is_somebodys_turn(0, b"k", place(2)));
    assert!(!scene.waiters.is_somebodys_turn(0, b"k", place(1)));
    scene.waiters.join(0, b"k", place(2));
    scene.waiters.leave(1);
    assert_eq!(scene.called(), [1, 2]);
}

#[test]
fn a_client_that_leaves_passes_on_only_what_it_was_called_for() {
    let scene = scene(&[1, 2]);
    scene.waiters.join(0, b"other", place(1));
    scene.waiters.call(0, b"k");
    scene.waiters.leave(1);
    assert_eq!(scene.called(), [1, 2]);
    scene.waiters.leave(2);
    assert_eq!(scene.called(), [0; 0]);
}
