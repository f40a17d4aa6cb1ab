//! A bridge of Discord before a Gateway that is played here, as the documentation describes it: HELLO (10), IDENTIFY (2),
//! HEARTBEAT (1, 11), RESUME (6), RECONNECT (7), INVALID SESSION (9), close codes.
//! <https://discord.com/developers/docs/events/gateway>,
//! <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway>

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chela_bridge::discord::{Discord, DiscordSettings};
use chela_bridge::{BridgeError, Poster, Store};
use chela_channel_kit::{ProofKeys, bridge};
use chela_clock::SystemClock;
use chela_core::channel::RawRequest;
use chela_core::clock::Clock as _;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};
use chela_testkit::laws::channel::platform::{Answer, Platform};
use chela_testkit::laws::channel::request;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_websockets::{CloseCode, Message, ServerBuilder, WebSocketStream};

const PATIENCE: Duration = Duration::from_secs(20);

const SECRET: &str = "a-secret-of-this-test";

/// Discord.
struct Gateway {
    listener: TcpListener,
    url: String,
}

/// One connection to it.
struct Connected(WebSocketStream<TcpStream>);

impl Gateway {
    async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// Waits for the bridge and greets it.
    async fn greet(&self, heartbeat: u64) -> Connected {
        let (socket, _) = tokio::time::timeout(PATIENCE, self.listener.accept()).await.expect("nobody came").unwrap();
        let (asked, socket) = ServerBuilder::new().accept(socket).await.unwrap();
        assert_eq!(asked.uri().query(), Some("v=10&encoding=json"));
        let mut connected = Connected(socket);
        connected.say(json!({"op": 10, "d": {"heartbeat_interval": heartbeat}, "s": null, "t": null})).await;
        connected
    }

    /// The same, through IDENTIFY and READY.
    async fn begin(&self, session: &str) -> Connected {
        let mut connected = self.greet(45_000).await;
        let asked = connected.next(2).await;
        assert_eq!(asked["d"]["token"], "Bot the-token");
        // GUILDS 1<<0, GUILD_MESSAGES 1<<9, DIRECT_MESSAGES 1<<12, MESSAGE_CONTENT 1<<15.
        assert_eq!(asked["d"]["intents"], 1 | 1 << 9 | 1 << 12 | 1 << 15);
        let ready = json!({
            "v": 10, "user": {"id": "77", "username": "agent", "bot": true}, "guilds": [], "session_id": session,
            "resume_gateway_url": self.url, "application": {"id": "77", "flags": 0},
        });
        connected.dispatch(1, "READY", ready).await;
        connected
    }

    /// The same, through RESUME.
    async fn resumed(&self, session: &str, seq: u64) -> Connected {
        let mut connected = self.greet(45_000).await;
        let asked = connected.next(6).await;
        assert_eq!(asked["d"], json!({"token": "Bot the-token", "session_id": session, "seq": seq}));
        connected
    }
}

impl Connected {
    async fn say(&mut self, event: Value) {
        self.0.send(Message::text(event.to_string())).await.unwrap();
    }

    async fn dispatch(&mut self, seq: u64, event: &str, data: Value) {
        self.say(json!({"op": 0, "s": seq, "t": event, "d": data})).await;
    }

    /// The next thing the bridge says with this op code.
    async fn next(&mut self, op: u64) -> Value {
        loop {
            let said = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("the bridge says nothing");
            let said = said.expect("the bridge left").unwrap();
            let Some(text) = said.as_text() else { continue };
            let said: Value = serde_json::from_str(text).unwrap();
            if said["op"] == op {
                return said;
            }
        }
    }

    async fn close(mut self, code: u16) {
        let code = CloseCode::try_from(code).unwrap();
        let _ = self.0.send(Message::close(Some(code), "")).await;
        let _ = tokio::time::timeout(Duration::from_secs(2), async { while self.0.next().await.is_some() {} }).await;
    }
}

fn written(id: &str, channel: &str, text: &str) -> Value {
    json!({
        "id": id, "channel_id": channel, "guild_id": "2909", "type": 0, "content": text, "mentions": [{"id": "77"}],
        "author": {"id": "5390", "username": "mason"}, "member": {"roles": []}, "timestamp": "2026-11-21T10:00:00.000000+00:00",
        "edited_timestamp": null, "attachments": [], "embeds": [],
    })
}

/// A bridge in this process.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), BridgeError>>,
}

impl Running {
    fn start(state: &Path, discord: &Gateway, chela: &Platform) -> Self {
        let store = Arc::new(Store::open(state).unwrap());
        let token = Secret::new("the-token");
        let settings = DiscordSettings { token, message_content: true, gateway: Some(discord.url.clone()) };
        let connection = Discord::new(&settings, store.clone(), Arc::new(SystemClock));
        let http = HttpClient::new(HttpOptions {
            allow_hosts: vec![HostPort::of_url(chela.url()).unwrap()],
            user_agent: "t".to_owned(),
            extra_roots: None,
        });
        let keys = ProofKeys::words(&Secret::new(SECRET)).unwrap();
        let url = format!("{}/webhook/discord", chela.url());
        let poster = Poster { store, http: http.unwrap(), url, keys, clock: Arc::new(SystemClock) };
        let (stop, _) = watch::channel(false);
        let task = tokio::spawn(chela_bridge::run(Box::new(connection), poster, None, stop.clone()));
        Self { stop, task }
    }

    async fn stop(self) -> Result<(), BridgeError> {
        let _ = self.stop.send(true);
        tokio::time::timeout(PATIENCE, self.task).await.expect("it does not stop").unwrap()
    }
}

/// The next so many messages the gateway of ours got, each proven.
async fn posted(chela: &Platform, count: usize) -> Vec<bridge::BridgeMessage> {
    let keys = ProofKeys::words(&Secret::new(SECRET)).unwrap();
    let mut messages = Vec::new();
    let until = tokio::time::Instant::now() + PATIENCE;
    while messages.len() < count {
        assert!(tokio::time::Instant::now() < until, "{messages:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
        for seen in chela.take() {
            assert_eq!(seen.path, "/webhook/discord");
            let raw = RawRequest { received_at: SystemClock.now(), ..request(seen.headers.clone(), &seen.body) };
            messages.push(bridge::read(&bridge::verify(raw, &keys).unwrap()).unwrap());
        }
    }
    messages
}

fn ids(messages: &[bridge::BridgeMessage]) -> Vec<&str> {
    messages.iter().map(|message| message.id.as_str()).collect()
}

async fn chela() -> Platform {
    Platform::start(|_| Answer::text(200, "")).await
}

#[tokio::test]
async fn what_is_said_in_a_guild_and_its_threads_arrives() {
    let (discord, chela, state) = (Gateway::open().await, chela().await, tempfile::tempdir().unwrap());
    let running = Running::start(state.path(), &discord, &chela);
    let mut connected = discord.begin("s1").await;
    connected
        .dispatch(2, "GUILD_CREATE", json!({"id": "2909", "threads": [{"id": "9002", "parent_id": "9001"}]}))
        .await;
    connected.dispatch(3, "MESSAGE_CREATE", written("101", "9002", "<@77> in a thread")).await;
    let told = posted(&chela, 1).await;
    assert_eq!(
        (told[0].text.as_str(), told[0].mentions_bot, told[0].parent.as_deref()),
        ("in a thread", true, Some("9001"))
    );
    // An event that nobody can read is no reason to leave.
    connected.dispatch(4, "MESSAGE_CREATE", json!({"id": 5})).await;
    connected.dispatch(5, "MESSAGE_CREATE", written("102", "9001", "hi")).await;
    assert_eq!(ids(&posted(&chela, 1).await), ["102"]);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn the_heart_beats_with_the_last_sequence_number() {
    let (discord, chela, state) = (Gateway::open().await, chela().await, tempfile::tempdir().unwrap());
    let running = Running::start(state.path(), &discord, &chela);
    let mut connected = discord.greet(300).await;
    connected.next(2).await;
    let ready = json!({"user": {"id": "77"}, "session_id": "s1", "resume_gateway_url": discord.url});
    connected.dispatch(41, "READY", ready).await;
    for _ in 0..3 {
        let beat = connected.next(1).await;
        if beat["d"] == 41 {
            break;
        }
        connected.say(json!({"op": 11})).await;
    }
    // A Gateway that no longer answers is left, and the session is taken up again.
    drop(discord.resumed("s1", 41).await);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn after_a_loss_the_session_goes_on_and_nothing_is_told_twice() {
    let (discord, chela, state) = (Gateway::open().await, chela().await, tempfile::tempdir().unwrap());
    let running = Running::start(state.path(), &discord, &chela);
    let mut connected = discord.begin("s1").await;
    connected.dispatch(2, "MESSAGE_CREATE", written("101", "9001", "one")).await;
    assert_eq!(ids(&posted(&chela, 1).await), ["101"]);
    drop(connected);
    let mut connected = discord.resumed("s1", 2).await;
    connected.dispatch(3, "MESSAGE_CREATE", written("102", "9001", "missed")).await;
    connected.dispatch(4, "RESUMED", json!({})).await;
    assert_eq!(ids(&posted(&chela, 1).await), ["102"]);
    // Op code 7: connect again and resume.
    connected.say(json!({"op": 7, "d": null})).await;
    let mut connected = discord.resumed("s1", 4).await;
    // Op code 9: the session is gone.
    connected.say(json!({"op": 9, "d": false})).await;
    let mut connected = discord.begin("s2").await;
    connected.dispatch(2, "MESSAGE_CREATE", written("103", "9001", "new")).await;
    assert_eq!(ids(&posted(&chela, 1).await), ["103"]);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_restarted_bridge_hears_what_was_said_meanwhile() {
    let (discord, chela, state) = (Gateway::open().await, chela().await, tempfile::tempdir().unwrap());
    // The gateway is away: the message waits on the disk.
    for _ in 0..50 {
        chela.next(Answer::text(503, ""));
    }
    let running = Running::start(state.path(), &discord, &chela);
    let mut connected = discord.begin("s1").await;
    connected
        .dispatch(2, "GUILD_CREATE", json!({"id": "2909", "threads": [{"id": "9002", "parent_id": "9001"}]}))
        .await;
    connected.dispatch(3, "MESSAGE_CREATE", written("101", "9001", "before")).await;
    assert_eq!(ids(&posted(&chela, 1).await), ["101"]);
    // As if the process had been killed: nothing gets to say goodbye.
    running.task.abort();
    let _ = running.task.await;
    drop(connected);
    // The tasks of the dead bridge let go of the store.
    tokio::time::sleep(Duration::from_millis(200)).await;

    let chela = self::chela().await;
    let running = Running::start(state.path(), &discord, &chela);
    let mut connected = discord.resumed("s1", 3).await;
    connected.dispatch(4, "MESSAGE_CREATE", written("102", "9002", "meanwhile")).await;
    let mut told = posted(&chela, 2).await;
    told.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(ids(&told), ["101", "102"]);
    assert_eq!(told[1].parent.as_deref(), Some("9001"), "RESUME repeats no GUILD_CREATE");
    // A bridge that is stopped keeps its session as well.
    running.stop().await.unwrap();
    drop(connected);
    let running = Running::start(state.path(), &discord, &chela);
    discord.resumed("s1", 4).await;
    running.stop().await.unwrap();
    assert_eq!(chela.take(), []);
}

#[tokio::test]
async fn what_only_the_owner_can_change_ends_the_bridge() {
    for (code, word) in [(4004, "token"), (4014, "Message Content")] {
        let (discord, chela, state) = (Gateway::open().await, chela().await, tempfile::tempdir().unwrap());
        let running = Running::start(state.path(), &discord, &chela);
        let mut connected = discord.greet(45_000).await;
        connected.next(2).await;
        connected.close(code).await;
        let ended = tokio::time::timeout(PATIENCE, running.task).await.unwrap().unwrap().unwrap_err().to_string();
        assert!(ended.contains(word) && !ended.contains("the-token"), "{code}: {ended}");
    }
}
