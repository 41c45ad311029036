//! Old names are gone, new ones are there, and no two commands share one.

use super::*;

fn renames(pairs: &[(&str, &str)]) -> Result<Renames> {
    let pairs: Vec<_> = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    Renames::new(&pairs)
}

#[test]
fn a_command_is_found_by_its_new_name_only() {
    let renames =
        renames(&[("CONFIG", "Secret"), ("flushall", ""), ("get", "set2")]).expect("fine");
    let name = |text: &str| renames.find(text.as_bytes()).map(|command| command.name);
    assert_eq!(name("secret"), Some("config"));
    assert_eq!(name("SET2"), Some("get"));
    assert_eq!(name("set"), Some("set"));
    for gone in ["config", "FLUSHALL", "get", "nosuch", ""] {
        assert_eq!(name(gone), None, "{gone}");
    }
}

#[test]
fn names_that_are_taken_or_unknown_are_refused() {
    assert!(renames(&[("nosuch", "x")]).is_err());
    assert!(renames(&[("get", "set")]).is_err());
    assert!(renames(&[("get", "x"), ("set", "X")]).is_err());
    assert!(renames(&[("get", ""), ("set", "get")]).is_ok(), "the name is free by then");
}
