//! Mutants these tests catch, each tried by hand: no depth limit; the last of two equal keys counts; `locate` stops at
//! the first key of that name anywhere; columns count bytes; the second occurrence is not skipped to.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn place(text: &str, path: &Path, part: Part) -> (usize, usize) {
    let found = locate(text, path, part);
    (found.line, found.column)
}

#[test]
fn places_are_found_by_path() {
    let text = "// first\n{ a: 1, 'b': { a: [10,\n  { ö: 'x', a: true }] },\n  \"a b\": null }";
    let b_a = Path::of(&["b", "a"]);
    assert_eq!(place(text, &Path::root(), Part::Value), (2, 1));
    assert_eq!(place(text, &Path::of(&["a"]), Part::Key), (2, 3));
    assert_eq!(place(text, &Path::of(&["a"]), Part::Value), (2, 6));
    assert_eq!(place(text, &b_a, Part::Key), (2, 16));
    assert_eq!(place(text, &b_a.index(0), Part::Value), (2, 20));
    assert_eq!(place(text, &b_a.index(1).key("a"), Part::Key), (3, 13));
    assert_eq!(place(text, &b_a.index(1).key("a"), Part::Value), (3, 16));
    assert_eq!(place(text, &Path::of(&["a b"]), Part::Value), (4, 10));
}

#[test]
fn a_missing_key_is_placed_at_what_should_hold_it() {
    let text = "{ a: { b: 1 } }";
    assert_eq!(place(text, &Path::of(&["a", "missing", "deeper"]), Part::Value), (1, 6));
    assert_eq!(place(text, &Path::of(&["a", "b", "deeper"]), Part::Key), (1, 11));
    assert_eq!(place(text, &Path::of(&["missing"]), Part::Key), (1, 1));
}

#[test]
fn the_first_of_two_equal_keys_counts_and_the_second_is_reported() {
    let text = "{ a: 1,\n b: { c: 1 },\n b: { c: 2 } }";
    let document = read(text).unwrap();
    assert_eq!(document.value, json!({ "a": 1, "b": { "c": 1 } }));
    assert_eq!(document.repeated, [Path::of(&["b"])]);
    assert_eq!(place(text, &Path::of(&["b"]), Part::SecondKey), (3, 2));
    assert_eq!(place(text, &Path::of(&["b", "c"]), Part::Value), (2, 10));
}

#[test]
fn what_is_wrong_with_a_text_is_said_with_its_place() {
    let cases = [
        ("", "a value is missing at the end of the file", 1, 1),
        ("{", "this object is not closed", 1, 1),
        ("{ a: [1,\n 2", "this list is not closed", 1, 6),
        ("{ a: 1\n b: 2 }", "a comma is missing before this", 2, 2),
        ("{ a 1 }", "a colon is missing after a key", 1, 5),
        ("{ a: [1, }", "a value was expected here", 1, 10),
        ("{ a: chela }", "a value was expected here", 1, 6),
        ("{ a: 'x\n }", "a text ends with its line", 1, 8),
        ("{ a: 'x", "a text is not closed", 1, 8),
        ("{ a: 1 } extra", "text follows the end of the configuration", 1, 10),
        ("{ a: 0777 }", "a number begins with 0", 1, 6),
        ("{ a: Infinity }", "a number is infinite or no number at all", 1, 6),
        ("{ a: '\\u12' }", "a text has an escape that JSON5 does not know", 1, 7),
        ("{,}", "a key was expected here", 1, 2),
        ("/* never", "a comment is not closed", 1, 9),
    ];
    for (text, message, line, column) in cases {
        let wrong = read(text).unwrap_err();
        assert_eq!((wrong.message.as_str(), wrong.place), (message, Place { line, column }), "{text:?}");
        assert!(!wrong.fix.is_empty());
    }
}

#[test]
fn a_text_may_not_be_deep_or_huge() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(&deep(MAX_DEPTH)).is_ok());
    let wrong = read(&deep(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(wrong.place, Place { line: 1, column: MAX_DEPTH + 1 });
    assert!(read(&deep(100_000)).is_err());
    assert!(read(&"{a:".repeat(100_000)).is_err());
    assert!(read(&format!("{{ a: '{}' }}", "x".repeat(MAX_BYTES))).unwrap_err().message.contains("bytes"));
}

/// JSON5 around any value: quotes, comments, trailing commas.
fn text_of(value: &Value, style: u8) -> String {
    let gap = ["", " ", "\n", "/* {a:1} */", "// x\n"][usize::from(style) % 5];
    let comma = if style.is_multiple_of(3) { "," } else { "" };
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| format!("{gap}{}", text_of(item, style))).collect();
            format!("[{}{}{gap}]", items.join(","), if items.is_empty() { "" } else { comma })
        }
        Value::Object(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{gap}{key:?}:{gap}{}", text_of(value, style))).collect();
            format!("{{{}{}{gap}}}", entries.join(","), if entries.is_empty() { "" } else { comma })
        }
        plain => plain.to_string(),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z{}\\[\\],:/*'ö ]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn paths_of(value: &Value, at: Path, into: &mut Vec<(Path, Value)>) {
    into.push((at.clone(), value.clone()));
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| paths_of(item, at.index(i), into)),
        Value::Object(map) => map.iter().for_each(|(key, item)| paths_of(item, at.key(key), into)),
        _ => {}
    }
}

/// The text from a place on.
fn from_place(text: &str, place: Place) -> String {
    let lines: Vec<&str> = text.split('\n').skip(place.line - 1).collect();
    lines.join("\n").chars().skip(place.column - 1).collect()
}

proptest! {
    #[test]
    fn every_value_is_read_as_json5_reads_it_and_found_where_it_stands(value in any_value(), style in any::<u8>()) {
        let text = text_of(&value, style);
        let document = read(&text).unwrap();
        prop_assert_eq!(&document.value, &json5::from_str::<Value>(&text).unwrap());
        prop_assert_eq!(&document.value, &value);
        let mut paths = Vec::new();
        paths_of(&value, Path::root(), &mut paths);
        for (path, expected) in paths {
            let rest = from_place(&text, locate(&text, &path, Part::Value));
            let begins = text_of(&expected, style);
            prop_assert!(rest.starts_with(&begins), "{path}: {rest:?} should begin with {begins:?}");
        }
    }

    #[test]
    fn any_text_is_read_exactly_when_json5_reads_it(text in "[{}\\[\\],:'\"a1 /*\\\\n.+-]{0,24}") {
        let ours = read(&text);
        let theirs = json5::from_str::<Value>(&text);
        match (&ours, &theirs) {
            (Ok(document), Ok(value)) if document.repeated.is_empty() => prop_assert_eq!(&document.value, value),
            // serde_json's own visitor turns numbers that are none into null.
            (Err(wrong), Ok(_)) => prop_assert!(wrong.message.contains("number"), "{wrong:?}"),
            _ => prop_assert_eq!(ours.is_ok(), theirs.is_ok()),
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,40}") {
        if let Err(wrong) = read(&text) {
            prop_assert!(wrong.place.line >= 1 && wrong.place.column >= 1);
        }
    }
}
