use serde_json::json;

use super::*;
use crate::check::schema;

/// Words of JSON Schema that mean something to the walk, and those that may be passed over because they only explain.
const UNDERSTOOD: &[&str] = &[
    "$ref",
    "anyOf",
    "oneOf",
    "const",
    "type",
    "enum",
    "minimum",
    "maximum",
    "items",
    "properties",
    "additionalProperties",
    "required",
    "x-aliases",
];
const EXPLAINING: &[&str] = &["$schema", "$defs", "title", "description", "default", "format"];

fn each_schema(schema: &Value, see: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    let Value::Object(rules) = schema else { return };
    see(rules);
    for (word, rule) in rules {
        match (word.as_str(), rule) {
            ("properties" | "$defs", Value::Object(named)) => {
                named.values().for_each(|schema| each_schema(schema, see))
            }
            ("anyOf" | "oneOf", Value::Array(several)) => several.iter().for_each(|schema| each_schema(schema, see)),
            ("items" | "additionalProperties", schema) => each_schema(schema, see),
            _ => {}
        }
    }
}

#[test]
fn the_schema_uses_only_words_the_walk_understands() {
    each_schema(&schema(), &mut |rules| {
        for word in rules.keys() {
            assert!(UNDERSTOOD.contains(&word.as_str()) || EXPLAINING.contains(&word.as_str()), "{word} in {rules:?}");
        }
    });
}

#[test]
fn every_key_of_the_schema_is_explained() {
    each_schema(&schema(), &mut |rules| {
        for (key, property) in rules.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let explained = property.get("description").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            assert!(explained, "{key} in {rules:?}");
        }
    });
}

fn misfits(schema: Value, mut value: Value) -> Vec<String> {
    let text = schema.to_string();
    fit(&Schema::parse(&text), &[], &mut value)
        .into_iter()
        .map(|m| format!("{}: {} → {}", m.path, m.message, m.fix))
        .collect()
}

#[test]
fn each_word_is_heeded() {
    let cases = [
        (json!({ "type": "string" }), json!(5), "the configuration: must be a text, not a number → put it in quotes"),
        (
            json!({ "type": "integer" }),
            json!(1.5),
            "the configuration: must be a whole number, not a number → write it in that form",
        ),
        (
            json!({ "type": "array", "items": { "type": "string" } }),
            json!("a"),
            "the configuration: must be a list, not a text → put it in brackets: [ … ]",
        ),
        (
            json!({ "type": "array", "items": { "type": "boolean" } }),
            json!([true, "false"]),
            "[1]: must be true or false, not a text → write true or false without quotes",
        ),
        (json!({ "type": "object", "properties": {} }), json!({ "a": 1 }), "a: there is no such key → remove it"),
        (
            json!({ "type": "object", "additionalProperties": { "type": "number" } }),
            json!({ "a": "1" }),
            "a: must be a number, not a text → remove the quotes",
        ),
        (
            json!({ "enum": ["a", "b"], "type": "string" }),
            json!("secret"),
            "the configuration: is not one of \"a\", \"b\" → write one of them",
        ),
        (json!({ "const": "on" }), json!("off"), "the configuration: must be \"on\" → write \"on\""),
        (
            json!({ "type": "number", "minimum": 1 }),
            json!(0),
            "the configuration: must be at least 1 → choose a number within these bounds",
        ),
        (
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }),
            json!([]),
            "the configuration: must be a text or a whole number, not a list → write it in that form",
        ),
        (
            json!({ "anyOf": [{ "type": "string" }, { "type": "object", "properties": { "source": {} } }] }),
            json!({ "sourc": 1 }),
            "sourc: there is no such key → did you mean \"source\"?",
        ),
        (
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": "string" } } }),
            json!(null),
            "the configuration: must be a text, not null → remove the key",
        ),
    ];
    for (schema, value, expected) in cases {
        assert_eq!(misfits(schema.clone(), value), [expected], "{schema}");
    }
}

#[test]
fn what_fits_is_left_alone() {
    let schema = json!({ "anyOf": [{ "oneOf": [{ "const": "a" }, { "const": "b" }] }, { "type": "null" }] });
    for value in [json!("a"), json!("b"), json!(null)] {
        assert_eq!(misfits(schema.clone(), value), Vec::<String>::new());
    }
    let schema = json!({ "oneOf": [{ "const": "a", "x-aliases": ["old"] }, { "const": "b" }] });
    assert_eq!(misfits(schema.clone(), json!("old")), Vec::<String>::new());
    assert_eq!(misfits(schema, json!("older")).len(), 1);
}

#[test]
fn a_near_miss_is_near() {
    let names = || ["dmPolicy", "allowFrom", "enabled"].into_iter();
    assert_eq!(nearest("dmpolicy", names()), Some("dmPolicy"));
    assert_eq!(nearest("alowForm", names()), Some("allowFrom"));
    assert_eq!(nearest("disabled", names()), None);
    assert_eq!(nearest("token", names()), None);
    assert_eq!(nearest("", names()), None);
}
