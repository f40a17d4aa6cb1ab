//! An event of SES, from the bucket to the queue.

use std::sync::Arc;

use aws_lambda_events::event::ses::SimpleEmailEvent;
use bytes::Bytes;
use chela_agent::ChannelNotes;
use chela_app::install::Scope;
use chela_app::live::{Ground, Live};
use chela_app::receive::{Ports, Receiver};
use chela_channel_email::forward::Verdict;
use chela_clock::SystemClock;
use chela_core::blob::{BlobStore as _, Precondition};
use chela_core::queue::{Envelope, Lane, Queue as _, Task};
use chela_embedded::{Embedded, LocalSecrets};

use crate::deliver::Postman;
use crate::event::{Dropped, Mail, read};

/// The event of the AWS documentation, for us.
fn event(dmarc: &str, virus: &str) -> SimpleEmailEvent {
    let text = include_str!("../event.json").replace("{dmarc}", dmarc).replace("{virus}", virus);
    serde_json::from_str(&text).unwrap()
}

const CONFIG: &str = r#"{channels: {email: {dmPolicy: "open", allowFrom: ["*"], region: "us-east-1", webhookSecret: "s",
    accessKeyId: "a", secretAccessKey: "b", accounts: {one: {address: "bot@example.org"}, two: {address: "x@example.org"}}}}}"#;

async fn house(folder: &std::path::Path) -> (Postman, Embedded) {
    let (clock, secrets) = (Arc::new(SystemClock), Arc::new(LocalSecrets::new(|_| None)));
    let store = Embedded::open(folder, clock.clone()).unwrap();
    store.blobs.put("config/chela.json5", Bytes::from_static(CONFIG.as_bytes()), Precondition::None).await.unwrap();
    let ground = Ground {
        config_files: store.blobs.clone(),
        config_key: "config/chela.json5".to_owned(),
        files: store.blobs.clone(),
        secrets: secrets.clone(),
        variables: Arc::new(|_| None),
        clock: clock.clone(),
        commands: Default::default(),
        scope: Scope::Channel("email".to_owned()),
        mcp: chela_app::mcp::McpHome::default(),
        inside: Default::default(),
    };
    let live = Arc::new(Live::open(ground).await.unwrap());
    let (queue, sessions, files) = (store.queue.clone(), store.sessions.clone(), store.blobs.clone());
    let channels = Arc::new(ChannelNotes::new(sessions.clone()));
    let (directory, access) = (sessions.clone(), sessions.clone());
    let ports = Ports { queue, sessions, directory, access, channels, files, clock: clock.clone() };
    let receiver = Receiver::new(ports, live.clone(), Arc::default());
    (Postman { files: store.blobs.clone(), secrets, live, receiver, clock }, store)
}

#[tokio::test]
async fn a_stored_message_is_queued_once_for_its_account() {
    let folder = tempfile::tempdir().unwrap();
    let (postman, store) = house(folder.path()).await;
    let mail = read(event("PASS", "PASS")).remove(0).unwrap();
    assert!(postman.deliver(&mail).await.unwrap_err().to_string().contains("mail/6n4thuhc"), "not stored yet: again");
    let message = Bytes::from_static(b"From: ada@example.com\r\nMessage-ID: <1@x>\r\nSubject: hi\r\n\r\nthere\r\n");
    store.blobs.put(&format!("mail/{}", mail.id), message, Precondition::None).await.unwrap();
    postman.deliver(&mail).await.unwrap();
    postman.deliver(&mail).await.unwrap();
    let waiting = store.queue.receive(Lane::Live, 10, 60).await.unwrap();
    assert_eq!(waiting.len(), 1);
    let envelope: Envelope = serde_json::from_str(&waiting[0].body).unwrap();
    let Task::Message { inbound, .. } = envelope.task else { panic!("no message") };
    assert_eq!((inbound.account.as_str(), inbound.text.as_str()), ("one", "hi\n\nthere"));
    postman.deliver(&Mail { recipients: vec!["nobody@example.org".to_owned()], ..mail }).await.unwrap();
}

#[test]
fn verdicts_are_those_of_dmarc_and_viruses_go_no_further() {
    let verdict = |dmarc: &str| read(event(dmarc, "PASS")).remove(0).unwrap().verdict;
    assert_eq!(verdict("PASS"), Verdict::Pass);
    assert_eq!(verdict("FAIL"), Verdict::Fail);
    assert_eq!((verdict("GRAY"), verdict("PROCESSING_FAILED")), (Verdict::None, Verdict::None));
    let id = "6n4thuhcbhpfiuf25gshf70rss364fuejrvmqko1".to_owned();
    assert_eq!(read(event("PASS", "FAIL")), [Err(Dropped { id, why: "it carries a virus" })]);
}
