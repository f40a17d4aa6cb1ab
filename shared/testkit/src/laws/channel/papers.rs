//! What is written about a channel, and the events ready to be posted.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use chela_core::channel::RawRequest;
use serde_json::{Value, json};

use super::{ARRIVAL, ChannelUnderTest};

/// An owner finds every key in the set-up guide.
pub async fn the_readme_names_every_secret_and_option(subject: &ChannelUnderTest) {
    let readme = std::fs::read_to_string(Path::new(subject.folder).join("README.md")).unwrap();
    let names = |name: &str| readme.contains(&format!("`{name}`"));
    for secret in subject.descriptor.secrets {
        assert!(names(secret.key) && names(secret.env), "README.md does not name {} and {}", secret.key, secret.env);
    }
    for option in subject.descriptor.options {
        assert!(names(option.key), "README.md does not name {}", option.key);
    }
    assert!(
        subject.descriptor.urls.iter().all(|key| subject.descriptor.options.iter().any(|option| option.key == *key))
    );
}

/// `events/<channel>/*.json` are the samples as a Lambda Function URL hands them over, signed with the public test
/// secret at a fixed time. Run the test with `UPDATE=1` to write them.
pub async fn the_signed_events_are_up_to_date(subject: &ChannelUnderTest) {
    let folder = Path::new(subject.folder).join("../../../events").join(subject.descriptor.id);
    let update = std::env::var_os("UPDATE").is_some();
    let fix = format!("run: UPDATE=1 cargo test -p chela-channel-{} --test it laws", subject.descriptor.id);
    let mut wanted = Vec::new();
    for sample in subject.samples() {
        let event = function_url_event(subject.descriptor.id, &subject.signed(&sample.body, ARRIVAL));
        let text = serde_json::to_string_pretty(&event).unwrap() + "\n";
        let file = folder.join(format!("{}.json", sample.name));
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(found == text, "{} is not what the sample says; {fix}", file.display());
        wanted.push(file.file_name().unwrap().to_owned());
    }
    for file in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        assert!(wanted.contains(&file.file_name()), "{} has no sample any more; remove it", file.path().display());
    }
}

/// Payload format 2.0: <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads>.
fn function_url_event(channel: &str, request: &RawRequest) -> Value {
    let path = match request.path.as_str() {
        "" => format!("/webhook/{channel}"),
        rest => format!("/webhook/{channel}/default/{rest}"),
    };
    let is_text = std::str::from_utf8(&request.body).is_ok();
    let body = match std::str::from_utf8(&request.body) {
        Ok(text) => text.to_owned(),
        Err(_) => base64::engine::general_purpose::STANDARD.encode(&request.body),
    };
    let domain = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws";
    let mut headers = serde_json::Map::new();
    headers.insert("host".to_owned(), json!(domain));
    for (name, value) in &request.headers {
        headers.insert(name.to_string(), json!(value.to_str().unwrap()));
    }
    headers.insert("content-length".to_owned(), json!(request.body.len().to_string()));
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abcdefghijklmnopqrstuvwxyz012345",
            "domainName": domain,
            "domainPrefix": "abcdefghijklmnopqrstuvwxyz012345",
            "http": {
                "method": request.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": channel,
            },
            "requestId": request_id(&request.body),
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": ARRIVAL.0,
        },
        "body": body,
        "isBase64Encoded": !is_text,
    })
}

/// Looks like a UUID and is the same whenever the events are written.
fn request_id(body: &[u8]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in body {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut id = String::new();
    write!(id, "00000000-0000-4000-8000-{:012x}", hash & 0xffff_ffff_ffff).unwrap();
    id
}
