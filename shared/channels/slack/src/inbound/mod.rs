//! Verified bodies to [`Inbound`]s. What came is told by the body alone: the media type is not signed, and JSON
//! begins with `{` where a form never does.

mod events;
mod forms;
mod text;

use chela_core::channel::{Ack, Parsed, RawRequest, Rejected};
use chela_core::clock::Millis;
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};

use crate::settings::{ReplyToMode, Settings};

pub(crate) use forms::{SSL_CHECK, is_ssl_check};

/// Reads a verified request for `account`.
pub(crate) fn parse(account: &str, settings: &Settings, request: &RawRequest) -> Result<Parsed, Rejected> {
    let reader = Reader { account, settings };
    let messages = match request.body.trim_ascii_start().first() {
        Some(b'{') => match events::read(&reader, &request.body)? {
            events::Callback::Handshake(challenge) => {
                let ack = Ack::json(&serde_json::json!({ "challenge": challenge }));
                return Ok(Parsed::answered(ack));
            }
            events::Callback::Message(message) => message.map(|message| *message).into_iter().collect(),
        },
        _ => forms::read(&reader, request)?,
    };
    let unnamed = |message: &Inbound| {
        [&message.event_id, &message.peer.id, &message.sender.id, &message.reply_to.to].iter().any(|id| id.is_empty())
    };
    if messages.iter().any(unnamed) {
        return Err(Rejected::Malformed("an id is empty"));
    }
    // Slack takes any 200 for events and forms alike; an empty one shows nothing to the person.
    Ok(Parsed::said(messages, Ack::empty()))
}

/// One account's view of what comes in.
struct Reader<'a> {
    account: &'a str,
    settings: &'a Settings,
}

/// What all kinds of events have in common once they are read.
struct Arrived<'a> {
    event_id: String,
    team: Option<String>,
    peer: Peer,
    channel: &'a str,
    thread: Thread,
    sender: Sender,
    text: String,
    kind: InboundKind,
    addressed: bool,
    media: Vec<Media>,
    sent_at: Millis,
    answers: Option<String>,
}

impl Reader<'_> {
    fn inbound(&self, arrived: Arrived<'_>) -> Inbound {
        Inbound {
            // As `chat.postMessage` names its own, see `WebApi::post`.
            message_id: arrived.answers.as_ref().map(|ts| format!("{}:{ts}", arrived.channel)),
            channel: crate::ID.to_owned(),
            account: self.account.to_owned(),
            event_id: arrived.event_id,
            peer: arrived.peer,
            parent_peer: None,
            thread: arrived.thread.session,
            sender: arrived.sender,
            text: arrived.text,
            kind: arrived.kind,
            addressed: arrived.addressed,
            media: arrived.media,
            guild: None,
            team: arrived.team,
            roles: Vec::new(),
            sent_at: arrived.sent_at,
            reply_to: ReplyAddress {
                channel: crate::ID.to_owned(),
                account: self.account.to_owned(),
                to: arrived.channel.to_owned(),
                thread: arrived.thread.reply,
                message: arrived.answers,
            },
        }
    }

    /// Where a message belongs and where its answer goes, by OpenClaw's rules: a room's thread is a conversation of
    /// its own, and so is a message that will be answered in one; in a direct message only the threads of Slack's
    /// assistant views are, while an ordinary thread is just where the answer is shown.
    fn thread(&self, kind: PeerKind, ts: &str, thread_ts: Option<&str>, assistant: bool) -> Thread {
        let inside = thread_ts.filter(|thread| *thread != ts);
        let root = inside.unwrap_or(ts).to_owned();
        let opens = self.settings.reply_to_mode(kind) != ReplyToMode::Off;
        match (kind, inside) {
            (PeerKind::Direct, _) if assistant => Thread { session: Some(root.clone()), reply: Some(root) },
            (PeerKind::Direct, inside) => Thread { session: None, reply: (inside.is_some() || opens).then_some(root) },
            (_, None) if !opens => Thread::default(),
            _ => Thread { session: Some(root.clone()), reply: Some(root) },
        }
    }
}

/// The threads of a message: the one that names its session and the one its answer goes to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Thread {
    session: Option<String>,
    reply: Option<String>,
}

/// The room or human of a conversation. `kind` is Slack's `channel_type`. Without one a `D…` id is a direct
/// message and everything else counts as a channel: ids of group DMs begin with `C` like those of channels.
fn peer(channel: &str, kind: Option<&str>, user: &str) -> Peer {
    // `app_home` is the messages tab of the app: a direct message.
    if channel.starts_with('D') || matches!(kind, Some("im" | "app_home")) {
        return Peer { kind: PeerKind::Direct, id: user.to_owned() };
    }
    let kind = if kind == Some("mpim") { PeerKind::Group } else { PeerKind::Channel };
    Peer { kind, id: channel.to_owned() }
}

/// Slack's timestamps are seconds with six decimals, the decimals making them unique in a conversation.
fn millis(ts: &str) -> Millis {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, ""));
    let seconds: u64 = seconds.parse().unwrap_or(0);
    let thousandths: u64 = format!("{fraction:0<3}").get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    Millis(seconds.saturating_mul(1000).saturating_add(thousandths))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(
        mode: &str,
        kind: PeerKind,
        thread_ts: Option<&str>,
        assistant: bool,
    ) -> (Option<String>, Option<String>) {
        let settings = Settings::read(serde_json::json!({ "replyToMode": mode }).as_object().unwrap()).unwrap();
        let thread = Reader { account: "default", settings: &settings }.thread(kind, "2.0", thread_ts, assistant);
        (thread.session, thread.reply)
    }

    #[test]
    fn a_room_thread_is_its_own_conversation() {
        for mode in ["off", "all"] {
            let inside = thread(mode, PeerKind::Channel, Some("1.0"), false);
            assert_eq!(inside, (Some("1.0".into()), Some("1.0".into())), "{mode}");
        }
    }

    #[test]
    fn a_message_answered_in_a_thread_opens_the_thread_it_will_be_in() {
        let opened = (Some("2.0".into()), Some("2.0".into()));
        assert_eq!(thread("all", PeerKind::Channel, None, false), opened);
        assert_eq!(thread("first", PeerKind::Group, None, false), opened);
        assert_eq!(thread("off", PeerKind::Channel, None, false), (None, None));
        // A root that has replies already carries its own ts as thread_ts.
        assert_eq!(thread("off", PeerKind::Channel, Some("2.0"), false), (None, None));
    }

    #[test]
    fn a_thread_in_a_direct_message_is_only_where_the_answer_is_shown() {
        assert_eq!(thread("off", PeerKind::Direct, Some("1.0"), false), (None, Some("1.0".into())));
        assert_eq!(thread("all", PeerKind::Direct, None, false), (None, Some("2.0".into())));
        assert_eq!(thread("off", PeerKind::Direct, None, false), (None, None));
    }

    #[test]
    fn an_assistant_thread_is_its_own_conversation() {
        let inside = thread("off", PeerKind::Direct, Some("1.0"), true);
        assert_eq!(inside, (Some("1.0".into()), Some("1.0".into())));
        let root = thread("off", PeerKind::Direct, None, true);
        assert_eq!(root, (Some("2.0".into()), Some("2.0".into())));
    }

    #[test]
    fn times_are_read_to_the_millisecond() {
        let cases = [("1767377001.319859", 1_767_377_001_319), ("7", 7000), ("7.5", 7500), ("x.y", 0), ("", 0)];
        for (ts, expected) in cases {
            assert_eq!(millis(ts), Millis(expected), "{ts}");
        }
    }
}
