//! botocore, AWS's own SDK, as the judge of what Bedrock is sent and sends. `tools/bootstrap oracles` installs it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chela_core::model::{Block, ToolSpec};
use chela_core::secret::Secret;
use chela_core::shown::StoredFile;
use chela_models::{Api, AwsKeys, ProviderConfig};
use serde_json::{Value, json};

use crate::server::{Provider, assistant, call, http, request, sse, text, user};

/// Lets a Python script read `question` as JSON from its input, and gives the JSON it prints.
fn ask(script: &str, question: &Value) -> Value {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/oracles/bin/python");
    let python = std::env::var_os("CHELA_ORACLE_PYTHON").map_or_else(installed, PathBuf::from);
    let fix = format!("{} cannot be asked; run: tools/bootstrap oracles", python.display());
    let mut judge = Command::new(&python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{fix} ({error})"));
    judge.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let said = judge.wait_with_output().unwrap();
    assert!(said.status.success(), "{fix}");
    serde_json::from_slice(&said.stdout).unwrap()
}

/// Validates the body against the service's own model, and signs the same request at the same time.
const JUDGE: &str = r#"
import base64, datetime, json, re, sys
import botocore.auth, botocore.awsrequest, botocore.credentials, botocore.session, botocore.validate
asked = json.load(sys.stdin)
model = botocore.session.get_session().get_service_model("bedrock-runtime")
body = json.loads(asked["body"])
def bytes_of(value):
    if isinstance(value, dict):
        return {k: base64.b64decode(v) if k in ("bytes", "redactedContent") else bytes_of(v) for k, v in value.items()}
    return [bytes_of(v) for v in value] if isinstance(value, list) else value
shape = model.operation_model("ConverseStream").input_shape
report = botocore.validate.ParamValidator().validate({"modelId": asked["model"], **bytes_of(body)}, shape)
names = re.findall("SignedHeaders=([^,]+)", asked["authorization"])[0].split(";")
when = datetime.datetime.strptime(asked["date"].upper(), "%Y%m%dT%H%M%SZ")
class Clock(datetime.datetime):
    @classmethod
    def utcnow(cls): return when
    @classmethod
    def now(cls, tz=None): return when.replace(tzinfo=tz)
if hasattr(botocore.auth, "get_current_datetime"):
    botocore.auth.get_current_datetime = lambda *a, **k: when
botocore.auth.datetime.datetime = Clock if hasattr(botocore.auth, "datetime") and hasattr(botocore.auth.datetime, "datetime") else None
url = "http://%s%s" % (asked["host"], asked["path"])
request = botocore.awsrequest.AWSRequest("POST", url, {"Content-Type": "application/json"}, asked["body"].encode())
keys = botocore.credentials.Credentials("AKIDEXAMPLE", "hunter2", "token")
botocore.auth.SigV4Auth(keys, "bedrock", "eu-west-1").add_auth(request)
print(json.dumps({"invalid": report.generate_report(), "authorization": request.headers["Authorization"], "names": names}))
"#;

#[tokio::test]
async fn botocore_takes_the_body_and_signs_it_the_same_way() {
    let provider = Provider::start([sse("")]).await;
    let host = provider.base_url.strip_suffix("/v1").unwrap().to_owned();
    let aws = AwsKeys { id: "AKIDEXAMPLE".into(), secret: Secret::new("hunter2"), session: Some(Secret::new("token")) };
    let config = ProviderConfig {
        api: Some(Api::BedrockConverseStream),
        base_url: Some(host.clone()),
        aws: Some(aws),
        region: Some("eu-west-1".into()),
        ..ProviderConfig::of("bedrock")
    };
    let model = chela_models::open(&config, None, http(&[&host])).unwrap();
    let file = |key: &str, kind: &str| Block::File { key: key.into(), content_type: kind.into() };
    let look = Block::ToolUse { id: "call_1".into(), name: "look".into(), input: json!({"at": "é"}) };
    let shown = |key: &str, kind: &str| StoredFile { key: key.into(), content_type: kind.into() };
    let files = vec![shown("a", "image/png"), shown("b", "application/pdf")];
    let seen = Block::ToolResult { id: "call_1".into(), text: String::new(), is_error: false, files };
    let thought = Block::Thinking { text: "Hm.".into(), signature: Some("c2VhbA==".into()) };
    let redacted = Block::RedactedThinking { data: "eA==".into() };
    let mut turn = request(vec![
        user(vec![file("a", "image/webp"), file("b", "application/pdf")]),
        assistant(vec![thought, redacted, look]),
        user(vec![seen, text("and?")]),
    ]);
    turn.model = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0".into();
    turn.thinking = chela_core::model::Thinking::High;
    turn.max_tokens = 9000;
    turn.files = [("a", "picture"), ("b", "document")].map(|(key, bytes)| (key.into(), bytes.into())).into();
    turn.tools =
        vec![ToolSpec { name: "look".into(), description: "Looks.".into(), input_schema: json!({"type": "object"}) }];
    call(&*model, &turn).await.0.ok();
    let asked = provider.asked().remove(0);
    let of = |name: &str| asked.line(name).to_owned();
    let question = json!({
        "model": turn.model, "body": asked.exact.1, "path": asked.path(), "host": of("host"),
        "date": of("x-amz-date"), "authorization": of("authorization"),
    });
    let inside = asked.body.pointer("/messages/2/content/0/toolResult/content").and_then(Value::as_array).unwrap();
    assert_eq!(inside.len(), 3, "{:#}", asked.body);
    let verdict = ask(JUDGE, &question);
    assert_eq!(verdict["invalid"], "", "{:#}", asked.body);
    let signature = |header: &str| header.rsplit("Signature=").next().unwrap().to_owned();
    let ours = of("authorization");
    assert_eq!(signature(&ours), signature(verdict["authorization"].as_str().unwrap()), "{ours}\n{verdict:#}");
}

/// Cuts the recorded streams into events with botocore's own reader.
const READER: &str = r#"
import json, sys
from botocore.eventstream import EventStreamBuffer
events = EventStreamBuffer()
events.add_data(bytes.fromhex(json.load(sys.stdin)))
print(json.dumps([[event.headers.get(":event-type") or event.headers[":exception-type"], json.loads(event.payload)] for event in events]))
"#;

#[test]
fn botocore_reads_the_recorded_streams() {
    let hex = |bytes: &[u8]| Value::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let text = ask(READER, &hex(include_bytes!("../streams/bedrock_text.bin")));
    assert_eq!(text[1][1]["delta"]["text"], "Grüß");
    assert_eq!(text.as_array().unwrap().len(), 6);
    let throttled = ask(READER, &hex(include_bytes!("../streams/bedrock_throttled.bin")));
    assert_eq!(throttled[1][0], "throttlingException");
    assert_eq!(
        ask(READER, &hex(include_bytes!("../streams/bedrock_thinking_tools.bin"))).as_array().unwrap().len(),
        18
    );
}
