use super::Classes;

#[test]
fn letters_are_shown_in_the_order_of_redis() {
    for (given, shown) in [
        ("", ""),
        ("KEA", "AKE"),
        ("KEAnm", "AKEm"),
        ("g$lKEn", "g$lnKE"),
        ("Kxetdzh", "hzxetdK"),
        ("g$lshzxetd", "A"),
        ("Em", "Em"),
    ] {
        let classes = Classes::parse(given).expect("known letters");
        assert_eq!(classes.text(), shown, "{given}");
    }
    assert_eq!(Classes::parse("KQ"), None);
}
