//! Whatever comes in.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::{environment, tree};
use crate::digest;
use crate::lang::parse_text;

/// JSON without what the language has in another way: `null` is a word, numbers have no exponent, and strings know
/// neither `\u` nor `\b`, `\f` and `\/`.
fn documents() -> impl Strategy<Value = Json> {
    let text = "[ -~\u{e9}\u{4e2d}\n\r\t]{0,12}";
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-1_000_000_i32..1_000_000, 1_u8..100)
            .prop_map(|(whole, part)| { Json::from(f64::from(whole) + f64::from(part) / 128.0) }),
        text.prop_map(Json::from),
    ];
    let value = leaf.prop_recursive(6, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map("[a-z][a-z0-9 ._]{0,6}", inner, 0..6)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    });
    prop::collection::btree_map("[a-z][a-z0-9_]{0,6}", value, 0..6)
        .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into())
}

/// Text made of what the grammar is made of.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        Just(" "),
        Just("\n"),
        Just("\r\n"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("("),
        Just(")"),
        Just(","),
        Just(";"),
        Just(":"),
        Just("="),
        Just("'"),
        Just("\""),
        Just("\\"),
        Just("\\x4"),
        Just("#"),
        Just("//"),
        Just("/"),
        Just("$"),
        Just("$NUM"),
        Just("$SELF"),
        Just("a"),
        Just("include"),
        Just("true"),
        Just("-"),
        Just("1"),
        Just("2024-01-02T03:04:05Z"),
        Just("k"),
        Just("kb"),
        Just("."),
        Just("1.5"),
        Just("\u{e9}"),
        Just("\u{a0}"),
        Just("\0"),
    ];
    prop::collection::vec(scrap, 0..40).prop_map(|scraps| scraps.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn json_is_read_as_json(document in documents()) {
        // spec: CORE-170 CORE-178
        for text in [document.to_string(), serde_json::to_string_pretty(&document).expect("serializable")] {
            let map = match parse_text(&text, "t.json", &environment()) {
                Ok(map) => map,
                Err(error) => return Err(TestCaseError::fail(format!("{text}: {error}"))),
            };
            prop_assert_eq!(tree(&map), document.clone(), "{}", text);
        }
    }

    #[test]
    fn layout_does_not_change_the_digest(document in documents()) {
        // spec: CFG-009
        let digest = |text: &str| parse_text(text, "t.json", &environment()).map(|map| digest(&map));
        let pretty = serde_json::to_string_pretty(&document).expect("serializable");
        prop_assert_eq!(digest(&document.to_string()), digest(&pretty));
    }

    #[test]
    fn nothing_makes_the_parser_panic(text in scraps()) {
        let _ = parse_text(&text, "t.conf", &environment());
    }

    #[test]
    fn nor_does_anything_else(text in "\\PC{0,60}") {
        let _ = parse_text(&text, "t.conf", &environment());
    }
}
