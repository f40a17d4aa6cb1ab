//! What ngIRCd has not: TLS, SASL, and the capabilities of IRCv3, before a server that is played here.
//! <https://ircv3.net/irc/>

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chela_bridge::connection::{Connection, Ended, keep};
use chela_bridge::door::Voice as _;
use chela_bridge::irc::{Irc, IrcSettings, IrcVoice};
use chela_bridge::store::Store;
use chela_channel_kit::bridge::{BridgeMessage, BridgeOrder, BridgeText};
use chela_clock::SystemClock;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, pki_types::PrivateKeyDer};
use tokio_rustls::server::TlsStream;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server with a certificate for localhost that nobody signed.
struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    folder: TempDir,
}

struct Connected(BufReader<TlsStream<TcpStream>>);

impl Server {
    async fn open() -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)), folder }
    }

    fn settings(&self) -> IrcSettings {
        let port = self.listener.local_addr().unwrap().port();
        let authorities = Some(self.folder.path().join("ca.pem"));
        let account = Some(("agent".to_owned(), Secret::new("hunter2")));
        let every = Duration::from_millis(1);
        let channels = vec!["#lobby".to_owned()];
        IrcSettings { authorities, account, channels, every, ..IrcSettings::new("localhost", port, "agentbot") }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A connection, registered with all that IRCv3 has.
    async fn welcome(&self) -> Connected {
        let (socket, _) = tokio::time::timeout(PATIENCE, self.listener.accept()).await.expect("nobody came").unwrap();
        let mut connected = Connected(BufReader::new(self.acceptor.accept(socket).await.unwrap()));
        assert_eq!(connected.next().await, "CAP LS 302");
        connected.say(":s CAP * LS * :message-tags server-time account-tag batch").await;
        connected.say(":s CAP * LS :echo-message sasl=EXTERNAL,PLAIN").await;
        connected.until("CAP REQ :message-tags server-time account-tag echo-message sasl").await;
        connected.say(":s CAP * ACK :message-tags server-time account-tag echo-message sasl").await;
        connected.until("AUTHENTICATE PLAIN").await;
        connected.say("AUTHENTICATE +").await;
        // printf '\0agent\0hunter2' | base64
        connected.until("AUTHENTICATE AGFnZW50AGh1bnRlcjI=").await;
        connected.say(":s 903 agentbot :SASL authentication successful").await;
        connected.until("CAP END").await;
        connected.say(":s 001 agentbot :Welcome\r\n:s 376 agentbot :End of MOTD").await;
        connected.until("JOIN #lobby").await;
        connected
    }
}

impl Connected {
    async fn say(&mut self, line: &str) {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    async fn next(&mut self) -> String {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("the bridge says nothing");
        assert!(read.unwrap() > 0, "the bridge left");
        line.trim_end().to_owned()
    }

    async fn until(&mut self, wanted: &str) {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|line| line != wanted) {
            assert!(seen.len() < 10, "{wanted} is not among {seen:?}");
            seen.push(self.next().await);
        }
    }
}

struct Running {
    store: Arc<Store>,
    voice: Arc<IrcVoice>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<Result<(), String>>,
}

fn start(settings: IrcSettings, state: &std::path::Path) -> Running {
    let store = Arc::new(Store::open(state).unwrap());
    let mut irc = Irc::new(settings, store.clone(), Arc::new(SystemClock));
    let voice = irc.voice();
    let (stop, stopping) = watch::channel(false);
    let task = tokio::spawn(async move { keep(&mut irc, stopping).await });
    Running { store, voice, stop, task }
}

async fn kept(store: &Store, count: usize) -> Vec<BridgeMessage> {
    for _ in 0..2_000 {
        if store.waiting().unwrap() as usize >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut messages = Vec::new();
    while let Some(waiting) = store.due(Millis(u64::MAX / 2), 1).unwrap().pop() {
        messages.push(serde_json::from_slice(&waiting.body).unwrap());
        store.forget(waiting.seq).unwrap();
    }
    assert_eq!(messages.len(), count);
    messages
}

fn order(key: &str, reply_to: &str, text: &str) -> BridgeOrder {
    BridgeOrder::Send(BridgeText {
        key: key.to_owned(),
        chat: "#lobby".to_owned(),
        thread: None,
        reply_to: Some(reply_to.to_owned()),
        text: text.to_owned(),
    })
}

#[tokio::test]
async fn tags_tell_who_and_when_and_what_is_answered() {
    let server = Server::open().await;
    let running = start(server.settings(), &server.state());
    let mut connected = server.welcome().await;
    connected.say("@time=2026-11-21T00:05:36.011Z;msgid=m1;account=Ada :al!a@b PRIVMSG #lobby :agentbot: hi").await;
    let heard = kept(&running.store, 1).await.remove(0);
    assert_eq!((heard.id.as_str(), heard.ts_ms, heard.from.id.as_str()), ("m1", 1_795_219_536_011, "account:ada"));

    let typing = BridgeOrder::Typing { chat: "#lobby".to_owned(), thread: None };
    running.voice.obey(typing).await.unwrap();
    connected.until("@+typing=active TAGMSG #lobby").await;
    let voice = running.voice.clone();
    let said = tokio::spawn(async move { voice.obey(order("k", "m1", "one\n\ntwo")).await });
    assert_eq!(connected.next().await, "@+draft/reply=m1 PRIVMSG #lobby :one");
    assert_eq!(connected.next().await, "PRIVMSG #lobby :two");
    let asked = connected.next().await;
    // Only the server's answer to this very question counts.
    connected.say(":s PONG s :another").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!said.is_finished());
    connected.say(&format!(":s PONG s :{}", asked.strip_prefix("PING :").unwrap())).await;
    assert_eq!(said.await.unwrap().unwrap().unwrap().id, "k");

    // Our echo tells the id of what we said: a reply to it is meant for us.
    connected.say("@msgid=m2 :agentbot!a@b PRIVMSG #lobby :two").await;
    connected.say("@msgid=m3;+draft/reply=m2 :al!a@b PRIVMSG #lobby :why two?").await;
    let heard = kept(&running.store, 1).await.remove(0);
    assert_eq!((heard.mentions_bot, heard.reply_to.as_deref()), (true, Some("m2")));
    running.stop.send(true).unwrap();
    connected.until("QUIT :until later").await;
    assert_eq!(running.task.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn what_a_lost_connection_left_unconfirmed_is_said_again() {
    let server = Server::open().await;
    let running = start(server.settings(), &server.state());
    let mut connected = server.welcome().await;
    let voice = running.voice.clone();
    let said = tokio::spawn(async move { voice.obey(order("k", "local:1", "one\n\ntwo")).await });
    assert_eq!(connected.next().await, "PRIVMSG #lobby :one", "an id of our own is no tag");
    drop(connected);
    assert!(said.await.unwrap().is_err());
    let mut connected = server.welcome().await;
    let voice = running.voice.clone();
    let said = tokio::spawn(async move { voice.obey(order("k", "local:1", "one\n\ntwo")).await });
    connected.until("PRIVMSG #lobby :one").await;
    connected.until("PRIVMSG #lobby :two").await;
    let asked = connected.next().await;
    connected.say(&format!(":s PONG s :{}", asked.strip_prefix("PING :").unwrap())).await;
    assert_eq!(said.await.unwrap().unwrap().unwrap().id, "k");
}

#[tokio::test]
async fn a_server_nobody_vouches_for_gets_no_password() {
    let server = Server::open().await;
    let settings = IrcSettings { authorities: None, ..server.settings() };
    let store = Arc::new(Store::open(&server.state()).unwrap());
    let mut irc = Irc::new(settings, store, Arc::new(SystemClock));
    let (_stop, mut stopping) = watch::channel(false);
    let accept = async {
        let (socket, _) = server.listener.accept().await.unwrap();
        assert!(server.acceptor.accept(socket).await.is_err());
    };
    let (ended, ()) = tokio::join!(irc.hold(&mut stopping), accept);
    assert!(matches!(&ended, Ended::Lost { reason, worked: false } if reason.contains("TLS")), "{ended:?}");
}
