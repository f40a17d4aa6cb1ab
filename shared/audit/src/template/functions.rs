//! Functions: ceilings, doors, what they carry, and their logs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Template, texts};
use crate::Finding;
use crate::checks::{
    NO_CEILING, NO_RETENTION, OPEN_URL, SANDBOX_ARMED, SANDBOX_REACHES, SECRET_IN_ENVIRONMENT, SHARED_ROLE,
};

const FUNCTIONS: &[&str] = &["AWS::Serverless::Function", "AWS::Lambda::Function"];

/// Functions that prove who calls before anything else. No other may have a public address.
const DOORS: &[&str] = &["Webhook", "Api"];

/// Parts of names of variables that hold secrets.
const SECRET_WORDS: &[&str] = &["SECRET", "TOKEN", "PASSWORD", "APIKEY", "API_KEY", "PRIVATE_KEY", "CREDENTIAL"];

/// Beginnings of values that only secrets have.
const SECRET_BEGINNINGS: &[&str] = &["sk-", "xoxb-", "xapp-", "ghp_", "AKIA", "-----BEGIN"];

pub(super) fn look(template: &Template, findings: &mut Vec<Finding>) {
    let mut roles: BTreeMap<String, &str> = BTreeMap::new();
    for (name, properties) in template.of(FUNCTIONS) {
        if properties.get("ReservedConcurrentExecutions").is_none_or(Value::is_null) {
            findings.push(NO_CEILING.found(
                name,
                "has no reserved concurrency",
                "set ReservedConcurrentExecutions; new accounts must ask AWS for a larger quota first",
            ));
        }
        look_at_environment(name, properties, findings);
        look_at_door(name, properties, findings);
        if name.starts_with("Sandbox") && properties.pointer("/VpcConfig/SubnetIds").is_none() {
            let fix = "give it a VpcConfig with subnets that lead nowhere";
            findings.push(SANDBOX_REACHES.found(name, "the sandbox is not in a network of its own", fix));
        }
        let role = properties.get("Role").map(|role| texts(role).join("."));
        if let Some(role) = role
            && let Some(other) = roles.insert(role, name)
        {
            findings.push(SHARED_ROLE.found(name, format!("has the role of {other}"), "give each function its own"));
        }
    }
    look_at_other_doors(template, findings);
    for (name, properties) in template.of(&["AWS::Logs::LogGroup"]) {
        if properties.get("RetentionInDays").is_none_or(Value::is_null) {
            findings.push(NO_RETENTION.found(name, "keeps its lines for ever", "set RetentionInDays: 14"));
        }
    }
}

fn look_at_environment(name: &str, properties: &Value, findings: &mut Vec<Finding>) {
    let variables = properties.pointer("/Environment/Variables").and_then(Value::as_object);
    for (variable, value) in variables.into_iter().flatten() {
        let loud = variable.to_ascii_uppercase();
        let named = SECRET_WORDS.iter().any(|word| loud.contains(word));
        let shaped = texts(value).iter().any(|text| SECRET_BEGINNINGS.iter().any(|start| text.starts_with(start)));
        if named || shaped {
            findings.push(SECRET_IN_ENVIRONMENT.found(
                format!("{name}.{variable}"),
                "a secret is given to the function in its environment",
                "store it as a SecureString of SSM and refer to it in the configuration",
            ));
        }
    }
    if name.starts_with("Sandbox") && variables.is_some_and(|variables| !variables.is_empty()) {
        let fix = "remove its Environment: what a model wrote reads all of it";
        findings.push(SANDBOX_ARMED.found(name, "the sandbox carries variables", fix));
    }
}

fn look_at_door(name: &str, properties: &Value, findings: &mut Vec<Finding>) {
    let door = DOORS.iter().any(|door| name.starts_with(door));
    let url = properties.get("FunctionUrlConfig").filter(|url| !url.is_null());
    if url.is_some_and(is_open) && !door {
        findings.push(open_url(name));
    }
    // An API in front of a function is as public as a URL of its own.
    let events = properties.get("Events").and_then(Value::as_object).into_iter().flat_map(|events| events.values());
    let kinds = events.filter_map(|event| event.get("Type").and_then(Value::as_str));
    if kinds.into_iter().any(|kind| matches!(kind, "Api" | "HttpApi")) && !door {
        findings.push(open_url(name));
    }
}

/// Doors that stand beside their functions.
fn look_at_other_doors(template: &Template, findings: &mut Vec<Finding>) {
    let function = |properties: &Value, key: &str| {
        let named = properties.get(key).map(|function| texts(function).join("."));
        named.filter(|named| !DOORS.iter().any(|door| named.starts_with(door)))
    };
    for (_, url) in template.of(&["AWS::Lambda::Url"]).filter(|(_, url)| is_open(url)) {
        findings.extend(function(url, "TargetFunctionArn").map(|named| open_url(&named)));
    }
    let everybody = |permission: &Value| permission.get("Principal").and_then(Value::as_str) == Some("*");
    for (_, permission) in template.of(&["AWS::Lambda::Permission"]).filter(|(_, permission)| everybody(permission)) {
        findings.extend(function(permission, "FunctionName").map(|named| open_url(&named)));
    }
}

fn is_open(url: &Value) -> bool {
    url.get("AuthType").and_then(Value::as_str) != Some("AWS_IAM")
}

fn open_url(name: &str) -> Finding {
    let fix = "remove FunctionUrlConfig and everybody's permission, or set AuthType: AWS_IAM";
    OPEN_URL.found(name, "has a public address and proves nobody", fix)
}
