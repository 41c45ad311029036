//! The command table is consistent and found by any case of a name.

use super::*;
use crate::resp::{Parser, RequestLimits};

#[test]
fn every_command_is_found_by_its_name_in_any_case() {
    for (index, command) in COMMANDS.iter().enumerate() {
        assert_eq!(command.index, index);
        for name in [command.name.to_owned(), command.name.to_ascii_uppercase()] {
            assert_eq!(lookup(name.as_bytes()).map(|found| found.name), Some(command.name));
        }
    }
    for name in ["", "ge", "gett", "nonsense", "a-name-longer-than-any", "get\0"] {
        assert!(lookup(name.as_bytes()).is_none(), "{name}");
    }
}

#[test]
fn subcommands_carry_their_containers_name() {
    for command in COMMANDS {
        for sub in command.subcommands {
            assert_eq!(sub.name, format!("{}|{}", command.name, sub.short_name()));
            assert!(command.subcommand(sub.short_name().to_uppercase().as_bytes()).is_some());
        }
    }
}

fn key_places(line: &str) -> Option<Vec<usize>> {
    let mut parser = Parser::new();
    let line = format!("{line}\n");
    let limits = RequestLimits { bulk_bytes_max: 1024, is_stranger: false };
    parser.parse(line.as_bytes(), limits).expect("a command");
    let args = parser.args(line.as_bytes());
    lookup(args.get(0)).expect("known").key_places(&args)
}

#[test]
fn keys_are_where_the_specification_says() {
    assert_eq!(key_places("GET a"), Some(vec![1]));
    assert_eq!(key_places("MSET a 1 b 2"), Some(vec![1, 3]));
    assert_eq!(key_places("DEL a b c"), Some(vec![1, 2, 3]));
    assert_eq!(key_places("COPY a b REPLACE"), Some(vec![1, 2]));
    assert_eq!(key_places("PING"), Some(vec![]));
    assert_eq!(key_places("RENAME a"), None);
    assert_eq!(
        key_places("SORT l BY store STORE a LIMIT 0 store store b ALPHA"),
        Some(vec![1, 10])
    );
    assert_eq!(key_places("SORT l GET STORE"), Some(vec![1]));
    assert_eq!(key_places("SORT_RO l BY w_*"), Some(vec![1]));
}

#[test]
fn arity_bounds_the_arguments() {
    let get = lookup(b"get").expect("known");
    assert!(get.accepts(2) && !get.accepts(1) && !get.accepts(3));
    let mget = lookup(b"mget").expect("known");
    assert!(mget.accepts(2) && mget.accepts(9) && !mget.accepts(1));
}
