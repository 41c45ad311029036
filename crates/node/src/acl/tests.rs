//! The language of users, what selectors allow, and what connections notice.

use aidb_redis::resp::ArgsBuffer;
use aidb_redis::table::{COMMANDS, Command, lookup};

use super::*;

fn acl() -> Acl {
    Acl::new("", None)
}

fn set(acl: &Acl, name: &str, rules: &str) -> std::result::Result<(), RuleError> {
    let rules = rules.split(' ').map(str::as_bytes);
    acl.set_user(name.as_bytes(), rules).map(|_| ()).map_err(|(_, why)| why)
}

fn described(acl: &Acl, name: &str) -> String {
    let user = acl.find(name.as_bytes()).expect("the user");
    String::from_utf8(user.describe()).expect("text")
}

fn command(name: &str) -> &'static Command {
    match name.split_once('|') {
        None => lookup(name.as_bytes()).expect("a command"),
        Some((container, sub)) => lookup(container.as_bytes())
            .and_then(|command| command.subcommand(sub.as_bytes()))
            .expect("a subcommand"),
    }
}

/// What the user may not do with a line, or `None`.
fn denied(acl: &Acl, name: &str, line: &str) -> Option<Denied> {
    let mut args = ArgsBuffer::default();
    line.split(' ').for_each(|word| args.push(word.as_bytes()));
    let args = args.args();
    let command = crate::conversation::meant(lookup(args.get(0)).expect("a command"), &args);
    let user = acl.find(name.as_bytes()).expect("the user");
    user.check(command, &args).err().map(|denial| denial.what)
}

#[test]
fn users_are_described_by_the_rules_that_make_them() {
    let acl = acl();
    assert_eq!(described(&acl, "default"), "user default on nopass ~* &* +@all");
    set(&acl, "a", "on nopass ~a* %R~b %W~c %RW~d &x +@all -@string +set|x (+get ~k)")
        .expect("set");
    let first = described(&acl, "a");
    let rest = first.strip_prefix("user a ").expect("the name");
    assert_eq!(
        rest,
        "on nopass ~a* %R~b %W~c ~d resetchannels &x +@all -@string +set|x \
         (~k resetchannels -@all +get)"
    );
    set(&acl, "b", rest).expect("its own description");
    assert_eq!(described(&acl, "b"), first.replace("user a", "user b"));
}

#[test]
fn later_rules_replace_earlier_ones_of_the_same_command() {
    let acl = acl();
    set(&acl, "a", "+get -get +config|get +config|set -config +@read -@read").expect("set");
    assert_eq!(described(&acl, "a"), "user a off resetchannels -@all -get -config -@read");
    set(&acl, "a", "+@all").expect("set");
    assert_eq!(described(&acl, "a"), "user a off resetchannels +@all");
}

#[test]
fn a_wrong_rule_changes_nothing() {
    let acl = acl();
    set(&acl, "a", "on +get ~k").expect("set");
    let before = described(&acl, "a");
    for (rules, why) in [
        ("+nosuch", RuleError::Unknown),
        ("+@nosuch", RuleError::Unknown),
        ("+config|nosuch", RuleError::Unknown),
        ("-get|x", RuleError::Unknown),
        ("+config|get|x", RuleError::WordOfSubcommand),
        ("+set|", RuleError::Syntax),
        ("nosuch", RuleError::Syntax),
        ("%~a", RuleError::Syntax),
        ("%X~a", RuleError::Syntax),
        ("<nosuch", RuleError::NoSuchPassword),
        ("#abc", RuleError::NotADigest),
        ("~* ~b", RuleError::KeyBehindAll),
        ("&* &b", RuleError::ChannelBehindAll),
        ("(+get", RuleError::Unmatched),
        ("(on)", RuleError::Syntax),
    ] {
        assert_eq!(set(&acl, "a", &format!("off -get {rules}")), Err(why), "{rules}");
        assert_eq!(described(&acl, "a"), before, "{rules}");
    }
}

#[test]
fn keys_are_allowed_by_how_they_are_used() {
    let acl = acl();
    set(&acl, "a", "+@all %R~r* %W~w* ~rw* &c*").expect("set");
    for line in [
        "GET r1",
        "SET w1 x",
        "SET rw1 x GET",
        "COPY r1 w1",
        "EXISTS w1",
        "DEL w1",
        "GEORADIUS r1 1 1 1 km STORE w1",
        "PUBLISH c1 x",
        "EVAL_RO x 1 r1",
        "SORT r1 BY nosort GET #",
    ] {
        assert_eq!(denied(&acl, "a", line), None, "{line}");
    }
    for line in [
        "GET w1",
        "SET r1 x",
        "SET w1 x GET",
        "COPY w1 r1",
        "EXISTS z",
        "DEL w1 r1",
        "GEORADIUS r1 1 1 1 km STORE r2",
        "GEORADIUS r1 1 1 1 km STORE r2 STORE w1",
        "GEORADIUS r1 1 1 1 km STORE w1 STORE r2",
        "EVAL x 1 r1",
        "MSET w1 1 w2 2 r1 3",
        "SORT r1 BY secret:*",
        "SORT r1 GET secret:*",
        "SORT r1 STORE w1 GET store GET x",
    ] {
        assert_eq!(denied(&acl, "a", line), Some(Denied::Key), "{line}");
    }
    assert_eq!(denied(&acl, "a", "PUBLISH d x"), Some(Denied::Channel));
    assert_eq!(denied(&acl, "a", "SUBSCRIBE c1 d"), Some(Denied::Channel));
    assert_eq!(denied(&acl, "a", "PSUBSCRIBE c*"), None);
    assert_eq!(denied(&acl, "a", "PSUBSCRIBE c1*"), Some(Denied::Channel));
    assert_eq!(denied(&acl, "a", "UNSUBSCRIBE d"), None);
}

#[test]
fn one_selector_must_allow_all_of_a_call() {
    let acl = acl();
    set(&acl, "a", "+mget ~q (%R~r* +get) (%W~w* +set)").expect("set");
    assert_eq!(denied(&acl, "a", "GET r1"), None);
    assert_eq!(denied(&acl, "a", "SET w1 x"), None);
    assert_eq!(denied(&acl, "a", "SET r1 x"), Some(Denied::Key));
    assert_eq!(denied(&acl, "a", "MGET q r1"), Some(Denied::Key));
    assert_eq!(denied(&acl, "a", "DEL q"), Some(Denied::Command));
}

#[test]
fn first_words_and_subcommands_are_told_apart() {
    let acl = acl();
    set(&acl, "a", "allkeys +select|0 +config|get +client -client|kill").expect("set");
    assert_eq!(denied(&acl, "a", "SELECT 0"), None);
    assert_eq!(denied(&acl, "a", "SELECT 1"), Some(Denied::Command));
    assert_eq!(denied(&acl, "a", "CONFIG GET x"), None);
    assert_eq!(denied(&acl, "a", "CONFIG SET x y"), Some(Denied::Command));
    assert_eq!(denied(&acl, "a", "CLIENT KILL x"), Some(Denied::Command));
    assert_eq!(denied(&acl, "a", "CLIENT ID"), None);
    for always in ["AUTH x", "HELLO", "QUIT", "RESET"] {
        assert_eq!(denied(&acl, "a", always), None, "{always}");
    }
}

#[test]
fn every_command_is_in_a_set_exactly_when_a_rule_says_so() {
    let acl = acl();
    let every = COMMANDS.iter().flat_map(|one| std::iter::once(one).chain(one.subcommands));
    for one in every {
        set(&acl, "a", &format!("nocommands +{}", one.name)).expect("set");
        set(&acl, "b", &format!("allcommands -{}", one.name)).expect("set");
        for (name, has) in [("a", true), ("b", false)] {
            let user = acl.find(name.as_bytes()).expect("the user");
            assert_eq!(user.selectors().0.commands.contains(one), has, "{name} {}", one.name);
        }
        for category in CATEGORIES {
            set(&acl, "c", &format!("nocommands +@{category}")).expect("set");
            let user = acl.find(b"c").expect("the user");
            let container = one.name.split('|').next().map_or(one, command);
            let belongs = one.acl.contains(&category) || container.acl.contains(&category);
            assert_eq!(
                user.selectors().0.commands.contains(one),
                belongs,
                "{category} {}",
                one.name
            );
        }
    }
}

#[test]
fn passwords_let_in_while_the_user_is_on() {
    let acl = acl();
    let lets_in = |password: &str| acl.authenticate(b"a", password.as_bytes()).is_some();
    assert!(!lets_in("x"));
    set(&acl, "a", ">x >y").expect("set");
    assert!(!lets_in("x"), "it is off");
    set(&acl, "a", "on").expect("set");
    assert!(lets_in("x") && lets_in("y") && !lets_in("z") && !lets_in(""));
    set(&acl, "a", "<x").expect("set");
    assert!(!lets_in("x") && lets_in("y"));
    set(&acl, "a", "nopass").expect("set");
    assert!(lets_in("anything"));
    set(&acl, "a", "resetpass").expect("set");
    assert!(!lets_in("anything") && !lets_in(""));
}

#[test]
fn a_connection_notices_what_happens_to_its_user() {
    let acl = acl();
    let mut identity = Identity::unnamed(&acl);
    assert!(identity.is_free(acl.version()));
    set(&acl, "default", "-get").expect("set");
    assert!(!identity.is_free(acl.version()));
    assert!(identity.refresh(&acl));
    assert!(identity.restricted().is_some());
    set(&acl, "default", "+@all").expect("set");
    assert!(identity.refresh(&acl));
    assert!(identity.is_free(acl.version()));

    set(&acl, "a", "on nopass").expect("set");
    let mut identity = Identity::of(acl.find(b"a").expect("the user"));
    assert!(identity.refresh(&acl));
    acl.delete(b"a").expect("it is there");
    set(&acl, "a", "on nopass").expect("set");
    assert!(!identity.refresh(&acl), "another user of the same name");
}

#[test]
fn a_stranger_is_let_in_when_the_default_user_opens() {
    let acl = acl();
    acl.set_password("secret");
    let mut identity = Identity::unnamed(&acl);
    assert!(identity.is_stranger);
    acl.set_password("");
    assert!(identity.refresh(&acl));
    assert!(!identity.is_stranger);
}

#[test]
fn configured_users_are_checked_together() {
    let acl = acl();
    let lines = ["a on nopass ~k +get".to_owned(), "default off".to_owned()];
    acl.configure(&lines).expect("configure");
    assert_eq!(
        described(&acl, "a"),
        "user a on nopass sanitize-payload ~k resetchannels -@all +get"
    );
    assert_eq!(described(&acl, "default"), "user default off sanitize-payload resetchannels -@all");
    for wrong in ["", "a +nosuch", "a (+get"] {
        assert!(acl.configure(&[wrong.to_owned()]).is_err(), "{wrong}");
    }
    assert!(acl.configure(&["a on".to_owned(), "a off".to_owned()]).is_err());
}

fn entry(object: &str, at_ms: u64) -> Entry {
    Entry {
        id: 0,
        count: 0,
        denied: Some(Denied::Key),
        context: Context::Toplevel,
        object: object.as_bytes().to_vec(),
        user: b"a".to_vec(),
        client: String::new(),
        created_ms: at_ms,
        updated_ms: at_ms,
    }
}

#[test]
fn refusals_within_a_minute_count_together() {
    let log = Log::default();
    log.add(entry("x", 0));
    log.add(entry("y", 10));
    log.add(entry("x", 60_000));
    let seen = |log: &Log| -> Vec<(String, u64, u64)> {
        let text = |entry: &Entry| String::from_utf8_lossy(&entry.object).into_owned();
        log.newest(10).iter().map(|entry| (text(entry), entry.count, entry.id)).collect()
    };
    assert_eq!(seen(&log), [("x".to_owned(), 2, 0), ("y".to_owned(), 1, 1)]);
    log.add(entry("x", 120_001));
    assert_eq!(seen(&log).len(), 3);
    log.entries_max.store(1, Ordering::Relaxed);
    log.add(entry("z", 120_002));
    assert_eq!(seen(&log), [("z".to_owned(), 1, 3)]);
}
