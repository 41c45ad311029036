//! Numbers against the standard library and against values that Redis printed.

use proptest::prelude::*;

use super::*;

fn sum(a: &str, b: &str) -> Option<String> {
    let sum = Extended::parse(a.as_bytes())?.checked_add(Extended::parse(b.as_bytes())?)?;
    Some(sum.to_string())
}

proptest! {
    #[test]
    fn integers_come_back(value in any::<i64>()) {
        prop_assert_eq!(parse_integer(value.to_string().as_bytes()), Some(value));
    }

    #[test]
    fn unsigned_integers_come_back(value in any::<u64>()) {
        prop_assert_eq!(parse_unsigned(value.to_string().as_bytes()), Some(value));
    }

    #[test]
    fn arbitrary_text_never_panics(text in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = (parse_integer(&text), parse_unsigned(&text), Extended::parse(&text));
    }

    #[test]
    fn sums_of_integers_are_exact(a in -(1i64 << 60)..(1i64 << 60), b in -(1i64 << 60)..(1i64 << 60)) {
        prop_assert_eq!(sum(&a.to_string(), &b.to_string()), Some((a + b).to_string()));
    }

    #[test]
    fn sums_of_doubles_are_as_near_as_doubles(a in -1e6f64..1e6, b in -1e6f64..1e6) {
        let text = sum(&a.to_string(), &b.to_string()).expect("finite");
        let value: f64 = text.parse().expect("a number");
        // The text of a double is not its exact value, and the operands may cancel.
        prop_assert!((value - (a + b)).abs() <= (a.abs() + b.abs()) * 4e-16 + 1e-16);
    }
}

#[test]
fn integers_out_of_form_are_refused() {
    for text in ["", "-", "+1", " 1", "1 ", "01", "-0", "9223372036854775808", "1.0", "0x1"] {
        assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
    }
    assert_eq!(parse_integer(b"-9223372036854775808"), Some(i64::MIN));
}

#[test]
fn sums_print_as_redis_prints_them() {
    for (a, b, expected) in [
        ("3.0", "1.1", "4.1"),
        ("10.50", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("0", "-0", "0"),
        ("1", "-1", "0"),
        ("0.1", "0.2", "0.3"),
        ("3", "0.000000000000000006", "3.00000000000000001"),
        ("1e20", "1", "100000000000000000000"),
        ("1e30", "1", "1000000000000000000024696061952"),
        ("-1.5", "0.25", "-1.25"),
        (".5", "1.", "1.5"),
    ] {
        assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
    }
}

#[test]
fn what_is_no_finite_number_is_refused() {
    for text in ["", ".", "e5", "1e", "abc", " 1", "1 ", "nan", "1e5000", "0x10"] {
        assert_eq!(Extended::parse(text.as_bytes()), None, "{text}");
    }
    assert_eq!(sum("inf", "1"), None);
    assert_eq!(sum("1e4932", "1e4932"), None);
}

#[test]
fn doubles_are_written_with_seventeen_digits() {
    let texts = [
        (0.0, "0"),
        (-0.0, "-0"),
        (3.1, "3.1000000000000001"),
        (-12.5, "-12.5"),
        (1e16, "10000000000000000"),
        (1e17, "1e+17"),
        (1.5e300, "1.5000000000000001e+300"),
        (1e-5, "1.0000000000000001e-05"),
        (0.0001, "0.0001"),
        (f64::NEG_INFINITY, "-inf"),
    ];
    for (value, text) in texts {
        assert_eq!(double_text(value), text);
    }
}

#[test]
fn doubles_out_of_range_are_no_scores() {
    for text in ["", "nan", "1e400", "1e-400", " 1", "1 ", "abc", "1e", "."] {
        assert_eq!(parse_double(text.as_bytes()), None, "{text}");
    }
    for (text, value) in [("1", 1.0), ("+inf", f64::INFINITY), ("-1e3", -1000.0), ("0e-999", 0.0)] {
        assert_eq!(parse_double(text.as_bytes()), Some(value), "{text}");
    }
    assert_eq!(parse_double_loosely(b""), Some(0.0));
    assert_eq!(parse_double_loosely(b" 1e400"), Some(f64::INFINITY));
}
