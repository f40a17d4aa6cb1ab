use std::sync::Mutex;

use chela_core::agent_id::AgentId;
use chela_core::clock::Millis;
use chela_core::message::ChannelId;
use chela_core::post::Post;
use chela_core::purse::Shut;
use chela_core::session_key::SessionKey;
use chela_embedded::Embedded;
use chela_testkit::clock::ManualClock;

use super::*;

/// A post that keeps what it was told to do.
#[derive(Default)]
struct Letters {
    sent: Mutex<Vec<(ReplyAddress, Errand, String, bool)>>,
    fails: Mutex<Option<Undone>>,
}

#[async_trait]
impl Post for Letters {
    fn accounts(&self) -> Vec<(ChannelId, String)> {
        vec![("slack".into(), "work".into()), ("telegram".into(), "default".into())]
    }

    fn answered(&self) -> Option<String> {
        Some("42".into())
    }

    async fn run(&self, to: &ReplyAddress, errand: &Errand, key: &str, again: bool) -> Result<Vec<String>, Undone> {
        self.sent.lock().unwrap().push((to.clone(), errand.clone(), key.to_owned(), again));
        self.fails.lock().unwrap().take().map_or_else(|| Ok(vec!["321".into(), "322".into()]), Err)
    }
}

fn telegram(to: &str, thread: Option<&str>) -> ReplyAddress {
    ReplyAddress {
        channel: "telegram".into(),
        account: "default".into(),
        to: to.into(),
        thread: thread.map(str::to_owned),
        message: None,
    }
}

/// The owner in chat 7, in answer to message 42.
fn owner() -> Caller {
    let here = ReplyAddress { message: Some("42".into()), ..telegram("7", None) };
    Caller { authority: Authority::Owner, senders: vec!["7".into()], reply_to: Some(here), ..Caller::default() }
}

fn guest() -> Caller {
    Caller { authority: Authority::Guest, ..owner() }
}

fn tool() -> Message {
    Message { allow: vec![telegram("-100", None)] }
}

async fn run(caller: &Caller, input: Value, letters: &Letters) -> ToolAnswer {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), std::sync::Arc::new(ManualClock::at(Millis(1)))).unwrap();
    let call = ToolCall {
        input: &input,
        idempotency_key: "key",
        again: false,
        agent: &AgentId::new("main"),
        session: &SessionKey::from_stored("agent:main:main"),
        caller,
        files: store.blobs.as_ref(),
        sessions: store.sessions.as_ref(),
        directory: store.sessions.as_ref(),
        queue: store.queue.as_ref(),
        post: letters,
        purse: &Shut,
        clock: &ManualClock::at(Millis(1)),
        status: &json!({}),
    };
    tool().run(call).await
}

/// What was done, if the call was carried out.
async fn does(caller: &Caller, input: Value) -> Result<(ReplyAddress, Errand), String> {
    let letters = Letters::default();
    let ToolAnswer { text, is_error, .. } = run(caller, input, &letters).await;
    let mut sent = letters.sent.into_inner().unwrap();
    assert_eq!(sent.is_empty(), is_error, "{text}");
    sent.pop().map(|(to, errand, _, _)| (to, errand)).ok_or(text)
}

#[tokio::test]
async fn without_a_place_it_is_the_conversation_of_the_turn_and_its_ids_are_named() {
    let letters = Letters::default();
    let answer = run(&owner(), json!({"action": "send", "text": "hi"}), &letters).await;
    assert_eq!(answer, ToolAnswer::ok(r#"{"sent":true,"to":"telegram 7 (default)","messageIds":["321","322"]}"#));
    let said = Errand::Say { text: "hi".into(), file: None };
    assert_eq!(*letters.sent.lock().unwrap(), [(owner().reply_to.unwrap(), said, "key".to_owned(), false)]);
    let same = json!({"action": "send", "text": "hi", "channel": "telegram", "to": "7"});
    assert_eq!(does(&owner(), same).await.unwrap().0, owner().reply_to.unwrap());
}

#[tokio::test]
async fn every_action_is_what_it_says() {
    let errand = async |input: Value| does(&owner(), input).await.unwrap().1;
    let (message, pinned) = ("9".to_owned(), true);
    assert_eq!(
        errand(json!({"action": "react", "emoji": "👍"})).await,
        Errand::React { message: "42".into(), emoji: "👍".into() }
    );
    assert_eq!(
        errand(json!({"action": "edit", "messageId": "9", "text": "x"})).await,
        Errand::Edit { message: message.clone(), text: "x".into() }
    );
    assert_eq!(
        errand(json!({"action": "delete", "messageId": "9"})).await,
        Errand::Delete { message: message.clone() }
    );
    assert_eq!(
        errand(json!({"action": "pin", "messageId": "9"})).await,
        Errand::Pin { message: message.clone(), pinned }
    );
    assert_eq!(errand(json!({"action": "unpin"})).await, Errand::Pin { message: "42".into(), pinned: false });
    assert_eq!(
        errand(json!({"action": "thread", "text": "Plans", "messageId": "9"})).await,
        Errand::Open { name: "Plans".into(), message: Some(message) }
    );
    let poll = Poll { question: "Lunch?".into(), options: vec!["Pizza".into(), "Ramen".into()], multiple: true };
    assert_eq!(
        errand(json!({"action": "poll", "text": "Lunch?", "options": ["Pizza", "Ramen"], "multiple": true})).await,
        Errand::Ask(poll)
    );
    let (to, _) = does(&owner(), json!({"action": "send", "file": "a.png", "replyTo": "12"})).await.unwrap();
    assert_eq!(to.message.as_deref(), Some("12"));
}

/// Channels take it for granted that what is answered stands where it is answered.
#[tokio::test]
async fn only_what_is_sent_answers_another_message() {
    for action in ["react", "edit", "delete", "poll", "pin", "unpin", "thread"] {
        let input = json!({
            "action": action, "text": "x", "messageId": "12", "replyTo": "12", "emoji": "👍", "options": ["a", "b"],
        });
        let (to, _) = does(&owner(), input).await.unwrap();
        assert_eq!(to, owner().reply_to.unwrap(), "{action}");
    }
}

#[test]
fn i03_a_new_recipient_is_the_owners_to_decide_who_sees_all_of_it() {
    let consent = |input: Value, caller: &Caller| tool().consent(&input, caller);
    let letter = json!({"action": "send", "channel": "telegram", "to": "+4470", "text": "one\nto: 7\u{202e}"});
    let asked = consent(letter.clone(), &owner()).unwrap();
    assert_eq!(asked.shown, "do: send\nto: telegram +4470 (default)\n| one\n| to: 7\\u{202e}");
    assert_eq!(asked.programs, None, "no list of commands lets it pass");
    // A thread, an account and a channel are places of their own.
    for (key, value) in [("thread", "5"), ("account", "work"), ("channel", "slack")] {
        let mut elsewhere = json!({"action": "send", "to": "7", "text": "x"});
        elsewhere[key] = json!(value);
        assert!(consent(elsewhere, &owner()).is_some(), "{key}");
    }
    for action in ["react", "edit", "delete", "poll", "pin", "unpin", "thread"] {
        let there =
            json!({"action": action, "to": "8", "text": "x", "messageId": "1", "emoji": "👍", "options": ["a", "b"]});
        assert!(consent(there, &owner()).is_some(), "{action}");
    }
    // Nobody is there to speak for: a schedule, a sub-agent.
    let house = ReplyAddress { channel: relay::CHANNEL.into(), ..telegram("agent:main:main", None) };
    let child = Caller { depth: 1, reply_to: Some(house), ..owner() };
    assert!(consent(letter.clone(), &child).is_some());
    assert!(consent(letter, &Caller { reply_to: None, senders: vec![], ..owner() }).is_some());
}

#[test]
fn here_and_where_the_owner_listed_nobody_is_asked() {
    let consent = |input: Value, caller: &Caller| tool().consent(&input, caller);
    assert_eq!(consent(json!({"action": "send", "text": "x"}), &owner()), None);
    assert_eq!(consent(json!({"action": "send", "text": "x", "to": "7"}), &owner()), None);
    assert_eq!(consent(json!({"action": "send", "text": "x", "to": "-100"}), &owner()), None);
    assert!(consent(json!({"action": "send", "text": "x", "to": "-100", "thread": "5"}), &owner()).is_some());
    assert_eq!(consent(json!({"action": "send"}), &owner()), None, "what cannot be done is nobody's question");
}

#[tokio::test]
async fn a_guest_writes_where_he_is_and_takes_nothing_from_others() {
    for input in [
        json!({"action": "send", "text": "x"}),
        json!({"action": "react", "emoji": "👍"}),
        json!({"action": "poll", "text": "?", "options": ["a", "b"]}),
    ] {
        does(&guest(), input).await.unwrap();
    }
    for input in [
        json!({"action": "send", "text": "x", "to": "8"}),
        json!({"action": "send", "text": "x", "to": "-100"}),
        json!({"action": "send", "text": "x", "thread": "5"}),
        json!({"action": "edit", "text": "x", "messageId": "9"}),
        json!({"action": "delete", "messageId": "9"}),
        json!({"action": "pin", "messageId": "9"}),
        json!({"action": "thread", "text": "x"}),
    ] {
        assert_eq!(tool().consent(&input, &guest()), None, "nobody is asked for a guest");
        assert!(does(&guest(), input.clone()).await.unwrap_err().contains("not your owner"), "{input}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_said_and_nothing_is_done() {
    let long = "x".repeat(TEXT_MAX + 1);
    for (input, why) in [
        (json!({"action": "shout"}), "do not fit"),
        (json!({"action": "send", "text": "x", "too": "7"}), "do not fit"),
        (json!({"action": "send", "text": "  "}), "nothing to send"),
        (json!({"action": "send", "text": long}), "longer than"),
        (json!({"action": "send", "text": "x", "to": "a\nb"}), "to must be one line"),
        (json!({"action": "send", "text": "x", "channel": ""}), "channel must be one line"),
        (json!({"action": "send", "text": "x", "channel": "slack"}), "Say to whom"),
        (json!({"action": "edit", "text": "x"}), "messageId"),
        (json!({"action": "delete"}), "messageId"),
        (json!({"action": "react"}), "emoji"),
        (json!({"action": "poll", "text": "?", "options": ["a"]}), "2 to 10 options"),
        (json!({"action": "poll", "text": "?", "options": ["a", "x".repeat(56)]}), "2 to 10 options"),
    ] {
        let said = does(&owner(), input.clone()).await.unwrap_err();
        assert!(said.contains(why), "{input}: {said}");
    }
    let nowhere = Caller { reply_to: None, ..owner() };
    assert!(does(&nowhere, json!({"action": "send", "text": "x"})).await.unwrap_err().contains("channel and to"));
    let elsewhere = json!({"action": "react", "emoji": "👍", "to": "8"});
    assert!(does(&owner(), elsewhere).await.unwrap_err().contains("messageId"), "42 stands here, not there");
}

#[tokio::test]
async fn a_failure_says_what_became_of_it() {
    let refused = |channel| SendError::Refused { channel, reason: "no".into() };
    for (error, ids, wanted) in [
        (refused("telegram"), vec![], "will not be if tried again"),
        (refused("none"), vec![], "There are: slack (work), telegram (default)."),
        (SendError::Unknown { channel: "telegram", reason: "reset".into() }, vec![], OUTCOME_UNKNOWN),
        (SendError::NotSent { channel: "telegram", reason: "dns".into() }, vec!["5".to_owned()], "as messages 5."),
    ] {
        let letters = Letters { fails: Mutex::new(Some(Undone { ids, error })), ..Letters::default() };
        let answer = run(&owner(), json!({"action": "send", "text": "x"}), &letters).await;
        assert!(answer.is_error && answer.text.contains(wanted), "{}", answer.text);
    }
}
