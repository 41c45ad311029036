//! Patterns and what they match.

use proptest::prelude::*;

use super::*;

fn is_match(pattern: &str, text: &str) -> bool {
    matches(pattern.as_bytes(), text.as_bytes(), false)
}

#[test]
fn patterns_match_as_in_redis() {
    for (pattern, text, expected) in [
        ("*", "anything", true),
        ("", "", true),
        ("", "a", false),
        ("h?llo", "hello", true),
        ("h?llo", "hllo", false),
        ("h*llo", "heeeello", true),
        ("h[ae]llo", "hallo", true),
        ("h[ae]llo", "hillo", false),
        ("h[^e]llo", "hallo", true),
        ("h[^e]llo", "hello", false),
        ("h[a-c]llo", "hbllo", true),
        ("h[c-a]llo", "hbllo", true),
        ("h\\*llo", "h*llo", true),
        ("h\\*llo", "hxllo", false),
        ("[\\]]", "]", true),
        ("a*b*c", "aXbXbXc", true),
        ("a*b*c", "aXbXbX", false),
        ("[abc", "c", true),
        ("*{tag}*", "x{tag}y", true),
    ] {
        assert_eq!(is_match(pattern, text), expected, "{pattern} {text}");
    }
    assert!(matches(b"MAX*", b"maxclients", true));
}

#[test]
fn many_stars_are_fast() {
    let pattern = "a*".repeat(40) + "b";
    assert!(!is_match(&pattern, &"a".repeat(400)));
}

#[test]
fn the_fixed_beginning_ends_at_the_first_special() {
    assert_eq!(literal_prefix(b"user:*"), b"user:");
    assert_eq!(literal_prefix(b"plain"), b"plain");
    assert_eq!(literal_prefix(b"[a]"), b"");
}

proptest! {
    #[test]
    fn arbitrary_patterns_never_panic(
        pattern in prop::collection::vec(prop_oneof![Just(b'*'), Just(b'['), Just(b'\\'), Just(b'-'), any::<u8>()], 0..20),
        text in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let _ = matches(&pattern, &text, true);
    }
}
