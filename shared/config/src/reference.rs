//! What is made from the types and checked in: chela.schema.json, and the tables of docs/configuration.md.
//! `UPDATE=1 cargo test -p chela-config reference` writes both anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::openclaw::NOT_YET;
use crate::settings::Config;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/chela.schema.json");
const BEGIN: &str = "<!-- made from the schema: begin -->\n";
const END: &str = "<!-- made from the schema: end -->\n";

/// The schema as the types have it now.
fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Config>().to_value();
    schema["title"] = Value::from("Configuration of Chela");
    close(&mut schema);
    schema
}

/// Says of every object that names its keys that it has no others, so that editors find misspelt keys as well.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(rules) => {
            rules.values_mut().for_each(close);
            if rules.get("type").is_some_and(|name| name == "object")
                && rules.contains_key("properties")
                && !rules.contains_key("additionalProperties")
            {
                rules.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(several) => several.iter_mut().for_each(close),
        _ => {}
    }
}

/// Compares a checked-in text with what it is made from, or writes it anew.
fn hold(file: &str, fresh: &str) {
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(file, fresh).unwrap();
    }
    let checked_in = std::fs::read_to_string(file).unwrap();
    assert!(checked_in == fresh, "{file} is out of date: UPDATE=1 cargo test -p chela-config reference");
}

#[test]
fn the_schema_says_what_the_types_say() {
    hold(SCHEMA, &format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap()));
}

struct Row {
    key: String,
    kind: String,
    default: String,
    text: String,
}

fn resolved<'a>(schema: &'a Value, root: &'a Value) -> (&'a Value, Option<&'a str>) {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(target) => (root.pointer(target.trim_start_matches('#')).unwrap(), Some(target)),
        None => (schema, None),
    }
}

/// All shapes a value may have, but null.
fn shapes<'a>(schema: &'a Value, root: &'a Value, names: &mut Vec<&'a str>) -> Vec<&'a Value> {
    let (schema, name) = resolved(schema, root);
    names.extend(name);
    let several = ["anyOf", "oneOf"].iter().find_map(|word| schema.get(*word)).and_then(Value::as_array);
    let found = several.map_or_else(|| vec![schema], |list| list.iter().flat_map(|s| shapes(s, root, names)).collect());
    found.into_iter().filter(|shape| shape.get("type").is_none_or(|kind| kind != "null")).collect()
}

fn kind(shape: &Value, root: &Value) -> String {
    if let Some(word) = shape.get("const") {
        return format!("`{word}`");
    }
    if let Some(words) = shape.get("enum").and_then(Value::as_array) {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    let names: Vec<&str> = match shape.get("type") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(name)) => vec![name],
        _ => vec!["anything"],
    };
    let mut words: Vec<String> = Vec::new();
    for name in names.into_iter().filter(|name| *name != "null") {
        words.push(match name {
            "string" => "text".to_owned(),
            "integer" => "whole number".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            "array" => format!("list of {}", kinds(shape.get("items").unwrap_or(&Value::Null), root)),
            other => other.to_owned(),
        });
    }
    words.join(" or ")
}

fn kinds(schema: &Value, root: &Value) -> String {
    let mut words = Vec::new();
    for shape in shapes(schema, root, &mut Vec::new()) {
        let word = kind(shape, root);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" or ").replace("` or `\"", "`, `\"")
}

/// Rows of everything below a schema. Each shape with a name is told once; later places refer to the first.
fn rows<'a>(schema: &'a Value, root: &'a Value, at: &str, told: &mut BTreeMap<&'a str, String>, into: &mut Vec<Row>) {
    let mut names = Vec::new();
    let shapes = shapes(schema, root, &mut names);
    let keys = |shape: &&Value| shape.get("properties").and_then(Value::as_object).is_some_and(|keys| keys.len() > 2);
    if let (Some(first), Some(row), true) =
        (names.iter().find_map(|name| told.get(name)), into.last_mut(), shapes.iter().any(keys))
    {
        row.text.push_str(&format!(" Its keys: as below `{first}`."));
        return;
    }
    for name in &names {
        told.entry(name).or_insert_with(|| at.to_owned());
    }
    for shape in shapes {
        for (key, property) in shape.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let here = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            let default = property.get("default").filter(|value| !value.is_null()).map(|value| format!("`{value}`"));
            into.push(Row {
                key: here.clone(),
                kind: kinds(property, root),
                default: default.unwrap_or_default(),
                text: property["description"].as_str().unwrap().replace('\n', " "),
            });
            rows(property, root, &here, told, into);
        }
        if let Some(others) = shape.get("additionalProperties").filter(|others| others.is_object()) {
            rows(others, root, &format!("{at}.<id>"), told, into);
        }
        if let Some(items) = shape.get("items") {
            rows(items, root, &format!("{at}[]"), told, into);
        }
    }
}

fn tables() -> String {
    let schema = schema();
    let mut all = Vec::new();
    rows(&schema, &schema, "", &mut BTreeMap::new(), &mut all);
    let mut out = String::new();
    for section in schema["properties"].as_object().unwrap().keys().filter(|key| *key != "$schema") {
        let mine = |row: &&Row| {
            row.key == *section
                || row.key.starts_with(&format!("{section}."))
                || row.key.starts_with(&format!("{section}["))
        };
        let rows: Vec<&Row> = all.iter().filter(mine).collect();
        writeln!(out, "### {section}\n\n{}\n\n| key | value | default | meaning |\n|---|---|---|---|", rows[0].text)
            .unwrap();
        for Row { key, kind, default, text } in &rows[1..] {
            let plain = |text: &str| text.replace('|', "\\|");
            writeln!(out, "| `{key}` | {} | {} | {} |", plain(kind), plain(default), plain(text)).unwrap();
        }
        out.push('\n');
    }
    out.push_str("### Keys of OpenClaw that are passed over\n\n| where | keys |\n|---|---|\n");
    // Accounts have the keys of their channel, entries of a list those of the map.
    let again =
        |place: &[&str]| place.contains(&"accounts") || place.contains(&"list") || place.get(2) == Some(&"channels");
    for (place, keys) in NOT_YET.iter().filter(|(place, _)| !again(place)) {
        let place = if place.is_empty() { "the top".to_owned() } else { format!("`{}`", place.join(".")) };
        writeln!(out, "| {place} | {} |", keys.join(", ")).unwrap();
    }
    out
}

#[test]
fn the_page_says_what_the_schema_says() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    hold(PAGE, &format!("{before}{BEGIN}\n{}\n{END}{after}", tables()));
}

#[test]
fn the_reference_manual_names_every_section() {
    for section in schema()["properties"].as_object().unwrap().keys().filter(|key| *key != "$schema") {
        assert!(crate::DEFAULT_TEXT.contains(&format!("\n  {section}: ")), "{section} is not in chela.default.json5");
    }
}

#[test]
fn the_settings_of_the_reference_manual_that_are_commented_out_are_right_too() {
    // Every commented line that is code, opened: what a reader copies must be accepted.
    let is_code = |text: &str| {
        let word = text.split(':').next().unwrap_or_default();
        text.starts_with(['{', '}']) || (text.contains(':') && word.chars().all(char::is_alphanumeric))
    };
    let open: String = crate::DEFAULT_TEXT
        .lines()
        .map(|line| {
            let code = line.strip_prefix("    ").and_then(|line| line.trim_start().strip_prefix("// "));
            let code = code.filter(|code| is_code(code.trim_start()) && !code.contains("…/…"));
            format!("{}\n", code.unwrap_or(line))
        })
        .collect();
    let surroundings = crate::Surroundings {
        variables: &|_| Some("x".repeat(20)),
        missing: crate::MissingVariable::Refuse,
        channels: &[],
    };
    let checked = crate::check("chela.default.json5", &open, &|_| None, &surroundings);
    assert!(checked.report.is_usable(), "{}\n{open}", checked.report.render());
    let config = checked.config.unwrap();
    assert!(
        config.channels.by_id.contains_key("telegram") && config.cron.jobs.len() == 1 && config.bindings.len() == 3
    );
}
