//! What infra/template.yaml gives the functions: names, variables, configuration.

use serde_json::{Value, json};

use crate::signing;

/// The functions of the template, as their binaries are called.
pub(crate) const FUNCTIONS: [&str; 5] = ["webhook", "agent", "heartbeat", "api", "sandbox"];

pub(crate) const STAGE: &str = "bench";
pub(crate) const TABLE: &str = "chela-bench";
pub(crate) const BUCKET: &str = "chela-bench";
pub(crate) const LANES: [&str; 3] = ["live", "scheduled", "background"];
pub(crate) const CONFIG_KEY: &str = "config/chela.json5";
pub(crate) const SECRET_PARAMETER: &str = "/chela/bench/webhook/webhookSecret";

/// What an emulator calls its one account.
const ACCOUNT: &str = "000000000000";

pub(crate) fn queue_name(lane: &str) -> String {
    format!("chela-{STAGE}-{lane}.fifo")
}

pub(crate) fn queue_url(endpoint: &str, lane: &str) -> String {
    format!("{endpoint}/{ACCOUNT}/{}", queue_name(lane))
}

pub(crate) fn queue_arn(lane: &str) -> String {
    format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{}", queue_name(lane))
}

/// The variables of a function, as infra/README.md lists them.
pub(crate) fn variables(function: &str, endpoint: &str) -> Vec<(String, String)> {
    let names: &[&str] = match function {
        "webhook" => &["CHANNEL", "CHELA_STAGE", "CHELA_LOG", "CHELA_TABLE", "CHELA_BUCKET", "CHELA_QUEUE_LIVE"],
        "agent" => &[
            "CHELA_STAGE",
            "CHELA_LOG",
            "CHELA_TABLE",
            "CHELA_BUCKET",
            "CHELA_QUEUE_LIVE",
            "CHELA_QUEUE_SCHEDULED",
            "CHELA_QUEUE_BACKGROUND",
            "CHELA_BUS",
            "CHELA_SANDBOX",
            "CHELA_HEARTBEAT_ARN",
            "CHELA_SCHEDULER_ROLE_ARN",
        ],
        "heartbeat" => &["CHELA_STAGE", "CHELA_LOG", "CHELA_BUCKET", "CHELA_QUEUE_SCHEDULED"],
        "api" => &[
            "CHELA_STAGE",
            "CHELA_LOG",
            "CHELA_TABLE",
            "CHELA_BUCKET",
            "CHELA_QUEUE_LIVE",
            "CHELA_QUEUE_SCHEDULED",
            "CHELA_QUEUE_BACKGROUND",
        ],
        _ => return Vec::new(),
    };
    let value = |name: &str| match name {
        "CHANNEL" => "webhook".to_owned(),
        "CHELA_STAGE" => STAGE.to_owned(),
        "CHELA_LOG" => "INFO".to_owned(),
        "CHELA_TABLE" => TABLE.to_owned(),
        "CHELA_BUCKET" => BUCKET.to_owned(),
        "CHELA_QUEUE_LIVE" => queue_url(endpoint, "live"),
        "CHELA_QUEUE_SCHEDULED" => queue_url(endpoint, "scheduled"),
        "CHELA_QUEUE_BACKGROUND" => queue_url(endpoint, "background"),
        "CHELA_BUS" => "chela-bench".to_owned(),
        "CHELA_HEARTBEAT_ARN" => format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:chela-bench-heartbeat"),
        "CHELA_SCHEDULER_ROLE_ARN" => format!("arn:aws:iam::{ACCOUNT}:role/chela-bench-scheduler"),
        _ => "chela-bench-sandbox".to_owned(),
    };
    let given = names.iter().map(|name| ((*name).to_owned(), value(name)));
    given.chain([("AWS_ENDPOINT_URL".to_owned(), endpoint.to_owned())]).collect()
}

/// How calls of a model are accounted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accounts {
    /// What was spent is counted.
    Counted,
    /// There is a limit, so that each call is reserved before and settled after.
    Limited,
}

/// The configuration in the bucket: one channel whose secret lies where the template's roles may read it.
pub(crate) fn configuration(callback: &str) -> String {
    basis(callback).to_string()
}

/// The same with a model behind `url` that costs money, instead of the offline one.
pub(crate) fn configuration_with_model(callback: &str, url: &str, accounts: Accounts) -> String {
    let mut config = basis(callback);
    let cost = json!({ "input": 3.0, "output": 15.0, "cacheRead": 0.3, "cacheWrite": 3.75 });
    let model = json!({ "id": "m", "contextWindow": 200_000, "maxTokens": 2_000, "cost": cost });
    let provider =
        json!({ "baseUrl": url, "api": "openai-completions", "apiKey": "public-test-key", "models": [model] });
    let limits = match accounts {
        Accounts::Counted => json!({}),
        Accounts::Limited => json!({ "perDay": 1_000, "perUserPerDay": 500 }),
    };
    let more = json!({
        "agents": { "defaults": { "model": "bench/m" } },
        "models": { "providers": { "bench": provider } },
        "spend": { "limits": limits },
    });
    if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    config.to_string()
}

fn basis(callback: &str) -> Value {
    let webhook = json!({
        "webhookSecret": { "source": "ssm", "id": SECRET_PARAMETER },
        "callbackUrl": callback, "dmPolicy": "open", "allowFrom": ["*"],
    });
    json!({
        "session": { "dmScope": "per-channel-peer" },
        "messages": { "queue": { "mode": "followup" } },
        "gateway": { "limits": { "messagesPerMinute": 0 } },
        "channels": { "webhook": webhook },
    })
}

/// What the Systems Manager answers to `GetParameter`.
pub(crate) fn parameter() -> Value {
    json!({ "Parameter": {
        "Name": SECRET_PARAMETER, "Type": "SecureString", "Value": signing::secret(), "Version": 1, "DataType": "text",
    } })
}
