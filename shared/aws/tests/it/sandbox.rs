//! The sandbox function is called as Lambda wants it: the emulator runs what is invoked. It refuses keys
//! it does not know, but takes any signature of those it does, so whether ours is right only AWS can say.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chela_aws::{AwsEnvironment, SandboxFunction};
use chela_core::clock::Millis;
use chela_core::sandbox::{CommandRequest, Sandbox, SandboxError};
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_testkit::clock::ManualClock;

use crate::server::{environment, fresh, http};

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/emulator/bin/python");

/// A function that answers in the sandbox's words. What the real one does is tested where it is.
const SCRIPT: &str = r#"
import io, sys, zipfile, boto3
endpoint, name = sys.argv[1:]
def client(service):
    return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr("handler.py", '''
def handler(event, context):
    if event["argv"] == ["fail"]:
        raise ValueError("argv is odd")
    return {"exitCode": 0, "stdout": " ".join(event["argv"]) + event["stdin"], "stderr": "", "truncated": False,
            "durationMs": 1, "archive": event["archive"], "removed": [], "leftOut": []}
''')
role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
client("lambda").create_function(FunctionName=name, Runtime="python3.12", Handler="handler.handler", Role=role,
    Timeout=30, Code={"ZipFile": packed.getvalue()})
"#;

fn with_function() -> AwsEnvironment {
    let name = fresh("sandbox");
    let environment = environment();
    let endpoint = environment.endpoint_url.clone().unwrap();
    let made = Command::new(PYTHON).args(["-c", SCRIPT, &endpoint, &name]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    AwsEnvironment { sandbox: Some(name), ..environment }
}

fn sandbox(environment: &AwsEnvironment) -> SandboxFunction {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let clock = ManualClock::at(Millis(u64::try_from(now).unwrap()));
    SandboxFunction::new(environment, http(), Arc::new(clock)).unwrap()
}

fn request(argv: &[&str]) -> CommandRequest {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    CommandRequest {
        argv,
        timeout_ms: 20_000,
        stdin: "é\n".into(),
        archive: "QQ==".into(),
        ..CommandRequest::default()
    }
}

async fn fails(environment: &AwsEnvironment, argv: &[&str]) -> String {
    match sandbox(environment).run(&request(argv)).await {
        Err(SandboxError::Unavailable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_command_travels_to_the_function_and_its_result_back() {
    let environment = with_function();
    let result = sandbox(&environment).run(&request(&["echo", "a  b"])).await.unwrap();
    assert_eq!((result.exit_code, result.stdout.as_str(), result.archive.as_str()), (Some(0), "echo a  bé\n", "QQ=="));
    assert!(!sandbox(&environment).outlives_a_turn());

    assert!(fails(&environment, &["fail"]).await.contains("argv is odd"));
    let elsewhere = AwsEnvironment { sandbox: Some("nobody".into()), ..environment.clone() };
    assert_eq!(fails(&elsewhere, &["true"]).await, "Lambda answered 404");
    let stranger = AwsEnvironment { access_key_id: Some("AKIAWRONGWRONGWRONG1".into()), ..environment.clone() };
    assert_eq!(fails(&stranger, &["true"]).await, "Lambda answered 403");
    let nowhere = AwsEnvironment { sandbox: None, ..environment };
    let clock = Arc::new(ManualClock::at(Millis(0)));
    let missing = SandboxFunction::new(&nowhere, http(), clock).err().unwrap();
    assert!(missing.to_string().contains("CHELA_SANDBOX"), "{missing}");
}

#[tokio::test]
async fn what_is_too_large_for_lambda_is_refused_before_it_travels() {
    let nobody = AwsEnvironment { sandbox: Some("nobody".into()), ..environment() };
    let large = CommandRequest { archive: "A".repeat(4 << 20), stdin: "\u{1}".repeat(256 << 10), ..request(&["x"]) };
    let words = vec!["\u{1}".repeat(500_000)];
    let refused = sandbox(&nobody).run(&CommandRequest { argv: words, ..large }).await;
    let Err(SandboxError::Invalid(reason)) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("bring fewer"), "{reason}");
}

/// No emulator forgets an interface; what Lambda answers then is in its API reference.
#[tokio::test]
async fn a_function_that_slept_for_a_month_is_said_to_wake_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let lambda = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut asked = [0; 4096];
        assert!(connection.read(&mut asked).unwrap() > 0);
        let body = r#"{"Type":"User","Message":"The function is inactive"}"#;
        let answer = format!(
            "HTTP/1.1 502 Bad Gateway\r\nx-amzn-ErrorType: ResourceNotReadyException:\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(answer.as_bytes()).unwrap();
    });
    let asleep = AwsEnvironment {
        region: Some("us-east-1".into()),
        access_key_id: Some("AKIDEXAMPLE".into()),
        secret_access_key: Some(chela_core::secret::Secret::new("secret")),
        endpoint_url: Some(endpoint.clone()),
        sandbox: Some("chela-dev-sandbox".into()),
        ..AwsEnvironment::default()
    };
    let allow_hosts = vec![HostPort::of_url(&endpoint).unwrap()];
    let options = HttpOptions { allow_hosts, user_agent: "chela-aws tests".into(), extra_roots: None };
    let clock = ManualClock::at(Millis(1_700_000_000_000));
    let sandbox = SandboxFunction::new(&asleep, HttpClient::new(options).unwrap(), Arc::new(clock)).unwrap();
    let refused = sandbox.run(&request(&["true"])).await;
    let Err(SandboxError::Invalid(reason)) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("try again in two minutes"), "{reason}");
    lambda.join().unwrap();
}
