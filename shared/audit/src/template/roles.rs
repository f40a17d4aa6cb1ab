//! What roles may do.

use serde_json::Value;

use super::{Template, list, texts};
use crate::Finding;
use crate::checks::{MANAGED_POLICY, SANDBOX_ARMED, SCAN, WILD_ACTION, WILD_RESOURCE};

/// Actions that read everything of a table or end it.
const WHOLE_TABLE: &[&str] = &["dynamodb:Scan", "dynamodb:DeleteTable", "dynamodb:PartiQLSelect"];

/// The role of the function that runs what a model wrote is told by its name.
const SANDBOX: &str = "Sandbox";

/// Where policies stand: with their roles, with a function (SAM), or by themselves.
const WITH_POLICIES: &[&str] =
    &["AWS::IAM::Role", "AWS::Serverless::Function", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"];

pub(super) fn look(template: &Template, findings: &mut Vec<Finding>) {
    for (name, properties) in template.of(WITH_POLICIES) {
        for policy in list(properties.get("ManagedPolicyArns")) {
            let message = format!("has {}", texts(policy).join(""));
            let fix = "write down the actions that are needed, in a policy of the role's own";
            findings.push(MANAGED_POLICY.found(name, message, fix));
        }
        for statement in statements(properties) {
            look_at(name, statement, findings);
        }
        let armed = !list(properties.get("Policies")).is_empty() || properties.get("ManagedPolicyArns").is_some();
        if name.starts_with(SANDBOX) && armed {
            findings.push(SANDBOX_ARMED.found(name, "the sandbox's role may do something", "remove its policies"));
        }
    }
}

fn statements(properties: &Value) -> Vec<&Value> {
    let inline = list(properties.get("Policies")).into_iter();
    let documents = inline.filter_map(|policy| policy.get("PolicyDocument").or(Some(policy)));
    let own = properties.get("PolicyDocument").into_iter();
    documents.chain(own).flat_map(|document| list(document.get("Statement"))).collect()
}

fn look_at(name: &str, statement: &Value, findings: &mut Vec<Finding>) {
    if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
        return;
    }
    let actions: Vec<&str> = statement.get("Action").map(texts).unwrap_or_default();
    let wild = actions.iter().find(|action| action.contains('*'));
    if statement.get("NotAction").is_some() || wild.is_some() {
        let what = wild.map_or_else(|| "everything but NotAction".to_owned(), |action| (*action).to_owned());
        findings.push(WILD_ACTION.found(name, format!("allows {what}"), "name each action that is used"));
    }
    let whole = actions.iter().find(|action| WHOLE_TABLE.contains(action));
    if let Some(action) = whole {
        findings.push(SCAN.found(name, format!("allows {action}"), "use Query on one partition"));
    }
    let resources: Vec<&str> = statement.get("Resource").map(texts).unwrap_or_default();
    if resources.contains(&"*") || statement.get("NotResource").is_some() || resources.is_empty() {
        let message = format!("allows {} on every resource", actions.join(", "));
        findings.push(WILD_RESOURCE.found(name, message, "name the resource: !GetAtt Table.Arn"));
    }
}
