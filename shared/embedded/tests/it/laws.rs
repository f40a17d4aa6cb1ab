//! Every law of every port, on this crate's adapters.

use std::collections::BTreeMap;
use std::sync::Arc;

use chela_core::access::AccessStore;
use chela_core::approval::ApprovalStore;
use chela_core::audit::AuditLog;
use chela_core::blob::BlobStore;
use chela_core::channel_log::ChannelLog;
use chela_core::cooldown::CooldownStore;
use chela_core::directory::Directory;
use chela_core::event::EventBus;
use chela_core::queue::DeadLetters;
use chela_core::schedule::Schedules;
use chela_core::secret::{SecretRef, SecretSource};
use chela_core::session::SessionStore;
use chela_core::spend::SpendStore;
use chela_embedded::{Embedded, FolderBlobs, LocalEvents, LocalSecrets};
use chela_testkit::clock::ManualClock;
use chela_testkit::laws::erasure::Erasable;
use chela_testkit::laws::queue::QueueSubject;
use chela_testkit::laws::secrets::{SecretPlace, SecretSubject};
use chela_testkit::laws::{NOW, Subject};
use tempfile::TempDir;

chela_testkit::session_laws!(a_session_store);
chela_testkit::access_laws!(an_access_store);
chela_testkit::approval_laws!(a_store_of_requests);
chela_testkit::audit_laws!(an_audit_log);
chela_testkit::channel_log_laws!(a_channel_log);
chela_testkit::spend_laws!(counters_of_money);
chela_testkit::cooldown_laws!(a_store_of_rests);
chela_testkit::directory_laws!(a_directory);
chela_testkit::erasure_laws!(a_store_that_forgets);
chela_testkit::queue_laws!(a_queue);
chela_testkit::dead_letter_laws!(a_graveyard);
chela_testkit::blob_laws!(a_blob_store);
chela_testkit::schedule_laws!(a_timetable);
chela_testkit::secret_laws!(a_secret_store);
chela_testkit::event_laws!(an_event_bus);

fn opened() -> (Embedded, Arc<ManualClock>, TempDir) {
    let (clock, folder) = (Arc::new(ManualClock::at(NOW)), tempfile::tempdir().unwrap());
    (Embedded::open(folder.path(), clock.clone()).unwrap(), clock, folder)
}

async fn a_session_store() -> Subject<dyn SessionStore> {
    let (embedded, _, folder) = opened();
    Subject::keeping(embedded.sessions, folder)
}

async fn a_store_that_forgets() -> Subject<dyn Erasable> {
    let (embedded, _, folder) = opened();
    Subject::keeping(embedded.sessions, folder)
}

async fn an_access_store() -> Subject<dyn AccessStore> {
    let (embedded, _, folder) = opened();
    Subject::keeping(embedded.sessions, folder)
}

async fn a_store_of_requests() -> Subject<dyn ApprovalStore> {
    let (embedded, _, folder) = opened();
    Subject::keeping(embedded.sessions, folder)
}

async fn an_audit_log() -> Subject<dyn AuditLog> {
    let (embedded, _, folder) = opened();
    Subject::keeping(embedded.sessions, folder)
}

async fn a_channel_log() -> Subject<dyn ChannelLog> {
    let (embedded, _, folder) = opened();
    Subject::keeping(embedded.sessions, folder)
}

async fn counters_of_money() -> Subject<dyn SpendStore> {
    let (embedded, _, folder) = opened();
    Subject::keeping(embedded.sessions, folder)
}

async fn a_store_of_rests() -> Subject<dyn CooldownStore> {
    let (embedded, _, folder) = opened();
    Subject::keeping(embedded.sessions, folder)
}

async fn a_directory() -> Subject<dyn Directory> {
    let (embedded, _, folder) = opened();
    Subject::keeping(embedded.sessions, folder)
}

async fn a_queue() -> QueueSubject {
    let (embedded, clock, folder) = opened();
    let advance = move |seconds: u32| {
        clock.advance(u64::from(seconds) * 1000);
        let done: futures_util::future::BoxFuture<'static, ()> = Box::pin(std::future::ready(()));
        done
    };
    QueueSubject { queue: Subject::keeping(embedded.queue, folder), advance: Box::new(advance) }
}

async fn a_graveyard() -> Subject<dyn DeadLetters> {
    let (embedded, _, folder) = opened();
    Subject::keeping(embedded.queue, folder)
}

async fn a_blob_store() -> Subject<dyn BlobStore> {
    let folder = tempfile::tempdir().unwrap();
    let blobs = FolderBlobs::open(&folder.path().join("files"), &folder.path().join("incoming")).unwrap();
    Subject::keeping(Arc::new(blobs), folder)
}

async fn a_timetable() -> Subject<dyn Schedules> {
    let (embedded, _, folder) = opened();
    Subject::keeping(embedded.schedules, folder)
}

async fn a_secret_store() -> SecretSubject {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("token"), "s3cret-of-the-file\n").unwrap();
    let at = |source, id: &str| SecretRef { source, id: id.to_owned() };
    let places = vec![
        SecretPlace {
            present: at(SecretSource::Env, "CHELA_TOKEN"),
            value: "s3cret-of-the-environment".into(),
            missing: at(SecretSource::Env, "CHELA_TOKEM"),
        },
        SecretPlace {
            present: at(SecretSource::File, &path("token")),
            value: "s3cret-of-the-file".into(),
            missing: at(SecretSource::File, &path("tokem")),
        },
    ];
    let environment = BTreeMap::from([("CHELA_TOKEN", "s3cret-of-the-environment".to_owned())]);
    let secrets = LocalSecrets::new(move |name| environment.get(name).cloned());
    let unsupported = at(SecretSource::Ssm, "/chela/token");
    SecretSubject { store: Subject::keeping(Arc::new(secrets), folder), places, unsupported }
}

async fn an_event_bus() -> Subject<dyn EventBus> {
    Subject::new(Box::new(LocalEvents::new()))
}
