//! The emulator, started once for this process, and fresh resources in it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_sqs::types::QueueAttributeName;
use chela_aws::{AwsClients, AwsEnvironment};
use chela_core::queue::Lane;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};

const EMULATOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/emulator");

/// Starts the emulator with signatures checked, tells its address, and stops it when this process is gone: then the
/// pipe to its input ends.
const SCRIPT: &str = r#"
    endpoint=$("$0" start --port 0 --auth) || exit 1
    echo "$endpoint"
    cat >/dev/null
    exec "$0" stop --port "${endpoint##*:}"
"#;

struct Running {
    endpoint: String,
    _child: Child,
    _input: ChildStdin,
}

static SERVER: OnceLock<Running> = OnceLock::new();

fn endpoint() -> &'static str {
    &SERVER.get_or_init(start).endpoint
}

fn start() -> Running {
    let mut child = Command::new("sh")
        .args(["-c", SCRIPT, EMULATOR])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh runs");
    let mut endpoint = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut endpoint).expect("readable");
    if endpoint.is_empty() {
        let mut said = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut said).expect("readable");
        panic!("these tests need the local AWS; `tools/bootstrap emulator` installs it.\n{said}");
    }
    let input = child.stdin.take().expect("piped");
    Running { endpoint: endpoint.trim().to_owned(), _child: child, _input: input }
}

/// A name nobody else in this server has.
pub(crate) fn fresh(kind: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{kind}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Region, credentials and endpoint of the emulator, and nothing else.
pub(crate) fn environment() -> AwsEnvironment {
    AwsEnvironment {
        region: Some("us-east-1".into()),
        access_key_id: Some("test".into()),
        secret_access_key: Some(Secret::new("test")),
        endpoint_url: Some(endpoint().into()),
        ..AwsEnvironment::default()
    }
}

pub(crate) fn http() -> HttpClient {
    let endpoint = HostPort::of_url(endpoint()).unwrap();
    let options = HttpOptions { allow_hosts: vec![endpoint], user_agent: "chela-aws tests".into(), extra_roots: None };
    HttpClient::new(options).unwrap()
}

pub(crate) fn clients() -> AwsClients {
    AwsClients::new(&environment(), http()).unwrap()
}

/// A table as infra/template.yaml makes it, but for the TTL: laws must not depend on when rows are swept.
pub(crate) async fn with_table() -> AwsEnvironment {
    let name = fresh("table");
    let attribute = |name| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    aws_sdk_dynamodb::Client::new(clients().config())
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .send()
        .await
        .unwrap();
    AwsEnvironment { table: Some(name), ..environment() }
}

/// Three lanes with their dead-letter queues, named as in infra/template.yaml.
pub(crate) async fn with_queues() -> AwsEnvironment {
    let client = aws_sdk_sqs::Client::new(clients().config());
    let stack = fresh("chela");
    let mut urls = Vec::new();
    for lane in Lane::ALL {
        let dead = create_queue(&client, &format!("{stack}-{}-dlq.fifo", lane.name()), None).await;
        let attributes = client.get_queue_attributes().queue_url(dead).attribute_names(QueueAttributeName::QueueArn);
        let arn = attributes.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
        let redrive = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":20}}"#);
        urls.push(create_queue(&client, &format!("{stack}-{}.fifo", lane.name()), Some(redrive)).await);
    }
    let mut urls = urls.into_iter();
    AwsEnvironment {
        queue_live: urls.next(),
        queue_scheduled: urls.next(),
        queue_background: urls.next(),
        ..environment()
    }
}

async fn create_queue(client: &aws_sdk_sqs::Client, name: &str, redrive: Option<String>) -> String {
    let mut create = client.create_queue().queue_name(name).attributes(QueueAttributeName::FifoQueue, "true");
    if let Some(redrive) = redrive {
        create = create.attributes(QueueAttributeName::RedrivePolicy, redrive);
    }
    create.send().await.unwrap().queue_url.unwrap()
}

pub(crate) async fn with_bucket() -> AwsEnvironment {
    let name = fresh("bucket");
    let config = aws_sdk_s3::config::Builder::from(clients().config()).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config).create_bucket().bucket(&name).send().await.unwrap();
    AwsEnvironment { bucket: Some(name), ..environment() }
}

pub(crate) async fn with_bus() -> AwsEnvironment {
    let name = fresh("bus");
    aws_sdk_eventbridge::Client::new(clients().config()).create_event_bus().name(&name).send().await.unwrap();
    AwsEnvironment { bus: Some(name), ..environment() }
}

pub(crate) async fn with_schedules() -> AwsEnvironment {
    let stage = fresh("stage");
    let client = aws_sdk_scheduler::Client::new(clients().config());
    client.create_schedule_group().name(format!("chela-{stage}")).send().await.unwrap();
    AwsEnvironment {
        stage: Some(stage),
        heartbeat_arn: Some("arn:aws:lambda:us-east-1:000000000000:function:heartbeat".into()),
        scheduler_role_arn: Some("arn:aws:iam::000000000000:role/scheduler".into()),
        ..environment()
    }
}
