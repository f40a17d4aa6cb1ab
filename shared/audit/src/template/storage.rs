//! What is stored: bucket, table, queues, and who is told about the bill.

use serde_json::Value;

use super::{Template, grants_everybody, is_on, list, statements, texts};
use crate::Finding;
use crate::checks::{
    NO_AWS_BUDGET, NO_DEAD_LETTERS, NO_RECOVERY, OPEN_QUEUE, PLAIN_BUCKET, PUBLIC_BUCKET, UNENCRYPTED,
};

/// The four settings that together keep a bucket from being made public.
const BLOCKS: [&str; 4] = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];

pub(super) fn look(template: &Template, findings: &mut Vec<Finding>) {
    buckets(template, findings);
    for (name, table) in template.of(&["AWS::DynamoDB::Table"]) {
        if !is_on(table, "/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled") {
            let fix = "set PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }";
            findings.push(NO_RECOVERY.found(name, "cannot be set back in time", fix));
        }
        if !is_on(table, "/SSESpecification/SSEEnabled") {
            findings.push(UNENCRYPTED.found(name, "is not encrypted", "set SSESpecification: { SSEEnabled: true }"));
        }
    }
    for (name, queue) in template.of(&["AWS::SQS::Queue"]) {
        let last = name.ends_with("Dlq") || name.ends_with("DeadLetters");
        if !last && queue.get("RedrivePolicy").is_none_or(Value::is_null) {
            findings.push(NO_DEAD_LETTERS.found(name, "has no dead-letter queue", "set RedrivePolicy"));
        }
        if !is_on(queue, "/SqsManagedSseEnabled") && !is_on(queue, "/KmsMasterKeyId") {
            findings.push(UNENCRYPTED.found(name, "is not encrypted", "set SqsManagedSseEnabled: true"));
        }
    }
    for (name, policy) in
        template.of(&["AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::Events::EventBusPolicy"])
    {
        if statements(policy).into_iter().any(grants_everybody) || policy.get("Principal").is_some_and(|who| who == "*")
        {
            let fix = "name the principal that needs it; roles of the same account need no policy here";
            findings.push(OPEN_QUEUE.found(name, "a policy allows everybody something", fix));
        }
    }
    budget(template, findings);
}

fn buckets(template: &Template, findings: &mut Vec<Finding>) {
    let policies: Vec<&Value> =
        template.of(&["AWS::S3::BucketPolicy"]).filter_map(|(_, policy)| policy.get("PolicyDocument")).collect();
    for (name, bucket) in template.of(&["AWS::S3::Bucket"]) {
        let block = |key: &&str| is_on(bucket, &format!("/PublicAccessBlockConfiguration/{key}"));
        let missing: Vec<&str> = BLOCKS.iter().filter(|key| !block(key)).copied().collect();
        let granted = policies.iter().flat_map(|policy| statements(policy)).any(grants_everybody);
        if !missing.is_empty() {
            let fix = "set all four keys of PublicAccessBlockConfiguration to true";
            findings.push(PUBLIC_BUCKET.found(name, format!("lacks {}", missing.join(", ")), fix));
        } else if granted {
            let fix = "name the principal that needs it";
            findings.push(PUBLIC_BUCKET.found(name, "a policy allows everybody something", fix));
        }
        if !policies.iter().any(|policy| texts(policy).contains(&"s3:*") && asks_for_tls(policy)) {
            let fix = "deny s3:* to everybody where aws:SecureTransport is false";
            findings.push(PLAIN_BUCKET.found(name, "answers plain HTTP", fix));
        }
        if !is_on(bucket, "/BucketEncryption") {
            findings.push(UNENCRYPTED.found(name, "is not encrypted by the template", "set BucketEncryption"));
        }
        if !is_on(bucket, "/VersioningConfiguration/Status") {
            let fix = "set VersioningConfiguration: { Status: Enabled }";
            findings.push(NO_RECOVERY.found(name, "keeps no old versions", fix));
        }
    }
}

fn asks_for_tls(policy: &Value) -> bool {
    statements(policy).into_iter().any(|statement| {
        let denied = statement.get("Effect").and_then(Value::as_str) == Some("Deny");
        let plain = statement.get("Condition").and_then(|condition| condition.pointer("/Bool/aws:SecureTransport"));
        denied && plain.is_some_and(|plain| *plain == "false" || *plain == false)
    })
}

/// A budget that exists, and whose parameter does not leave it out by default.
fn budget(template: &Template, findings: &mut Vec<Finding>) {
    let there = template.of(&["AWS::Budgets::Budget"]).next().is_some();
    let zero = template.parameters.iter().find(|(name, parameter)| {
        let default = list(parameter.get("Default")).first().map(|default| default.to_string());
        name.contains("Budget") && default.is_some_and(|default| default.trim_matches('"') == "0")
    });
    match zero {
        _ if !there => {
            let fix = "add AWS::Budgets::Budget with a notification, or set one up in the console";
            findings.push(NO_AWS_BUDGET.found("Resources", "there is no budget", fix));
        }
        Some((name, _)) => {
            let fix = format!("deploy with --parameter {name}=20 --parameter AlarmEmail=you@example.org");
            findings.push(NO_AWS_BUDGET.found(name.as_str(), "is 0 unless a deployment sets it", fix));
        }
        None => {}
    }
}
