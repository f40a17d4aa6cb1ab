//! The template of the deployment: roles, functions, what is stored. It is read as it is deployed, before SAM and
//! CloudFormation make more of it, so that a change shows in review.

mod functions;
mod roles;
mod storage;

use serde_json::{Map, Value};

use crate::Finding;

/// Largest template: CloudFormation takes 1 MB.
const MAX_BYTES: usize = 1024 * 1024;

/// A template.
#[derive(Clone, Debug)]
pub struct Template {
    resources: Map<String, Value>,
    parameters: Map<String, Value>,
}

/// Why a text is no template.
#[derive(Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// It cannot be read as YAML or JSON.
    Unreadable(String),
    /// It has no resources.
    NoResources,
}

impl std::error::Error for TemplateError {}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(why) => write!(out, "it is no YAML: {why}"),
            Self::NoResources => out.write_str("it has no Resources: name a CloudFormation or SAM template"),
        }
    }
}

impl Template {
    /// Reads YAML or JSON. Short forms of functions (`!Ref X`, `!GetAtt X.Arn`) become their plain values: what is asked
    /// here is whether something stands there, and whether it is a literal star.
    pub fn read(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_BYTES {
            return Err(TemplateError::Unreadable(format!("it has more than {MAX_BYTES} bytes")));
        }
        let value: Value =
            serde_saphyr::from_str(text).map_err(|error| TemplateError::Unreadable(error.to_string()))?;
        let section = |name: &str| value.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let (resources, parameters) = (section("Resources"), section("Parameters"));
        if resources.is_empty() {
            return Err(TemplateError::NoResources);
        }
        Ok(Self { resources, parameters })
    }

    /// Resources of one of these types, with their properties.
    fn of<'a>(&'a self, types: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a Value)> {
        const NONE: &Value = &Value::Null;
        self.resources.iter().filter_map(|(name, resource)| {
            let kind = resource.get("Type").and_then(Value::as_str)?;
            types.contains(&kind).then(|| (name.as_str(), resource.get("Properties").unwrap_or(NONE)))
        })
    }
}

pub(crate) fn look(template: &Template, findings: &mut Vec<Finding>) {
    roles::look(template, findings);
    functions::look(template, findings);
    storage::look(template, findings);
}

/// One value or several, as one list.
fn list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
    }
}

/// Statements of policies, those inside `Fn::If` too.
fn statements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(entries) if entries.contains_key("Effect") => vec![value],
        Value::Object(entries) => entries.values().flat_map(statements).collect(),
        Value::Array(items) => items.iter().flat_map(statements).collect(),
        _ => Vec::new(),
    }
}

/// Whether a statement lets everybody do something.
fn grants_everybody(statement: &Value) -> bool {
    let everybody = statement.get("Principal").map(texts).unwrap_or_default().contains(&"*");
    everybody && statement.get("Effect").and_then(Value::as_str) == Some("Allow")
}

/// Every text within a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(entries) => entries.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Whether a property is there and not the plain `false`.
fn is_on(properties: &Value, pointer: &str) -> bool {
    properties.pointer(pointer).is_some_and(|value| !value.is_null() && *value != false && *value != "false")
}
