//! Secrets in configuration: written down, taken from a variable, or left where they are.

use chela_core::secret::{Secret, SecretRef};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A secret, or the place it is kept in. Nothing of a secret is ever printed.
#[derive(Clone, Debug, PartialEq)]
pub enum SecretInput {
    /// The secret itself: written in the file, or put there by `${VAR}`.
    Value(Secret),
    /// Where it is kept; read when it is needed.
    Ref(SecretRef),
}

impl SecretInput {
    /// Reads a JSON value; `None` if it is neither a text nor a reference.
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Value(Secret::new(text.clone()))),
            other => SecretRef::deserialize(other).ok().map(Self::Ref),
        }
    }

    /// Whether it is a text without content.
    pub fn is_blank(&self) -> bool {
        matches!(self, Self::Value(secret) if secret.expose().trim().is_empty())
    }
}

impl<'de> Deserialize<'de> for SecretInput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::from_json(&Value::deserialize(from)?).ok_or_else(|| {
            serde::de::Error::custom("expected a text or a secret reference such as { source: \"env\", id: \"NAME\" }")
        })
    }
}

impl JsonSchema for SecretInput {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretInput".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let reference = generator.subschema_for::<SecretRef>();
        json_schema!({
            "description": "A secret: the text itself, `${VAR}`, or a reference to where it is kept.",
            "anyOf": [{ "type": "string" }, reference],
        })
    }
}
