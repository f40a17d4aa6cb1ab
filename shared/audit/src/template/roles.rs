//! What roles may do.

use serde_json::Value;

use super::{Template, list, statements, texts};
use crate::Finding;
use crate::checks::{MANAGED_POLICY, PASS_ROLE, SANDBOX_ARMED, SCAN, WILD_ACTION, WILD_RESOURCE};

/// Actions that read everything of a table or end it.
const WHOLE_TABLE: &[&str] = &["dynamodb:Scan", "dynamodb:DeleteTable", "dynamodb:PartiQLSelect"];

/// The role of the function that runs what a model wrote is told by its name.
const SANDBOX: &str = "Sandbox";

/// What Lambda needs on every resource to place a function in a VPC, which it does with the function's own role:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html>
const PLACING: &[&str] = &[
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
];

/// Only requests of the function's code bear it.
const OF_CODE: &str = "/Condition/ArnEquals/lambda:SourceFunctionArn";

/// Where policies stand: with their roles, with a function (SAM), or by themselves.
const WITH_POLICIES: &[&str] =
    &["AWS::IAM::Role", "AWS::Serverless::Function", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"];

pub(super) fn look(template: &Template, findings: &mut Vec<Finding>) {
    for (name, properties) in template.of(WITH_POLICIES) {
        // SAM takes names of managed policies, and templates of policies, among a function's own.
        let shorthand = list(properties.get("Policies")).into_iter().filter(|policy| statements(policy).is_empty());
        let managed: Vec<&Value> = list(properties.get("ManagedPolicyArns")).into_iter().chain(shorthand).collect();
        for policy in &managed {
            let named = policy.as_object().and_then(|policy| policy.keys().next()).map(String::as_str);
            let message = format!("has {}", named.map_or_else(|| texts(policy).join(""), str::to_owned));
            let fix = "write down the actions that are needed, in a policy of the role's own";
            findings.push(MANAGED_POLICY.found(name, message, fix));
        }
        let sandbox = name.starts_with(SANDBOX);
        let statements: Vec<&Value> =
            ["Policies", "PolicyDocument"].iter().filter_map(|key| properties.get(key)).flat_map(statements).collect();
        for statement in statements.iter().filter(|statement| !(sandbox && places(statement))) {
            look_at(name, statement, findings);
        }
        let armed = statements.iter().any(|statement| allows(statement) && !places(statement));
        let usable = statements.iter().any(|statement| allows(statement)) && !statements.iter().any(|one| disarms(one));
        if sandbox && (armed || usable || !managed.is_empty()) {
            let fix = "let its role allow nothing but what Lambda needs for its network, and deny that to its code";
            findings.push(SANDBOX_ARMED.found(name, "the sandbox's role may do something", fix));
        }
    }
}

fn allows(statement: &Value) -> bool {
    statement.get("Effect").and_then(Value::as_str) != Some("Deny")
}

/// Whether it allows no more than what Lambda itself needs.
fn places(statement: &Value) -> bool {
    let actions = statement.get("Action").map(texts).unwrap_or_default();
    allows(statement) && !actions.is_empty() && actions.iter().all(|action| PLACING.contains(action))
}

/// Whether it takes everything from the function's code.
fn disarms(statement: &Value) -> bool {
    let is = |key: &str, text: &str| statement.get(key).and_then(Value::as_str) == Some(text);
    let condition = statement.get("Condition").and_then(Value::as_object);
    let only = condition.is_some_and(|condition| condition.len() == 1) && statement.pointer(OF_CODE).is_some();
    is("Effect", "Deny") && is("Action", "*") && is("Resource", "*") && only
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
    let is_one_of = |all: &[&str], action: &str| all.iter().any(|one| one.eq_ignore_ascii_case(action));
    let whole = actions.iter().find(|action| is_one_of(WHOLE_TABLE, action));
    if let Some(action) = whole {
        findings.push(SCAN.found(name, format!("allows {action}"), "use Query on one partition"));
    }
    let resources: Vec<&str> = statement.get("Resource").map(texts).unwrap_or_default();
    let passed = actions.iter().any(|action| is_one_of(&["iam:PassRole"], action));
    if passed && texts_under(statement, "Condition").is_empty() {
        let fix = "add Condition: { StringEquals: { iam:PassedToService: … } }";
        findings.push(PASS_ROLE.found(name, "hands a role to whichever service", fix));
    }
    if resources.iter().any(|resource| is_everything(resource))
        || statement.get("NotResource").is_some()
        || resources.is_empty()
    {
        let message = format!("allows {} on every resource", actions.join(", "));
        findings.push(WILD_RESOURCE.found(name, message, "name the resource: !GetAtt Table.Arn"));
    }
}

fn texts_under<'a>(statement: &'a Value, key: &str) -> Vec<&'a str> {
    statement.get(key).map(texts).unwrap_or_default()
}

/// Whether a resource is all of a kind: `*`, `arn:aws:s3:::*`, `arn:…:role/*`.
fn is_everything(resource: &str) -> bool {
    let plain = resource.replace("${AWS::", "${");
    let name = plain.splitn(6, ':').nth(5).unwrap_or(&plain);
    let kind = name.strip_suffix('*').map(|kind| kind.trim_end_matches(['/', ':']));
    kind.is_some_and(|kind| kind.chars().all(|c| c.is_ascii_alphabetic() || c == '-'))
}
