//! A pause ends by itself, and is never shortened by another one.

use aidb_redis::table::lookup;

use super::*;

fn holds(pause: &Pause, name: &str, now_ms: u64) -> bool {
    pause.holds(lookup(name.as_bytes()).expect("a command"), now_ms)
}

#[test]
fn writes_wait_and_reads_go_on() {
    let pause = Pause::default();
    assert!(!pause.is_set() && !holds(&pause, "set", 5));
    pause.begin(100, false, 5);
    for name in ["set", "exec", "eval", "publish", "pfcount", "flushall"] {
        assert!(holds(&pause, name, 99), "{name}");
    }
    for name in ["get", "ping", "eval_ro", "subscribe", "client"] {
        assert!(!holds(&pause, name, 99), "{name}");
    }
    assert!(!holds(&pause, "set", 100), "its time is over");
}

#[test]
fn the_later_end_and_the_stricter_kind_stay() {
    let pause = Pause::default();
    pause.begin(100, true, 5);
    pause.begin(50, false, 6);
    assert!(holds(&pause, "get", 99));
    pause.end();
    assert!(!holds(&pause, "get", 7));
    pause.begin(20, false, 8);
    assert!(!holds(&pause, "get", 9) && holds(&pause, "set", 9));
}
