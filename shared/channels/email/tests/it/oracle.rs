//! Python's `email` package as the judge of messages in both directions, and botocore, which the AWS SDK for Python
//! stands on, as the judge of our requests to Amazon SES.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use chela_channel_email::SIMULATOR;
use chela_channel_email::forward::{Delivery, Verdict, sign};
use chela_channel_kit::ProofKeys;
use chela_core::channel::{OutboundFile, Parsed};
use chela_core::message::ReplyAddress;
use chela_testkit::laws::channel::platform::{Answer, Platform, Seen};
use chela_testkit::laws::channel::{ARRIVAL, oracle, part, request};
use serde_json::{Value, json};

use crate::subject::{raw, subject};

/// Writes messages, and says what it put into each.
const WRITE: &str = r#"
import base64, email.policy, json, sys
from email.message import EmailMessage

def message(n, case):
    m = EmailMessage(policy=getattr(email.policy, case.get("policy", "SMTP")))
    m["From"] = case["from"]
    m["To"] = "bot@example.org"
    m["Subject"] = case["subject"]
    m["Message-ID"] = f"<{n}@example.com>"
    m["Date"] = "Wed, 31 Dec 2025 23:50:00 +0000"
    if case.get("references"):
        m["References"] = " ".join(case["references"])
    m.set_content(case["text"], charset=case.get("charset", "utf-8"), **({"cte": case["cte"]} if "cte" in case else {}))
    if "html" in case:
        m.add_alternative(case["html"], subtype="html")
    for name, kind, content in case.get("files", []):
        m.add_attachment(base64.b64decode(content), *kind.split("/"), filename=name)
    return base64.b64encode(m.as_bytes()).decode()

json.dump([message(n, case) for n, case in enumerate(json.load(sys.stdin))], sys.stdout)
"#;

/// Reads messages strictly: every defect of every part is told.
const READ: &str = r#"
import base64, email, email.policy, json, sys

def read(raw):
    raw = base64.b64decode(raw)
    m = email.message_from_bytes(raw, policy=email.policy.default)
    body = lambda kind: (lambda part: part.get_content() if part is not None else None)(m.get_body(preferencelist=(kind,)))
    return {
        "defects": [repr(d) for part in m.walk() for d in part.defects] + [repr(d) for h in m.values() for d in getattr(h, "defects", [])],
        "longest": max(len(line) for line in raw.split(b"\r\n")),
        "bare": raw.replace(b"\r\n", b"").count(b"\n") + raw.replace(b"\r\n", b"").count(b"\r"),
        "ascii": raw.isascii(),
        "from": [[a.display_name, a.addr_spec] for a in m["From"].addresses],
        "to": [a.addr_spec for a in m["To"].addresses],
        "subject": m["Subject"],
        "references": (m["References"] or "").split(),
        "in_reply_to": m["In-Reply-To"],
        "date": m["Date"].datetime.isoformat() if m["Date"] else None,
        "text": body("plain"),
        "html": body("html"),
        "files": [[p.get_filename(), p.get_content_type(), base64.b64encode(p.get_payload(decode=True) or b"").decode()] for p in m.iter_attachments()],
    }

json.dump([read(raw) for raw in json.load(sys.stdin)], sys.stdout)
"#;

/// Signs the request again as the SDK does, and writes the request for the same parameters itself.
const AWS: &str = r#"
import base64, json, sys
import botocore.loaders, botocore.model, botocore.serialize, botocore.validate
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("sesv2", "service-2"), "sesv2")

def check(q):
    request = AWSRequest(method=q["method"], url=q["url"], data=base64.b64decode(q["body"]) or None)
    for name in ("content-type", "x-amz-date", "x-amz-security-token"):
        if name in q["headers"]:
            request.headers[name] = q["headers"][name]
    request.context["timestamp"] = q["headers"]["x-amz-date"]
    auth = SigV4Auth(Credentials(q["id"], q["secret"], q["headers"].get("x-amz-security-token")), "ses", q["region"])
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    answer = {"signed": f"Signature={signature}" == q["headers"]["authorization"].split(", ")[-1], "scope": auth.credential_scope(request)}
    if q["operation"] == "SendEmail":
        sent = json.loads(base64.b64decode(q["body"]))
        params = json.loads(json.dumps(sent))
        params["Content"]["Raw"]["Data"] = base64.b64decode(params["Content"]["Raw"]["Data"])
    else:
        params = q["params"]
    operation = model.operation_model(q["operation"])
    if operation.input_shape:
        answer["problems"] = botocore.validate.ParamValidator().validate(params, operation.input_shape).generate_report()
    theirs = botocore.serialize.create_serializer("rest-json").serialize_to_request(params, operation)
    answer["method"], answer["path"] = theirs["method"], theirs["url_path"]
    answer["body"] = json.loads(theirs["body"]) == sent if q["operation"] == "SendEmail" else not theirs["body"]
    return answer

json.dump([check(q) for q in json.load(sys.stdin)], sys.stdout)
"#;

fn read(message: &[u8]) -> Parsed {
    let keys = ProofKeys::words(&SIMULATOR.test_secrets()["webhookSecret"]).unwrap();
    let delivery = Delivery { id: "d1", recipient: "bot@example.org", verdict: Verdict::Pass };
    let channel = subject().open("http://127.0.0.1:9");
    let request = request(sign(message, &delivery, &keys, ARRIVAL).unwrap(), message);
    channel.parse(&channel.verify(request).unwrap()).unwrap()
}

#[test]
fn we_read_what_python_writes() {
    let long = "ein sehr langer Betreff mit Ümläuten und 日本語 ".repeat(6);
    let any = BASE64.encode((0..=255_u8).cycle().take(3_000).collect::<Vec<u8>>());
    let references: Vec<String> = (0..20).map(|n| format!("<{n}-{}@mail.example.com>", "x".repeat(40))).collect();
    let cases = json!([
        {"from": "ada@example.com", "subject": "plain", "text": "one\ntwo\n"},
        {"from": "Ada Lovelace <ada@example.com>", "subject": "Grüße", "text": "Größe: 10 €\n", "charset": "utf-8"},
        {"from": "\"Lovelace, Ada\" <ada@example.com>", "subject": long.trim(), "text": "x".repeat(3_000)},
        {"from": "Ädä Lövelace <ada@example.com>", "subject": "", "text": "no subject"},
        {"from": "エイダ <ada@example.com>", "subject": "日本語", "text": "本文です\n", "charset": "iso-2022-jp"},
        {"from": "ada@example.com", "subject": "中文", "text": "正文\n", "charset": "gb18030", "cte": "base64"},
        {"from": "ada@example.com", "subject": "qp", "text": "= é \u{a0}end\n", "cte": "quoted-printable"},
        {"from": "ada@example.com", "subject": "8bit", "text": "élan\n", "cte": "8bit"},
        {"from": "ada@example.com", "subject": "both", "text": "the text", "html": "<p>the html</p>"},
        {"from": "ada@example.com", "subject": "files", "text": "see", "files": [
            ["a b.pdf", "application/pdf", any], ["résumé 日本.txt", "text/plain", any], [format!("{}.bin", "n".repeat(120)), "application/octet-stream", "eA=="]]},
        {"from": "ada@example.com", "subject": "Re: trip", "text": "in a thread", "references": references},
        {"from": "ada@example.com", "subject": "unix lines", "text": "a\nb\n", "policy": "default"},
        {"from": "ada@example.com", "subject": "From here", "text": "From the start\n.\n..dots\n"},
    ]);
    let messages = oracle::ask(WRITE, &cases);
    for (case, message) in cases.as_array().unwrap().iter().zip(messages.as_array().unwrap()) {
        let what = case["subject"].as_str().unwrap();
        let parsed = read(&BASE64.decode(message.as_str().unwrap()).unwrap());
        let ours = parsed.messages.first().unwrap_or_else(|| panic!("{what}: nothing"));
        assert_eq!(ours.sender.id, "ada@example.com", "{what}");
        let name = case["from"].as_str().unwrap().rsplit_once(" <").map(|(name, _)| name.trim_matches('"').to_owned());
        assert_eq!(ours.sender.name, name, "{what}");
        let text = case["text"].as_str().unwrap().replace('\u{a0}', " ");
        let text = text.trim();
        let wanted = match what {
            "" | "Re: trip" => text.to_owned(),
            subject => format!("{subject}\n\n{text}"),
        };
        assert_eq!(ours.text, wanted, "{what}");
        let files: Vec<Value> = ours
            .media
            .iter()
            .zip(&parsed.files)
            .map(|(media, file)| json!([media.name, media.content_type, BASE64.encode(&file.bytes)]))
            .collect();
        assert_eq!(json!(files), case.get("files").cloned().unwrap_or(json!([])), "{what}");
        if what == "Re: trip" {
            let first = read(b"From: ada@example.com\r\nMessage-ID: <0-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@mail.example.com>\r\n\r\nx");
            assert_eq!(ours.thread, first.messages[0].thread, "{what}");
        }
    }
}

#[test]
fn python_reads_our_samples_as_we_do() {
    let samples = subject().samples();
    let raws: Vec<String> = samples.iter().map(|sample| BASE64.encode(&sample.body)).collect();
    let theirs = oracle::ask(READ, &json!(raws));
    let mut compared = 0;
    for (sample, theirs) in samples.iter().zip(theirs.as_array().unwrap()) {
        let channel = subject().open("http://127.0.0.1:9");
        let parsed = channel.parse(&channel.verify(subject().signed(&sample.body, ARRIVAL)).unwrap()).unwrap();
        if sample.name == "two-authors" {
            assert_eq!(theirs["from"].as_array().unwrap().len(), 2);
        }
        let Some(ours) = parsed.messages.first() else { continue };
        assert_eq!(theirs["defects"], json!([]), "{}", sample.name);
        assert_eq!(theirs["from"][0][1], json!(ours.sender.id), "{}", sample.name);
        assert_eq!(theirs["from"][0][0], json!(ours.sender.name.clone().unwrap_or_default()), "{}", sample.name);
        let body = theirs["text"].as_str().or(theirs["html"].as_str()).unwrap();
        let last = ours.text.lines().last().unwrap();
        assert!(
            body.contains(last) || sample.name == "reply-outlook-html" || sample.name == "attachment",
            "{}",
            sample.name
        );
        compared += 1;
    }
    assert!(compared >= 9, "only {compared} were compared");
}

async fn sent(markdown: &str, to: &ReplyAddress, file: Option<&OutboundFile<'_>>) -> Seen {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    match file {
        Some(file) => channel.attach(file, &part(to, markdown)).await.unwrap(),
        None => channel.send(&part(to, markdown)).await.unwrap(),
    };
    platform.take().remove(0)
}

#[tokio::test]
async fn python_reads_what_we_write() {
    let conversation = |subject: &str, references: usize| {
        let references: Vec<String> =
            (0..references).map(|n| format!("{n}-{}@mail.example.com", "x".repeat(200))).collect();
        json!({"subject": subject, "references": references}).to_string()
    };
    let long = "ein sehr langer Betreff mit Ümläuten und 日本語 ".repeat(4);
    let any = Bytes::from((0..=255_u8).cycle().take(70_000).collect::<Vec<u8>>());
    let cases = [
        ("It is **sunny**.", conversation("hello", 1), None),
        (
            "Zeile eins\nZeile zwei: äöü € 日本語 👩‍👩‍👧‍👦\n\n```rust\nlet a = \"<&>\";\n```\n",
            conversation(long.trim(), 10),
            None,
        ),
        (&"a very long line without any break ".repeat(200), conversation("Re: x", 2), None),
        (".\n..\nFrom here\n=20\n\ttab \n", conversation("\"quoted\", (odd): subject; <x@y.z>", 1), None),
        ("a caption", conversation("files", 1), Some(("résumé \"日本\".bin", "application/pdf"))),
        ("", conversation("files", 1), Some(("notes.txt", "text/plain"))),
    ];
    let mut raws = Vec::new();
    let mut wanted = Vec::new();
    for (markdown, conversation, file) in &cases {
        let to = ReplyAddress {
            channel: "email".into(),
            account: "main".into(),
            to: "ada@example.com".into(),
            thread: None,
            message: Some(conversation.clone()),
        };
        let file = file.map(|(name, content_type)| OutboundFile { name, content_type, bytes: any.clone(), url: None });
        raws.push(BASE64.encode(raw(&sent(markdown, &to, file.as_ref()).await)));
        let conversation: Value = serde_json::from_str(conversation).unwrap();
        wanted.push((*markdown, conversation, file));
    }
    let read = oracle::ask(READ, &json!(raws));
    for (theirs, (markdown, conversation, file)) in read.as_array().unwrap().iter().zip(&wanted) {
        let subject = conversation["subject"].as_str().unwrap();
        assert_eq!(theirs["defects"], json!([]), "{subject}");
        assert!(theirs["longest"].as_u64().unwrap() <= 998, "{subject}: a line is too long");
        assert_eq!((&theirs["bare"], &theirs["ascii"]), (&json!(0), &json!(true)), "{subject}");
        assert_eq!(theirs["from"], json!([["Chela", "bot@example.org"]]), "{subject}");
        assert_eq!(theirs["to"], json!(["ada@example.com"]), "{subject}");
        assert_eq!(
            theirs["subject"],
            json!(if subject.starts_with("Re:") { subject.to_owned() } else { format!("Re: {subject}") })
        );
        let references: Vec<String> = conversation["references"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| format!("<{}>", id.as_str().unwrap()))
            .collect();
        assert_eq!(theirs["references"], json!(references), "{subject}");
        assert_eq!(theirs["in_reply_to"], json!(references.last().unwrap()), "{subject}");
        assert_eq!(theirs["date"], "2026-01-01T00:00:00+00:00");
        let text = theirs["text"].as_str().unwrap().replace("\r\n", "\n");
        assert_eq!(text.trim_end_matches('\n'), markdown.trim_end_matches('\n'), "{subject}");
        assert!(theirs["html"].as_str().unwrap().starts_with("<!DOCTYPE html>"), "{subject}");
        let files: Vec<Value> =
            file.iter().map(|file| json!([file.name, file.content_type, BASE64.encode(&file.bytes)])).collect();
        assert_eq!(theirs["files"], json!(files), "{subject}");
    }
}

#[tokio::test]
async fn the_sdk_signs_and_writes_our_requests_as_we_do() {
    let platform = Platform::start(subject().manners).await;
    let channel = subject().open(platform.url());
    channel.send(&part(&subject().address(), "héllo **you**")).await.unwrap();
    channel.health().await.unwrap();
    platform.next(Answer::json(200, &json!({})));
    platform.next(Answer::json(404, &json!({"message": "no such domain"})));
    platform.next(Answer::json(200, &json!({"VerifiedForSendingStatus": true})));
    assert!(!channel.health().await.unwrap().ok, "sending is not enabled");
    let mut without_token = SIMULATOR.test_secrets();
    without_token.remove("sessionToken");
    subject().open_with(platform.url(), without_token).send(&part(&subject().address(), "x")).await.unwrap();
    let seen = platform.take();
    let secrets = SIMULATOR.test_secrets();
    let question = |seen: &Seen, operation: &str, params: Value, body: &[u8]| {
        let headers: serde_json::Map<String, Value> = seen
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), json!(value.to_str().unwrap())))
            .collect();
        json!({
            "operation": operation, "params": params, "method": seen.method.as_str(), "headers": headers, "region": "us-east-1",
            "url": format!("{}{}", platform.url(), seen.path), "body": BASE64.encode(body),
            "id": secrets["accessKeyId"].expose(), "secret": secrets["secretAccessKey"].expose(),
        })
    };
    let changed = String::from_utf8(seen[0].body.to_vec()).unwrap().replace("ada@", "eve@");
    assert!(
        seen[0].headers.contains_key("x-amz-security-token") && !seen[6].headers.contains_key("x-amz-security-token")
    );
    let identity = |identity: &str| json!({"EmailIdentity": identity});
    let asked = json!([
        question(&seen[0], "SendEmail", Value::Null, &seen[0].body),
        question(&seen[0], "SendEmail", Value::Null, changed.as_bytes()),
        question(&seen[1], "GetAccount", json!({}), b""),
        question(&seen[2], "GetEmailIdentity", identity("example.org"), b""),
        question(&seen[5], "GetEmailIdentity", identity("bot@example.org"), b""),
        question(&seen[6], "SendEmail", Value::Null, &seen[6].body),
    ]);
    let answers = oracle::ask(AWS, &asked);
    let signed: Vec<&Value> = answers.as_array().unwrap().iter().map(|answer| &answer["signed"]).collect();
    assert_eq!(signed, [true, false, true, true, true, true]);
    for (answer, seen) in answers.as_array().unwrap().iter().zip([0, 0, 1, 2, 5, 6].map(|at| &seen[at])) {
        assert_eq!(answer["scope"], "20260101/us-east-1/ses/aws4_request");
        assert_eq!(
            (answer["method"].as_str(), answer["path"].as_str()),
            (Some(seen.method.as_str()), Some(seen.path.as_str()))
        );
        assert_eq!(answer["body"], true, "{answer}");
        assert!(answer["problems"].is_null() || answer["problems"] == "", "{answer}");
    }
}
