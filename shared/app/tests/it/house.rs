//! A house over an embedded store, wired as the binaries wire one.

use std::sync::Arc;
use std::time::Duration;

use chela_agent::ChannelNotes;
use chela_app::api::Api;
use chela_app::install::Scope;
use chela_app::live::{Commands, Ground, Live};
use chela_app::receive::Ports;
use chela_core::blob::{BlobStore, Precondition};
use chela_core::directory::Directory;
use chela_core::secret::Secret;
use chela_embedded::{Embedded, LocalSecrets};
use chela_testkit::clock::ManualClock;
use serde_json::Value;

const CONFIG: &str = "config/chela.json5";

pub(crate) async fn configure(store: &Embedded, config: &Value) {
    store.blobs.put(CONFIG, config.to_string().into(), Precondition::None).await.unwrap();
}

pub(crate) async fn live(store: &Embedded, clock: &Arc<ManualClock>, scope: Scope) -> Arc<Live> {
    live_with(store, clock, scope, Commands::default()).await
}

pub(crate) async fn live_with(
    store: &Embedded,
    clock: &Arc<ManualClock>,
    scope: Scope,
    commands: Commands,
) -> Arc<Live> {
    let ground = Ground {
        config_files: store.blobs.clone(),
        config_key: CONFIG.to_owned(),
        files: store.blobs.clone(),
        secrets: Arc::new(LocalSecrets::new(|_| None)),
        variables: Arc::new(|_| None),
        clock: clock.clone(),
        commands,
        scope,
        mcp: chela_app::mcp::McpHome::default(),
        inside: Default::default(),
    };
    Arc::new(Live::open(ground).await.unwrap())
}

pub(crate) fn ports(store: &Embedded, clock: &Arc<ManualClock>, directory: Arc<dyn Directory>) -> Ports {
    let sessions = store.sessions.clone();
    Ports {
        queue: store.queue.clone(),
        sessions: sessions.clone(),
        directory,
        access: sessions.clone(),
        channels: Arc::new(ChannelNotes::new(sessions)),
        files: store.blobs.clone(),
        clock: clock.clone(),
    }
}

pub(crate) fn api(store: &Embedded, clock: &Arc<ManualClock>, live: Arc<Live>, own_key: &str) -> Api {
    let sessions = store.sessions.clone();
    Api {
        queue: store.queue.clone(),
        dead_letters: store.queue.clone(),
        erasure: store.sessions.clone(),
        sessions: sessions.clone(),
        directory: sessions.clone(),
        access: sessions.clone(),
        channels: sessions.clone(),
        spend: sessions.clone(),
        approvals: sessions.clone(),
        audit: sessions,
        live,
        clock: clock.clone(),
        metrics: Arc::default(),
        own_key: Some(Secret::new(own_key)),
        poll_every: Duration::from_millis(1),
    }
}
