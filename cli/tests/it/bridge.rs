//! `chela bridge irc` as a process, between a real IRC server (ngIRCd, from `tools/bootstrap irc`) with people on it and a
//! gateway that is played here. What is posted is read, and orders are given, by the channel `bridge` itself.

mod gateway;
mod person;
mod process;
mod server;

use std::time::Duration;

use chela_core::channel::{Channel, OutboundPart, SendError};
use chela_core::message::{Inbound, ReplyAddress};

use self::gateway::Gateway;
use self::person::Person;
use self::process::Process;
use self::server::Server;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A network with ada on it and in #lobby, a gateway, and a bridge between them.
struct Scene {
    server: Server,
    gateway: Gateway,
    bridge: Process,
    ada: Person,
}

impl Scene {
    async fn set() -> Self {
        Self::set_with(&[]).await
    }

    async fn set_with(more: &[&str]) -> Self {
        let (server, gateway) = (Server::start().await, Gateway::open().await);
        let mut ada = Person::join(&server, "ada").await;
        let bridge = Process::start(&server, &gateway.url, more).await;
        ada.sees_join("agentbot").await;
        Self { server, gateway, bridge, ada }
    }
}

fn part<'p>(to: &'p ReplyAddress, key: &'p str, markdown: &'p str) -> OutboundPart<'p> {
    OutboundPart { to, number: 0, markdown, choices: &[], idempotency_key: key, timeout: PATIENCE }
}

fn lobby() -> ReplyAddress {
    ReplyAddress {
        channel: "bridge".to_owned(),
        account: "main".to_owned(),
        to: "#lobby".to_owned(),
        thread: None,
        message: None,
    }
}

fn texts(messages: &[Inbound]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}

/// Says it as the agent does: what is not sent is sent again under the same key.
async fn insist(channel: &dyn Channel, part: &OutboundPart<'_>) -> String {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        match channel.send(part).await {
            Ok(receipt) => return receipt.message_id,
            Err(SendError::NotSent { .. } | SendError::Unknown { .. }) => {
                assert!(tokio::time::Instant::now() < until, "it is never said");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn people_talk_with_the_agent_in_private_and_in_a_channel() {
    let Scene { gateway, bridge, mut ada, server: _server } = Scene::set().await;
    let channel = bridge.channel();
    let health = channel.health().await.unwrap();
    assert!(health.ok && health.summary.starts_with("connected to 127.0.0.1"), "{health:?}");

    ada.say("agentbot", "hello in private").await;
    let heard = gateway.next(&*channel, 1).await.remove(0);
    assert_eq!((heard.text.as_str(), heard.peer.id.as_str(), heard.addressed), ("hello in private", "nick:ada", true));
    let id = channel.send(&part(&heard.reply_to, "k1", "**hello** ada")).await.unwrap().message_id;
    assert_eq!(ada.hears("ada").await, "\u{2}hello\u{2} ada");

    for (text, wanted, addressed) in [
        ("agentbot: what is the status?", "what is the status?", true),
        ("AgentBot, and now?", "and now?", true),
        ("robots are no agentbots", "robots are no agentbots", false),
        ("\u{1}ACTION waves at agentbot\u{1}", "* ada waves at agentbot", true),
    ] {
        ada.say("#lobby", text).await;
        let heard = gateway.next(&*channel, 1).await.remove(0);
        assert_eq!((heard.text.as_str(), heard.peer.id.as_str(), heard.addressed), (wanted, "#lobby", addressed));
    }
    ada.write("NOTICE agentbot :an automatic answer").await;
    ada.say("agentbot", "\u{1}VERSION\u{1}").await;

    // A repetition is answered as before, and said once; another key is another answer.
    assert_eq!(channel.send(&part(&heard.reply_to, "k1", "**hello** ada")).await.unwrap().message_id, id);
    channel.typing(&heard.reply_to).await.unwrap();
    channel.send(&part(&lobby(), "k2", "to all\n\n- one\n- two")).await.unwrap();
    assert_eq!(
        [ada.hears("#lobby").await, ada.hears("#lobby").await, ada.hears("#lobby").await],
        ["to all", "• one", "• two"]
    );

    // Whom the server does not know is refused for good.
    let nobody = ReplyAddress { to: "nobody".to_owned(), ..lobby() };
    let refused = channel.send(&part(&nobody, "k3", "hello?")).await.unwrap_err();
    assert!(matches!(refused, SendError::Refused { .. }), "{refused}");
    ada.say("agentbot", "the end").await;
    assert_eq!(texts(&gateway.next(&*channel, 1).await), ["the end"], "neither NOTICE nor CTCP was heard");
    ada.is_silent().await;
}

#[tokio::test]
async fn a_long_answer_comes_in_lines_that_the_server_takes() {
    let Scene { gateway, bridge, mut ada, server: _server } = Scene::set_with(&["--burst", "30"]).await;
    let channel = bridge.channel();
    let words: Vec<String> = (0..300).map(|at| format!("wörd{at}😀")).collect();
    let text = words.join(" ");
    let code = "```\nfn main() {\n    run();\n}\n```";
    channel.send(&part(&lobby(), "k", &format!("{text}\n\n{code}"))).await.unwrap();
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| line != "\u{11}}\u{11}") {
        lines.push(ada.hears("#lobby").await);
    }
    assert!(lines.len() > 10, "{lines:?}");
    assert!(lines.iter().all(|line| line.len() < 450), "{lines:?}");
    assert_eq!(lines[..lines.len() - 3].join(" "), text);
    assert_eq!(lines[lines.len() - 3..].join("\n").replace('\u{11}', ""), "fn main() {\n    run();\n}");
    // ngIRCd ends a connection that sends a line of more than 512 bytes: ours still stands.
    ada.say("agentbot", "still there?").await;
    assert_eq!(texts(&gateway.next(&*channel, 1).await), ["still there?"]);
}

#[tokio::test]
async fn a_taken_nick_and_a_servers_password_are_no_obstacle() {
    let server = Server::start_with_password("server-password").await;
    let gateway = Gateway::open().await;
    let mut squatter = Person::join(&server, "agentbot").await;
    let bridge = Process::start_with(&server, &gateway.url, &[], "IRC_SERVER_PASSWORD=server-password\n").await;
    squatter.sees_join("agentbot_").await;
    squatter.say("#lobby", "agentbot_: hi").await;
    squatter.say("#lobby", "agentbot: hi me").await;
    let heard = gateway.next(&*bridge.channel(), 2).await;
    assert_eq!((texts(&heard), heard[0].addressed, heard[1].addressed), (vec!["hi", "agentbot: hi me"], true, false));
}

#[tokio::test]
async fn a_server_that_restarts_is_joined_again() {
    let Scene { mut server, gateway, bridge, .. } = Scene::set().await;
    let channel = bridge.channel();
    server.kill();
    // Nothing is said while nobody is there, and the agent is told so.
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let unsaid = channel.send(&part(&lobby(), "k", "after the storm")).await;
        match unsaid {
            Err(SendError::NotSent { .. }) => break,
            Err(SendError::Unknown { .. }) => assert!(tokio::time::Instant::now() < until),
            other => panic!("{other:?}"),
        }
    }
    assert!(!channel.health().await.unwrap().ok);
    server.restart().await;
    let mut ada = Person::join(&server, "ada").await;
    ada.sees_or_finds("agentbot").await;
    assert!(!insist(&*channel, &part(&lobby(), "k", "after the storm")).await.is_empty());
    assert_eq!(ada.hears("#lobby").await, "after the storm");
    ada.say("agentbot", "welcome back").await;
    assert_eq!(texts(&gateway.next(&*channel, 1).await), ["welcome back"]);
}

#[tokio::test]
async fn a_bridge_that_is_killed_before_the_acknowledgement_posts_the_same_message_again() {
    let Scene { gateway, mut bridge, mut ada, server: _server } = Scene::set().await;
    gateway.hangs();
    ada.say("agentbot", "remember me").await;
    let first = gateway.next(&*bridge.channel(), 1).await.remove(0);
    bridge.kill();
    ada.sees_quit("agentbot").await;
    gateway.answers(200);
    bridge.restart().await;
    ada.sees_join("agentbot").await;
    ada.say("agentbot", "and me").await;
    let again = gateway.next(&*bridge.channel(), 2).await;
    assert_eq!(again[0], first, "the same message under the same id");
    assert_eq!(texts(&again), ["remember me", "and me"], "in their order");
    assert_eq!(bridge.stop().await, "exit status: 0");
    bridge.restart().await;
    ada.sees_join("agentbot").await;
    gateway.is_silent(&*bridge.channel()).await;
}

#[tokio::test]
async fn a_gateway_that_is_away_loses_nothing() {
    let server = Server::start().await;
    let gateway = Gateway::reserved().await;
    let mut ada = Person::join(&server, "ada").await;
    let bridge = Process::start(&server, &gateway.url, &[]).await;
    ada.sees_join("agentbot").await;
    for number in 0..5 {
        ada.say("agentbot", &format!("private {number}")).await;
        ada.say("#lobby", &format!("public {number}")).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    // It comes back broken, and refuses one message for good.
    gateway.answers(503);
    let gateway = gateway.come().await;
    gateway.next(&*bridge.channel(), 2).await;
    gateway.refuses("public 2");
    gateway.answers(200);
    let mut heard = gateway.taken(&*bridge.channel(), 9).await;
    heard.sort_by_key(|message| message.peer.id.clone());
    let public: Vec<String> = [0, 1, 3, 4].iter().map(|number| format!("public {number}")).collect();
    let private: Vec<String> = (0..5).map(|number| format!("private {number}")).collect();
    assert_eq!(texts(&heard), public.iter().chain(&private).collect::<Vec<_>>(), "in the order of each chat");
    gateway.is_silent(&*bridge.channel()).await;
}

#[tokio::test]
async fn an_answer_goes_on_where_a_killed_bridge_left_it_and_its_key_outlives_it() {
    let Scene { mut bridge, mut ada, server: _server, .. } = Scene::set_with(&["--burst", "1", "--every", "150"]).await;
    let lines: Vec<String> = (0..8).map(|at| format!("line {at}")).collect();
    let text = lines.join("\n\n");
    let (channel, order) = (bridge.channel(), text.clone());
    let unfinished = tokio::spawn(async move { channel.send(&part(&lobby(), "k", &order)).await });
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.push(ada.hears("#lobby").await);
    }
    bridge.kill();
    let lost = unfinished.await.unwrap();
    assert!(matches!(lost, Err(SendError::Unknown { .. })), "{lost:?}");
    heard.extend(ada.sees_quit("agentbot").await);
    bridge.restart().await;
    ada.sees_join("agentbot").await;
    let id = insist(&*bridge.channel(), &part(&lobby(), "k", &text)).await;
    while heard.last() != lines.last() {
        heard.push(ada.hears("#lobby").await);
    }
    // The line that was written while the process died may stand twice; none is lost, and nothing begins anew.
    let written = heard.len();
    heard.dedup();
    assert_eq!(heard, lines);
    assert!(written <= lines.len() + 1, "{written} lines");
    assert_eq!(bridge.stop().await, "exit status: 0");
    bridge.restart().await;
    ada.sees_join("agentbot").await;
    assert_eq!(insist(&*bridge.channel(), &part(&lobby(), "k", &text)).await, id);
    ada.is_silent().await;
}

#[test]
fn what_cannot_work_is_said_at_once_and_shows_no_secret() {
    let state = tempfile::tempdir().unwrap();
    let state = state.path().to_str().unwrap();
    let run = |arguments: &[&str], secrets: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chela"));
        command.arg("bridge").args(arguments).env_clear().envs(secrets.iter().copied());
        let output = command.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let irc = |more: &[&'static str], secrets: &[(&str, &str)]| {
        let base =
            ["irc", "--server", "irc.example", "--nick", "bot", "--to", "http://127.0.0.1:9/x", "--state", state];
        run(&[base.as_slice(), more].concat(), secrets)
    };
    let good = ("BRIDGE_SECRET", "0123456789abcdef");
    assert!(irc(&[], &[]).contains("BRIDGE_SECRET is missing"));
    assert!(irc(&[], &[("BRIDGE_SECRET", "hunter2")]).contains("openssl rand"));
    assert!(irc(&["--account", "bot"], &[good]).contains("IRC_PASSWORD"));
    assert!(irc(&["--channel", "#a,#b"], &[good]).contains("#a,#b"));
    let clear = irc(&["--plain", "--account", "bot"], &[good, ("IRC_PASSWORD", "hunter2")]);
    assert!(clear.contains("in the clear") && !clear.contains("hunter2"), "{clear}");
    let discord = run(&["discord", "--to", "http://127.0.0.1:9/x", "--state", state], &[good]);
    assert!(discord.contains("DISCORD_BOT_TOKEN"), "{discord}");
}
