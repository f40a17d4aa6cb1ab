//! What the adapters make of answers that no emulator gives: refusals inside a success, races, throttling, words of
//! the real services.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use chela_aws::{AwsClients, AwsEnvironment, Bucket, Bus, Lanes, ScheduleGroup, Secrets, Table};
use chela_core::blob::{BlobError, BlobStore, Precondition};
use chela_core::clock::{Clock, Millis};
use chela_core::event::{EventBus, EventName, LifecycleEvent};
use chela_core::queue::{Lane, Queue, QueueError};
use chela_core::schedule::Schedules;
use chela_core::secret::{SecretError, SecretRef, SecretSource, SecretStore};
use chela_core::session::{SessionStore, StoreError};
use chela_core::session_key::SessionKey;
use serde_json::{Value, json};

/// Gives these answers, one after the other, and keeps the bodies of the requests.
#[derive(Clone, Debug, Default)]
struct Scripted {
    answers: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Scripted {
    fn left(&self) -> usize {
        self.answers.lock().unwrap().len()
    }
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.asked.lock().unwrap().push(request.body().bytes().unwrap_or_default().to_vec());
        let (status, body) = self.answers.lock().unwrap().pop_front().expect("another answer was needed");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))))
    }
}

fn environment() -> AwsEnvironment {
    AwsEnvironment::from_env(|name| match name {
        "AWS_ENDPOINT_URL" => None,
        "AWS_REGION" => Some("eu-west-1".into()),
        name if name.starts_with("CHELA_QUEUE") => Some("https://sqs.eu-west-1.amazonaws.com/1/chela-live.fifo".into()),
        name => Some(format!("a-{}", name.to_lowercase().replace('_', "-"))),
    })
}

fn answering(answers: &[(u16, &'static str)]) -> (AwsClients, Scripted) {
    let script = Scripted::default();
    script.answers.lock().unwrap().extend(answers);
    let connector = script.clone();
    let http: SharedHttpClient = http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone()));
    (AwsClients::over(&environment(), http).unwrap(), script)
}

#[tokio::test]
async fn a_bus_that_refuses_an_entry_inside_a_success_is_an_error() {
    let event = LifecycleEvent { name: EventName::TurnFinished, at: Millis(1), detail: serde_json::Map::new() };
    let refused = r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"InternalFailure","ErrorMessage":"try later"}]}"#;
    let silent = r#"{"FailedEntryCount":1,"Entries":[]}"#;
    let (clients, _) = answering(&[(200, refused), (200, silent)]);
    let bus = Bus::new(&clients, &environment()).unwrap();
    let error = bus.publish(&event).await.unwrap_err().to_string();
    assert!(error.contains("InternalFailure: try later"), "{error}");
    assert!(bus.publish(&event).await.is_err());
}

#[tokio::test]
async fn an_event_carries_its_own_time() {
    let detail = json!({"turn": 7});
    let at = Millis(1_795_219_200_000);
    let event = LifecycleEvent { name: EventName::TurnFailed, at, detail: detail.as_object().cloned().unwrap() };
    let (clients, script) = answering(&[(200, r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#)]);
    Bus::new(&clients, &environment()).unwrap().publish(&event).await.unwrap();
    let asked: Value = serde_json::from_slice(&script.asked.lock().unwrap()[0]).unwrap();
    let entry = json!({
        "Time": 1_795_219_200, "Source": "chela", "DetailType": "turn.failed", "Detail": r#"{"turn":7}"#,
        "EventBusName": "a-chela-bus",
    });
    assert_eq!(asked, json!({ "Entries": [entry] }));
}

#[tokio::test]
async fn a_schedule_group_that_is_not_there_is_named_with_its_variable() {
    let (clients, _) = answering(&[(404, r#"{"__type":"ResourceNotFoundException","Message":"no group"}"#)]);
    let error = ScheduleGroup::new(&clients, &environment()).unwrap().list().await.unwrap_err().to_string();
    assert!(error.contains("chela-a-chela-stage") && error.contains("CHELA_STAGE"), "{error}");
}

#[tokio::test]
async fn a_conditional_write_that_meets_another_is_a_conflict() {
    let answers = [
        (409, "<Error><Code>ConditionalRequestConflict</Code><Message>m</Message></Error>"),
        (412, "<Error><Code>PreconditionFailed</Code><Message>m</Message></Error>"),
        (404, "<Error><Code>NoSuchKey</Code><Message>m</Message></Error>"),
    ];
    for answer in answers {
        let (clients, _) = answering(&[answer]);
        let bucket = Bucket::new(&clients, &environment()).unwrap();
        let put = bucket.put("a", Bytes::from_static(b"x"), Precondition::Matches("tag".into())).await;
        assert!(matches!(put, Err(BlobError::Conflict(_))), "{answer:?}: {put:?}");
    }
}

#[tokio::test]
async fn a_bucket_that_may_not_say_what_is_missing_is_not_an_empty_one() {
    let (clients, _) = answering(&[(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")]);
    let bucket = Bucket::new(&clients, &environment()).unwrap();
    let error = bucket.get("a").await.unwrap_err();
    assert!(matches!(&error, BlobError::Unavailable(reason) if reason == "AccessDenied: no"), "{error}");
}

#[tokio::test]
async fn all_words_for_a_receipt_that_ran_out_mean_the_same() {
    let expired = [
        r#"{"__type":"com.amazonaws.sqs#InvalidParameterValue","message":"Value x for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."}"#,
        r#"{"__type":"com.amazonaws.sqs#MessageNotInflight","message":"m"}"#,
        r#"{"__type":"com.amazonaws.sqs#ReceiptHandleIsInvalid","message":"m"}"#,
    ];
    for answer in expired {
        let (clients, _) = answering(&[(400, answer)]);
        let lanes = Lanes::new(&clients, &environment()).unwrap();
        let hidden = lanes.hide(Lane::Live, "receipt", 5).await;
        assert!(matches!(hidden, Err(QueueError::Expired)), "{answer}: {hidden:?}");
    }
    let (clients, _) = answering(&[(400, r#"{"__type":"com.amazonaws.sqs#InvalidParameterValue","message":"other"}"#)]);
    let hidden = Lanes::new(&clients, &environment()).unwrap().hide(Lane::Live, "receipt", 5).await;
    assert!(matches!(hidden, Err(QueueError::Unavailable(_))), "{hidden:?}");
}

#[tokio::test]
async fn a_delete_that_came_too_late_says_so() {
    let answer =
        r#"{"__type":"com.amazonaws.sqs#InvalidParameterValue","message":"Reason: The receipt handle has expired."}"#;
    let (clients, _) = answering(&[(400, answer)]);
    let deleted = Lanes::new(&clients, &environment()).unwrap().delete(Lane::Live, "receipt").await;
    assert!(matches!(deleted, Err(QueueError::Expired)), "{deleted:?}");
}

const THROTTLED: &str =
    r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}"#;

#[tokio::test(start_paused = true)]
async fn a_throttled_request_is_tried_three_times() {
    let session = SessionKey::from_stored("agent:main:main");
    let (clients, script) = answering(&[(400, THROTTLED), (500, "{}"), (200, "{}")]);
    assert_eq!(Table::new(&clients, &environment()).unwrap().head(&session).await.unwrap(), None);
    assert_eq!(script.left(), 0);

    let (clients, script) = answering(&[(400, THROTTLED); 4]);
    let error = Table::new(&clients, &environment()).unwrap().head(&session).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(reason) if reason.contains("slow down")), "{error}");
    assert_eq!(script.left(), 1, "three tries");
}

#[derive(Debug)]
struct Silent;

impl HttpConnector for Silent {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends_within_ten_seconds() {
    let http = http_client_fn(|_, _| SharedHttpConnector::new(Silent));
    let clients = AwsClients::over(&environment(), http).unwrap();
    let begun = tokio::time::Instant::now();
    let session = SessionKey::from_stored("agent:main:main");
    let error = Table::new(&clients, &environment()).unwrap().head(&session).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(reason) if reason.contains("no answer")), "{error}");
    assert!(begun.elapsed().as_secs() <= 10, "{:?}", begun.elapsed());
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Millis {
        Millis(1)
    }

    fn unique(&self) -> String {
        "still".into()
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_store_that_fails_is_told_apart_from_a_missing_secret() {
    let reference = |source| SecretRef { source, id: "/chela/key".into() };
    let cases = [
        (SecretSource::Ssm, 400, r#"{"__type":"AccessDeniedException","Message":"no"}"#, false),
        (SecretSource::Ssm, 400, r#"{"__type":"ParameterNotFound"}"#, true),
        (SecretSource::Ssm, 200, r#"{"Parameter":{"Name":"/chela/key","Value":""}}"#, true),
        (SecretSource::SecretsManager, 400, r#"{"__type":"DecryptionFailure","Message":"no"}"#, false),
        (SecretSource::SecretsManager, 400, r#"{"__type":"ResourceNotFoundException"}"#, true),
        (
            SecretSource::SecretsManager,
            400,
            r#"{"__type":"InvalidRequestException","Message":"marked for deletion"}"#,
            true,
        ),
        (SecretSource::SecretsManager, 200, r#"{"Name":"/chela/key","SecretBinary":"AAAA"}"#, true),
    ];
    for (source, status, body, missing) in cases {
        let (clients, _) = answering(&[(status, body)]);
        let error = Secrets::new(&clients, Arc::new(Still), |_| None).get(&reference(source)).await.unwrap_err();
        assert_eq!(matches!(error, SecretError::Missing { .. }), missing, "{body}: {error}");
        let error = error.to_string();
        assert!(error.contains("/chela/key"), "{error}");
        assert_eq!(error.contains("role"), body.contains("AccessDenied"), "{error}");
    }
}
