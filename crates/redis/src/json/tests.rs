use serde_json::{Value, json};

use super::edit::{at_mut, merge, remove_all};
use super::format::{Layout, Writer, compact};
use super::path::Path;
use super::{depth, parse};

fn select(document: &Value, path: &str) -> Value {
    let path = Path::parse(path.as_bytes()).expect(path);
    path.values(document).unwrap().into_iter().cloned().collect()
}

fn store() -> Value {
    json!({
        "book": [
            {"title": "A", "price": 8.95, "tags": ["x", "y"]},
            {"title": "B", "price": 12.99, "isbn": "1"},
            {"title": "C", "price": 8, "isbn": "2"},
        ],
        "bicycle": {"color": "red", "price": 19.95, "free-shipping": true},
        "limit": 10,
    })
}

#[test]
fn paths_select_in_the_order_of_the_document() {
    let doc = store();
    for (path, expected) in [
        ("$.book[*].title", json!(["A", "B", "C"])),
        ("$..title", json!(["A", "B", "C"])),
        ("$..price", json!([8.95, 12.99, 8, 19.95])),
        ("$.book[0,2].title", json!(["A", "C"])),
        ("$.book[-1].title", json!(["C"])),
        ("$.book[:2].title", json!(["A", "B"])),
        ("$.book[::2].title", json!(["A", "C"])),
        ("$.book[-2:].title", json!(["B", "C"])),
        ("$.book[5]", json!([])),
        ("$['bicycle']['color','price']", json!(["red", 19.95])),
        ("$.[\"bicycle\"].color", json!(["red"])),
        ("$.bicycle.*", json!(["red", 19.95, true])),
        ("$..[0]", json!([doc["book"][0], "x"])),
        (".bicycle.color", json!(["red"])),
        ("bicycle.color", json!(["red"])),
        ("..color", json!(["red"])),
        ("nothing", json!([])),
        ("$.bicycle.free-shipping", json!([true])),
    ] {
        assert_eq!(select(&doc, path), expected, "{path}");
    }
}

#[test]
fn filters_compare_values_paths_and_patterns() {
    let doc = store();
    for (path, expected) in [
        ("$.book[?(@.price<10)].title", json!(["A", "C"])),
        ("$.book[?(@.price==8.0)].title", json!(["C"])),
        ("$.book[?(@.price<$.limit && @.isbn)].title", json!(["C"])),
        ("$.book[?(@.price>12||@.title=='A')].title", json!(["A", "B"])),
        ("$.book[?(!@.isbn)].title", json!(["A"])),
        ("$.book[?((@.price<10) && (@.title != \"A\"))].title", json!(["C"])),
        ("$.book[?(@.title =~ \"(?i)^[ab]\")].title", json!(["A", "B"])),
        ("$.book[?(@.title=~'(')].title", json!([])),
        ("$.book[0].tags[?(@=='y')]", json!(["y"])),
        ("$.*[?(@.free-shipping==true)]", json!([])),
        ("$[?(@.free-shipping==true)].color", json!(["red"])),
        ("$.book[?(@.isbn!=1)].title", json!(["A", "B", "C"])),
        ("$.book[?(10>@.price)].title", json!(["A", "C"])),
    ] {
        assert_eq!(select(&doc, path), expected, "{path}");
    }
}

#[test]
fn paths_that_do_not_fit_are_refused() {
    for path in [
        "",
        "$.",
        "$..",
        "$[",
        "$[]",
        "$[1",
        "$['a",
        "$['a'",
        "$[?(@.a",
        "$[?(@.a==)]",
        "$[?()]",
        "$[1:2:0]",
        "$[--1]",
        "$.a b[",
        "$[99999999999999999999]",
        ".\"",
        "$.a]",
        "$[?(1)]",
    ] {
        assert!(Path::parse(path.as_bytes()).is_err(), "{path}");
    }
    assert!(Path::parse(b"$.\xff").is_err());
    let nested = format!("$[?{}@.a{}]", "(".repeat(200), ")".repeat(200));
    assert!(Path::parse(nested.as_bytes()).is_err());
}

#[test]
fn messages_show_the_whole_path() {
    for (path, shown) in [(".", "$"), ("a", "$.a"), (".a", "$.a"), ("[0]", "$[0]"), ("$.a", "$.a")]
    {
        assert_eq!(Path::parse(path.as_bytes()).unwrap().shown(), shown);
    }
}

#[test]
fn a_path_without_choices_names_a_place() {
    let place = |path: &str| Path::parse(path.as_bytes()).unwrap().place().map(|(_, step)| step);
    assert!(place("$.a.b").is_some());
    assert!(place("$.a[0]").is_some());
    for path in ["$", "$..a", "$.*", "$.a[0,1]", "$.a[?(@.b)].c", "$.a[0:1]"] {
        assert!(place(path).is_none(), "{path}");
    }
}

#[test]
fn removal_counts_the_outermost_only() {
    let mut doc = json!([[1], [1, 2, 3]]);
    let places = Path::parse(b"$..[0]").unwrap().locations(&doc).unwrap();
    assert_eq!(remove_all(&mut doc, places), 2);
    assert_eq!(doc, json!([[2, 3]]));
    let mut doc = json!({"a": {"a": 1}, "b": [{"a": 2}]});
    let places = Path::parse(b"$..a").unwrap().locations(&doc).unwrap();
    assert_eq!(remove_all(&mut doc, places), 2);
    assert_eq!(doc, json!({"b": [{}]}));
}

#[test]
fn locations_lead_to_the_values() {
    let mut doc = store();
    let path = Path::parse(b"$..price").unwrap();
    let values: Vec<Value> = path.values(&doc).unwrap().into_iter().cloned().collect();
    for (place, value) in path.locations(&doc).unwrap().iter().zip(values) {
        assert_eq!(at_mut(&mut doc, place), Some(&mut value.clone()));
    }
}

#[test]
fn merging_follows_the_rfc() {
    for (target, patch, merged) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": [1]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        (json!({"a": "foo"}), json!("bar"), json!("bar")),
    ] {
        let mut value = target;
        merge(&mut value, &patch);
        assert_eq!(value, merged);
    }
}

#[test]
fn numbers_keep_their_kind() {
    for text in ["1", "1.0", "-0.5", "1e16", "1.5e300", "18446744073709551615", "0.1", "-1", "15.0"]
    {
        assert_eq!(compact(&parse(text.as_bytes()).unwrap()), text.as_bytes());
    }
    assert_eq!(compact(&parse(b"1.635e+308").unwrap()), b"1.635e308");
}

#[test]
fn layouts_are_applied() {
    let layout = Layout { indent: b"\t", newline: b"\n", space: b" " };
    let mut writer = Writer::new(layout);
    writer.value(&json!({"obj": {"f": "v"}, "none": [], "arr": [0, 1]}));
    let expected = "{\n\t\"obj\": {\n\t\t\"f\": \"v\"\n\t},\n\t\"none\": [],\n\t\"arr\": [\n\t\t0,\n\t\t1\n\t]\n}";
    assert_eq!(String::from_utf8(writer.finish()).unwrap(), expected);
}

#[test]
fn the_deepest_document_that_parses_is_as_deep_as_documents_may_be() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let deepest = parse(nested(super::DEPTH_MAX).as_bytes()).unwrap();
    assert_eq!(depth(&deepest), super::DEPTH_MAX);
    assert!(parse(nested(super::DEPTH_MAX + 1).as_bytes()).is_err());
}

proptest::proptest! {
    #[test]
    fn no_path_makes_the_parser_or_the_search_panic(path in "[$.\\[\\]a?()@*'\",:0-9<>=!&|~ -]{0,24}") {
        if let Ok(path) = Path::parse(path.as_bytes()) {
            let mut doc = store();
            let places = path.locations(&doc).unwrap();
            assert_eq!(places.len(), path.values(&doc).unwrap().len());
            remove_all(&mut doc, places);
        }
    }

    #[test]
    fn text_is_read_as_it_was_written(text in "\\PC{0,20}", number in proptest::num::f64::NORMAL) {
        let value = json!({&text: [number, &text]});
        assert_eq!(parse(&compact(&value)).unwrap(), value);
    }
}
