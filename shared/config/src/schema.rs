//! The schema as values are held against it. A definition is parsed when something is first held against it: a function
//! reads a small configuration at its start, and most of the schema is about what is not in it.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The checked-in schema. It is made from the types ahead of time; a test holds it to what the types say.
pub(crate) const TEXT: &str = include_str!("../chela.schema.json");

/// The schema of the configuration.
pub(crate) static CONFIGURATION: LazyLock<Schema<'static>> = LazyLock::new(|| Schema::parse(TEXT));

/// A JSON schema whose references all lead into its `$defs`.
#[derive(Default)]
pub(crate) struct Schema<'t> {
    root: Value,
    definitions: BTreeMap<&'t str, Definition<'t>>,
}

struct Definition<'t> {
    text: &'t str,
    parsed: OnceLock<Value>,
}

/// Parts of an object whose values are not parsed yet.
type Parts<'t> = BTreeMap<&'t str, &'t RawValue>;

impl<'t> Schema<'t> {
    /// Reads the top of a schema. A text that is none allows nothing.
    pub(crate) fn parse(text: &'t str) -> Self {
        Self::read(text).unwrap_or_default()
    }

    fn read(text: &'t str) -> serde_json::Result<Self> {
        let mut top: Parts<'t> = serde_json::from_str(text)?;
        let definitions: Parts<'t> = match top.remove("$defs") {
            Some(definitions) => serde_json::from_str(definitions.get())?,
            None => Parts::new(),
        };
        let mut root = Map::new();
        for (word, rule) in top {
            root.insert(word.to_owned(), serde_json::from_str(rule.get())?);
        }
        let unparsed = |text: &'t RawValue| Definition { text: text.get(), parsed: OnceLock::new() };
        let definitions = definitions.into_iter().map(|(name, text)| (name, unparsed(text))).collect();
        Ok(Self { root: Value::Object(root), definitions })
    }

    /// What the whole value is held against.
    pub(crate) fn root(&self) -> &Value {
        &self.root
    }

    /// What a schema refers to, if it only refers.
    pub(crate) fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let target = schema.get("$ref").and_then(Value::as_str);
        let name = target.and_then(|target| target.strip_prefix("#/$defs/"));
        let Some(found) = name.and_then(|name| self.definitions.get(name)) else { return schema };
        found.parsed.get_or_init(|| serde_json::from_str(found.text).unwrap_or_default())
    }
}
