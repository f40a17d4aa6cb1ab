//! The local AWS, with what the template would make: table, bucket, queues, parameter.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::deployment::{BUCKET, CONFIG_KEY, LANES, SECRET_PARAMETER, TABLE, queue_name};
use crate::http::{Message, Wire};
use crate::process;
use crate::signing;

/// One emulator, stopped when this is dropped.
pub(crate) struct Emulator {
    root: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Emulator {
    pub(crate) fn start(root: &Path) -> anyhow::Result<Self> {
        let url = process::run(root, "tools/emulator", &["start", "--port", "0"])?;
        let address = url.rsplit('/').next().and_then(|address| address.parse().ok());
        let address = address.with_context(|| format!("tools/emulator said \"{url}\" instead of its address"))?;
        Ok(Self { root: root.to_owned(), address })
    }

    /// Makes what infra/template.yaml declares, as far as a turn touches it.
    pub(crate) async fn provision(&self) -> anyhow::Result<()> {
        let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
        let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
        let table = json!({
            "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [text("pk"), text("sk")], "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        });
        call(self.address, "dynamodb", "DynamoDB_20120810.CreateTable", &table).await?;
        for lane in LANES {
            let attributes = json!({
                "FifoQueue": "true", "DeduplicationScope": "messageGroup",
                "FifoThroughputLimit": "perMessageGroupId", "VisibilityTimeout": "190",
            });
            let queue = json!({ "QueueName": queue_name(lane), "Attributes": attributes });
            call(self.address, "sqs", "AmazonSQS.CreateQueue", &queue).await?;
        }
        let parameter = json!({ "Name": SECRET_PARAMETER, "Type": "SecureString", "Value": signing::secret() });
        call(self.address, "ssm", "AmazonSSM.PutParameter", &parameter).await?;
        self.put(BUCKET, "").await
    }

    /// Puts the configuration where functions read it when they start.
    pub(crate) async fn configure(&self, config: &str) -> anyhow::Result<()> {
        self.put(&format!("{BUCKET}/{CONFIG_KEY}"), config).await
    }

    async fn put(&self, path: &str, body: &str) -> anyhow::Result<()> {
        let head = format!("PUT /{path} HTTP/1.1\r\nhost: {}\r\n{}", self.address, signed("s3"));
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let answer = Wire::connect(self.address).await?.ask(request.as_bytes()).await?;
        ensure!(answer.status() == 200, "PUT /{path}: {}", said(&answer));
        Ok(())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // What cannot be stopped is found by `tools/emulator status`.
        let _ = process::run(&self.root, "tools/emulator", &["stop", "--port", &self.address.port().to_string()]);
    }
}

/// A call in the JSON protocol of a service.
pub(crate) async fn call(to: SocketAddr, service: &str, target: &str, body: &Value) -> anyhow::Result<Value> {
    let body = body.to_string();
    let head = format!("POST / HTTP/1.1\r\nhost: {to}\r\nx-amz-target: {target}\r\n{}", signed(service));
    let framing = format!("content-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let answer = Wire::connect(to).await?.ask(format!("{head}{framing}").as_bytes()).await?;
    ensure!(answer.status() == 200, "{target}: {}", said(&answer));
    if answer.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer.body).with_context(|| format!("{target} answered no JSON"))
}

/// The emulator reads the service from the signature and does not check it.
fn signed(service: &str) -> String {
    format!(
        "authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=none\r\n"
    )
}

fn said(answer: &Message) -> String {
    format!("{} {}", answer.status(), String::from_utf8_lossy(&answer.body))
}
