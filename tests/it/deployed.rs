//! The main job on AWS's terms: the template deployed into the emulator, the real binaries behind SQS FIFO, DynamoDB, S3
//! and the parameter store, roles enforced, and a platform on this machine that gets the reply over HTTP.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chela_core::clock::Clock as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::architecture::root;
use crate::binaries;
use crate::dead_letters::envelope;
use crate::local::{SLACK_SECRET, TELEGRAM_SECRET, channels, telegram_headers};
use crate::oracle;
use crate::platform::Platforms;

/// Functions start as processes, on two slow cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const STAGE: &str = "it";

/// Where the sandbox function says which Runtime API it was given, a line for each start.
const RUNTIME_APIS: &str = "runtime-apis";

/// An emulator of its own; stopped when dropped.
pub(crate) struct Emulator {
    pub(crate) endpoint: String,
}

impl Emulator {
    pub(crate) fn start() -> Self {
        let told = run(Command::new(root().join("tools/emulator")).args(["start", "--port", "0", "--auth"]));
        Self { endpoint: told.lines().last().unwrap().trim().to_owned() }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let port = self.endpoint.rsplit(':').next().unwrap_or_default();
        let _ = Command::new(root().join("tools/emulator")).args(["stop", "--port", port]).output();
    }
}

/// The stack in an emulator.
pub(crate) struct Stack {
    endpoint: String,
    outputs: Value,
    // Stopped before its folder goes.
    _emulator: Emulator,
    folder: tempfile::TempDir,
}

impl Stack {
    pub(crate) fn deploy(config: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let emulator = Emulator::start();
        let endpoint = emulator.endpoint.clone();
        let file = folder.path().join("chela.json5");
        std::fs::write(&file, config.to_string()).unwrap();
        let outputs = run(Command::new(root().join("tools/deploy-local"))
            .args(["--endpoint", &endpoint, "--stage", STAGE, "--config"])
            .arg(&file)
            .args(["--secret", "telegram/botToken=99:public-test-token_0123456789abcdefghijklmn"])
            .args(["--secret", &format!("telegram/webhookSecret={TELEGRAM_SECRET}")])
            .args(["--secret", "slack/botToken=xoxb-test"])
            .args(["--secret", &format!("slack/signingSecret={SLACK_SECRET}")])
            .args(["--secret", "api/token=api-key-of-a-test"])
            .args(["--secret", "models/claude=key-of-claude"])
            .env("CHELA_BOOTSTRAPS", bootstraps(folder.path())));
        Self { endpoint, outputs: serde_json::from_str(&outputs).unwrap(), folder, _emulator: emulator }
    }

    /// The Runtime APIs of all environments of the sandbox function that were started.
    pub(crate) fn runtime_apis(&self) -> Vec<String> {
        let told = std::fs::read_to_string(self.folder.path().join(RUNTIME_APIS)).unwrap_or_default();
        told.lines().map(str::to_owned).collect()
    }

    /// A file of the bucket.
    pub(crate) fn file(&self, key: &str) -> String {
        let script =
            "print(client('s3').get_object(Bucket=sys.argv[2], Key=sys.argv[3])['Body'].read().decode(), end='')";
        boto(&self.endpoint, script, &[self.outputs["Bucket"].as_str().unwrap(), key])
    }

    pub(crate) fn put_file(&self, key: &str, text: &str) {
        let script = "client('s3').put_object(Bucket=sys.argv[2], Key=sys.argv[3], Body=sys.argv[4].encode())";
        boto(&self.endpoint, script, &[self.outputs["Bucket"].as_str().unwrap(), key, text]);
    }

    /// Posts to a Function URL: the emulator tells them apart by the Host header.
    pub(crate) async fn request(
        &self,
        url: &str,
        method: &str,
        path: &str,
        headers: &http::HeaderMap,
        body: &str,
    ) -> (u16, String) {
        let host = self.outputs[url].as_str().unwrap().split('/').nth(2).unwrap().to_owned();
        let address = self.endpoint.strip_prefix("http://").unwrap();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }
}

/// The functions' binaries without their debugging notes, laid out as the deployment wants them.
fn bootstraps(folder: &Path) -> PathBuf {
    let bootstraps = folder.join("bootstraps");
    for function in ["webhook", "agent", "heartbeat", "api", "sandbox", "mail"] {
        let target = bootstraps.join(function);
        std::fs::create_dir_all(&target).unwrap();
        let stripped = if function == "sandbox" { folder.join(function) } else { target.join("bootstrap") };
        run(Command::new("strip").arg("-o").arg(&stripped).arg(binaries::folder().join(function)));
        if function == "sandbox" {
            enclose(folder, &stripped, &target.join("bootstrap"));
        }
    }
    bootstraps
}

/// Puts the sandbox function into a world like Lambda's: a user without rights, a read-only system, the program in
/// `/var/task`, a `/tmp` of its own. The emulator runs functions beside everything else on this machine, and this one
/// wipes its `/tmp`. Network and environment stay as the emulator gives them. It does not die with its parent, which is a
/// thread that ends with the invocation: it ends with the process group of the emulator.
pub(crate) fn enclose(folder: &Path, real: &Path, bootstrap: &Path) {
    let (told, bwrap) = (folder.join(RUNTIME_APIS), root().join(".tools/bubblewrap/bin/bwrap"));
    let script = format!(
        "#!/bin/sh\necho \"$AWS_LAMBDA_RUNTIME_API\" >>{}\n\
         exec {} --unshare-user --uid 1000 --gid 1000 --unshare-pid --as-pid-1 --ro-bind / / --dev /dev --proc /proc \
         --tmpfs /var --perms 1777 --tmpfs /tmp --perms 0755 --dir /var/task --ro-bind {} /var/task/bootstrap \
         --remount-ro /var --remount-ro /dev --chdir /var/task /var/task/bootstrap\n",
        told.display(),
        bwrap.display(),
        real.display()
    );
    std::fs::write(bootstrap, script).unwrap();
    std::fs::set_permissions(bootstrap, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}\n{text}\n{errors}\nIf tools are missing: make test installs them.");
    text
}

/// A secret as the configuration names it.
pub(crate) fn reference(path: &str) -> Value {
    json!({"source": "ssm", "id": format!("/chela/{STAGE}/{path}")})
}

pub(crate) fn config(platforms: &str) -> Value {
    let mut config = channels(platforms);
    config["channels"]["telegram"]["botToken"] = reference("telegram/botToken");
    config["channels"]["telegram"]["webhookSecret"] = reference("telegram/webhookSecret");
    config["channels"]["slack"]["botToken"] = reference("slack/botToken");
    config["channels"]["slack"]["signingSecret"] = reference("slack/signingSecret");
    config["gateway"] = json!({"auth": {"token": reference("api/token")}});
    config["cron"] = json!({"jobs": [{
        "name": "daily", "expression": "cron(0 9 * * ? *)", "prompt": "Is there anything to tell?",
        "deliverTo": {"channel": "telegram", "to": "7527593"},
    }]});
    config
}

#[tokio::test]
async fn l04_l05_signed_webhooks_are_answered_through_the_deployed_template() {
    let platforms = Platforms::open().await;
    let stack = Stack::deploy(&config(&platforms.url));

    let update = oracle::telegram_update(&oracle::recorded("telegram/text.json"));
    let none = http::HeaderMap::new();
    let (status, _) = stack.request("WebhookTelegramUrl", "POST", "/", &none, &update).await;
    assert_eq!(status, 401, "an unsigned request");
    for _ in 0..2 {
        let (status, body) =
            stack.request("WebhookTelegramUrl", "POST", "/", &telegram_headers(TELEGRAM_SECRET), &update).await;
        assert_eq!(status, 200, "{body}");
    }
    let sent = platforms.wait_for("/sendMessage", 1, PATIENCE).await;
    assert!(sent[0].body["text"].as_str().unwrap().contains("offline echo"));

    let body = oracle::recorded("slack/app-mention.json");
    let (status, answer) =
        stack.request("WebhookSlackUrl", "POST", "/", &oracle::slack_headers(&body, SLACK_SECRET), &body).await;
    assert_eq!(status, 200, "{answer}");
    let sent = platforms.wait_for("/chat.postMessage", 1, PATIENCE).await;
    assert!(sent[0].body["text"].as_str().unwrap().contains("offline echo"));

    let key = oracle::headers(&json!({"authorization": "Bearer api-key-of-a-test"}));
    let ask = json!({"text": "Hello over the API", "wait": 25}).to_string();
    let (status, answer) = stack.request("ApiUrl", "POST", "/message", &key, &ask).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("Hello over the API"), "{answer}");
    let (status, _) = stack.request("ApiUrl", "POST", "/message", &none, &ask).await;
    assert_eq!(status, 401);

    // What no turn can read is kept for the owner, and its session goes on.
    send(&stack, "LiveQueue", "agent:main:main", "{\"version\":99}");
    let unreadable = wait_for_dead_letter(&stack, &key, "envelope version 99").await;

    // Two firings of one occasion are one turn. The emulator fires schedules, but leaves out the scheduled time.
    let firing = json!({"name": "daily", "scheduledTime": now_as_aws_writes_it()}).to_string();
    for _ in 0..2 {
        invoke(&stack.endpoint, "heartbeat", &firing);
    }
    platforms.wait_for("/sendMessage", 2, PATIENCE).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(platforms.sent_to("/sendMessage").len(), 2, "one reply to two updates, one to two firings");

    dead_letters_are_decided_over_the_api(&stack, &platforms, &key, &unreadable).await;
    a_person_is_forgotten_over_the_api(&stack, &platforms, &key).await;
}

/// Within what the roles allow: rows of conversations go, and no other.
async fn a_person_is_forgotten_over_the_api(stack: &Stack, platforms: &Platforms, key: &http::HeaderMap) {
    let said = "zxqforgetme";
    let mut update: Value = serde_json::from_str(&oracle::recorded("telegram/text.json")).unwrap();
    update["update_id"] = json!(7_000_009);
    update["message"]["text"] = json!(said);
    let sender = update["message"]["from"]["id"].to_string();
    let headers = telegram_headers(TELEGRAM_SECRET);
    let (status, _) = stack.request("WebhookTelegramUrl", "POST", "/", &headers, &update.to_string()).await;
    assert_eq!(status, 200);
    platforms.wait_for("/sendMessage", 5, PATIENCE).await;
    assert!(stored(stack).contains(said), "the control: the words are in the table");
    let wish = json!({"channel": "telegram", "sender": sender}).to_string();
    let until = std::time::Instant::now() + PATIENCE;
    let (found, answer) = loop {
        let (status, answer) = stack.request("ApiUrl", "POST", "/forget", key, &wish).await;
        assert_eq!(status, 200, "{answer}");
        let found: Value = serde_json::from_str(&answer).unwrap();
        // The turn may not have given its session back yet.
        if found["done"] == true {
            break (found, answer);
        }
        assert!(std::time::Instant::now() < until, "{answer}");
    };
    assert_eq!(found["conversations"][0]["how"], "delete", "{answer}");
    let left = stored(stack);
    assert!(!left.contains(said), "words are left: {left}");
    assert!(
        left.contains("Hello over the API") && left.contains("erased"),
        "others' are, and the record of it: {left}"
    );
}

/// Everything in the table. No role may read it so.
fn stored(stack: &Stack) -> String {
    let script = "import json\n\
        pages = client('dynamodb').get_paginator('scan').paginate(TableName=sys.argv[2])\n\
        print(json.dumps([item for page in pages for item in page['Items']], default=str))";
    boto(&stack.endpoint, script, &[stack.outputs["Table"].as_str().unwrap()])
}

/// Within what the roles allow: the api has no channel's secret, the agent sends.
async fn dead_letters_are_decided_over_the_api(
    stack: &Stack,
    platforms: &Platforms,
    key: &http::HeaderMap,
    unreadable: &str,
) {
    let (status, answer) = stack.request("ApiUrl", "POST", &format!("/deadletters/{unreadable}/resend"), key, "").await;
    assert_eq!(status, 422, "{answer}");
    let (status, answer) = stack.request("ApiUrl", "DELETE", &format!("/deadletters/{unreadable}"), key, "").await;
    assert_eq!(status, 200, "{answer}");

    let now = chela_clock::SystemClock.now();
    let buried = serde_json::to_string(&envelope("given-up", now)).unwrap();
    send(stack, "ScheduledDlq", "agent:main:direct:given-up", &buried);
    let given_up = wait_for_dead_letter(stack, key, "the queue gave it up").await;
    assert!(given_up.starts_with("scheduled-"), "{given_up}");
    let (status, answer) = stack.request("ApiUrl", "POST", &format!("/deadletters/{given_up}/resend"), key, "").await;
    assert_eq!(status, 200, "{answer}");
    let sent = platforms.wait_for("/sendMessage", 3, PATIENCE).await;
    assert!(sent[2].body["text"].as_str().unwrap().contains("prompt of given-up"), "{sent:?}");

    platforms.will_refuse([(502, json!({}))]);
    let mut update: Value = serde_json::from_str(&oracle::recorded("telegram/text.json")).unwrap();
    update["update_id"] = json!(7_000_002);
    let update = update.to_string();
    stack.request("WebhookTelegramUrl", "POST", "/", &telegram_headers(TELEGRAM_SECRET), &update).await;
    let reply = wait_for_dead_letter(stack, key, "status 502").await;
    let (status, answer) = stack.request("ApiUrl", "POST", &format!("/deadletters/{reply}/resend"), key, "").await;
    assert_eq!((status, answer.contains("delivered")), (200, true), "{answer}");
    assert_eq!(platforms.sent_to("/sendMessage").len(), 4);
    let (_, answer) = stack.request("ApiUrl", "GET", "/deadletters", key, "").await;
    assert_eq!(answer, r#"{"items":[]}"#);
}

/// Runs a few lines of Python with boto3 and the emulator's clients at hand.
pub(crate) fn boto(endpoint: &str, script: &str, arguments: &[&str]) -> String {
    let clients = "import sys, boto3\n\
        def client(service):\n\
        \x20   return boto3.client(service, endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id='test', aws_secret_access_key='test')\n";
    let script = format!("{clients}{script}");
    let python = root().join(".tools/emulator/bin/python");
    run(Command::new(python).args(["-c", &script, endpoint]).args(arguments))
}

fn send(stack: &Stack, queue: &str, group: &str, body: &str) {
    let script = "client('sqs').send_message(QueueUrl=sys.argv[2], MessageGroupId=sys.argv[3], MessageDeduplicationId='bad', MessageBody=sys.argv[4])";
    boto(&stack.endpoint, script, &[stack.outputs[queue].as_str().unwrap(), group, body]);
}

/// The id of the dead letter with such a reason, once it is listed.
async fn wait_for_dead_letter(stack: &Stack, key: &http::HeaderMap, reason: &str) -> String {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let (status, answer) = stack.request("ApiUrl", "GET", "/deadletters", key, "").await;
        assert_eq!(status, 200, "{answer}");
        let listed: Value = serde_json::from_str(&answer).unwrap();
        let mut items = listed["items"].as_array().unwrap().iter();
        if let Some(item) = items.find(|item| item["reason"].as_str().unwrap().contains(reason)) {
            return item["id"].as_str().unwrap().to_owned();
        }
        assert!(std::time::Instant::now() < until, "no dead letter: {answer}");
    }
}

fn now_as_aws_writes_it() -> String {
    run(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:00Z"])).trim().to_owned()
}

fn invoke(endpoint: &str, function: &str, payload: &str) {
    let script = "answer = client('lambda').invoke(FunctionName=sys.argv[2], Payload=sys.argv[3].encode())\n\
        assert 'FunctionError' not in answer, answer['Payload'].read()";
    boto(endpoint, script, &[&format!("chela-{STAGE}-{function}"), payload]);
}
