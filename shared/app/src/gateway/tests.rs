use bytes::Bytes;
use chela_core::agent_id::AgentId;
use chela_core::blob::Precondition;
use chela_core::channel_log::{ChannelLog, Happening};
use chela_core::clock::Millis;
use chela_core::cooldown::{Cooldown, CooldownStore, Trouble};
use chela_core::post::Nowhere;
use chela_core::purse::Shut;
use chela_core::queue::Queue as _;
use chela_core::session_key::SessionKey;
use chela_embedded::Embedded;
use chela_testkit::clock::ManualClock;

use super::*;

const NOW: Millis = Millis(1_795_251_600_000);

const CONFIG: &str = r#"{
    agents: { defaults: { model: "a/m", memorySearch: { remote: { apiKey: "hunter2", headers: { x: "hunter2" } } } } },
    channels: { telegram: { botToken: "hunter2" } },
    gateway: { auth: { token: "hunter2" } },
    tools: { deny: ["exec"], web: { search: { apiKey: "${BRAVE_API_KEY}", baseUrl: "https://u:hunter2@x" } } },
}"#;

async fn answer(caller: Caller, input: Value) -> ToolAnswer {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let store = Embedded::open(folder.path(), clock.clone()).unwrap();
    store.blobs.put("c", Bytes::from_static(CONFIG.as_bytes()), Precondition::None).await.unwrap();
    store.sessions.note("telegram", "default", &Happening::Failed("blocked".into()), NOW).await.unwrap();
    let rest = |ms| Cooldown { until: NOW.plus(ms), failures: 1, trouble: Trouble::RateLimit };
    store.sessions.rest("a:default", &rest(5_000)).await.unwrap();
    store.sessions.rest("b:default", &Cooldown { until: Millis(NOW.0 - 1), ..rest(0) }).await.unwrap();
    let task = chela_core::queue::Task::Lapsed { id: "1".into() };
    let (event, session) = (chela_core::message::EventKey::of("a", "b", "c"), SessionKey::from_stored("s"));
    let agent = AgentId::new("main");
    let envelope = chela_core::queue::Envelope { version: 1, event, session, agent, accepted_at: NOW, task };
    store.queue.push(Lane::Scheduled, &envelope).await.unwrap();
    let config = Config::default();
    let gateway = Gateway {
        records: Records {
            channels: store.sessions.clone(),
            cooldowns: store.sessions.clone(),
            spend: store.sessions.clone(),
            place: "here",
            since: Millis(NOW.0 - 7_000),
        },
        spend: usage::rules(&config),
        config: Arc::new(config),
        config_files: store.blobs.clone(),
        config_key: "c".into(),
        accounts: vec![("telegram".into(), "default".into())],
        models: vec!["a/m".into()],
    };
    let call = ToolCall {
        input: &input,
        idempotency_key: "key",
        again: false,
        agent: &AgentId::new("main"),
        session: &SessionKey::from_stored("agent:main:main"),
        caller: &caller,
        files: store.blobs.as_ref(),
        sessions: store.sessions.as_ref(),
        directory: store.sessions.as_ref(),
        queue: store.queue.as_ref(),
        post: &Nowhere,
        purse: &Shut,
        clock: clock.as_ref(),
        status: &json!({}),
    };
    gateway.run(call).await
}

fn owner() -> Caller {
    Caller { authority: Authority::Owner, senders: vec!["7".into()], ..Caller::default() }
}

#[tokio::test]
async fn the_owner_is_told_how_the_house_is() {
    let ToolAnswer { text, is_error, .. } = answer(owner(), json!({"action": "status"})).await;
    let status: Value = serde_json::from_str(&text).unwrap();
    assert!(!is_error);
    assert_eq!((&status["runs"], &status["upSeconds"]), (&json!("here"), &json!(7)));
    assert_eq!(status["channels"][0]["last"]["failed"]["reason"], "blocked");
    assert_eq!(status["models"]["resting"].as_object().unwrap().keys().collect::<Vec<_>>(), ["a:default"]);
    assert_eq!(status["spentToday"], json!({"dollars": 0.0, "limit": null, "halted": false}));
    let (none, one) = (json!({"waiting": 0, "inFlight": 0}), json!({"waiting": 1, "inFlight": 0}));
    assert_eq!(status["queues"], json!({"live": none, "scheduled": one, "background": none}));
    assert_eq!((&status["schedules"]["own"], &status["partsInDoubt"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn nobody_else_is() {
    let guest = Caller { authority: Authority::Guest, ..owner() };
    for caller in [guest, Caller { depth: 1, ..owner() }] {
        assert!(answer(caller.clone(), json!({"action": "status"})).await.is_error);
        assert!(answer(caller, json!({"action": "config.get", "path": "agents"})).await.is_error);
    }
}

#[tokio::test]
async fn the_configuration_is_shown_without_its_secrets() {
    let get = async |path: &str| answer(owner(), json!({"action": "config.get", "path": path})).await;
    assert_eq!(get("agents.defaults.model").await, ToolAnswer::ok("\"a/m\""));
    assert_eq!(get("tools.deny.0").await, ToolAnswer::ok("\"exec\""));
    for path in [
        "agents",
        "tools",
        "agents.defaults.memorySearch.remote",
        "agents.defaults.memorySearch.remote.headers.x",
        "tools.web.search.apiKey",
        "tools.web.search.baseUrl",
    ] {
        let ToolAnswer { text, is_error, .. } = get(path).await;
        assert!(!is_error && !text.contains("hunter2") && !text.contains("BRAVE"), "{path}: {text}");
    }
    for path in
        ["", "channels", "channels.telegram.botToken", "gateway.auth.token", "models", "secrets", "approvals", "mcp"]
    {
        let ToolAnswer { text, is_error, .. } = get(path).await;
        assert!(is_error && text.starts_with("Only these"), "{path}: {text}");
    }
    assert!(get("agents.nobody").await.is_error);
}

#[tokio::test]
async fn nothing_is_changed_by_a_tool() {
    for action in ["config.set", "config.patch", "config.apply", "restart", "update"] {
        let input = json!({"action": action, "path": "tools.exec.security"});
        assert!(answer(owner(), input).await.text.contains("changed by its owner"), "{action}");
    }
}
