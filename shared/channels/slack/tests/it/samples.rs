//! What becomes of the bodies in `events/`, and of bodies that are not there.

use crate::account::{BOT, open, posted, receive, samples};
use chela_core::channel::{Parsed, Rejected};
use chela_core::message::Inbound;
use chela_testkit::laws::channel::line;
use serde_json::{Value, json};

fn read(name: &str) -> Parsed {
    let (_, body) = samples().into_iter().find(|(sample, _)| sample == name).expect(name);
    receive(&*open(json!({}), &[]), body).expect(name)
}

#[test]
fn every_sample_reads_as_it_says() {
    let channel = open(json!({}), &[]);
    let mut lines = String::new();
    for (name, body) in samples() {
        lines += &format!("{name}\n");
        for message in receive(&*channel, body).expect(&name).messages {
            lines += &format!("  {}\n", line(&message));
        }
    }
    insta::assert_snapshot!(lines, @r#"
    app-mention.json
      T024BE7LD:C024BE91L:1766458026.240809 channel:C024BE91L team:T024BE7LD from U2147483697 to us "hi, see [this page](https://example.com/a?b=1&c=2)" @1766458026240 -> C024BE91L/-/1766458026.240809
    block-actions.form
      T024BE7LD:C024BE91L:1766458060.000200:approve:1766458070.987654 button channel:C024BE91L #1766458030.240809 team:T024BE7LD from U2147483697 (ada) to us "/approve 42" @1766458070987 -> C024BE91L/1766458030.240809/1766458060.000200
    channel-created.json
    channel-join.json
    message-assistant.json
      T024BE7LD:D0PNCRP9N:1767377105.000400 direct:U2147483697 #1767377100.000100 team:T024BE7LD from U2147483697 to us "What can you do?" @1767377105000 -> D0PNCRP9N/1767377100.000100/1767377105.000400
    message-changed.json
      T024BE7LD:D0PNCRP9N:1767377001.319859:edit:1767377030.000000 edited direct:U2147483697 team:T024BE7LD from U2147483697 to us "Hey, everyone!" @1767377030000 -> D0PNCRP9N/-/1767377001.319859
    message-channel.json
      T024BE7LD:C024BE91L:1766458040.000300 channel:C024BE91L team:T024BE7LD from U2147483697 "Nobody in particular: lunch?" @1766458040000 -> C024BE91L/-/1766458040.000300
    message-file-share.json
      T024BE7LD:D0PNCRP9N:1767377200.004500 direct:U2147483697 team:T024BE7LD from U2147483697 to us "" +https://files.slack.com/files-pri/T024BE7LD-F0TD00400/download/receipt.png[image/png receipt.png 52133] +F0TD00401[] @1767377200004 -> D0PNCRP9N/-/1767377200.004500
    message-im-thread.json
      T024BE7LD:D0PNCRP9N:1767377060.104729 direct:U2147483697 team:T024BE7LD from U2147483697 to us "And in a thread?" @1767377060104 -> D0PNCRP9N/1767377005.000200/1767377060.104729
    message-mpim.json
      T024BE7LD:C0GROUPDM:1766458200.000800 group:C0GROUPDM team:T024BE7LD from U2147483697 to us "All three of us:" @1766458200000 -> C0GROUPDM/-/1766458200.000800
    message-private.json
      T024BE7LD:G024BE92M:1766458100.000700 channel:G024BE92M team:T024BE7LD from U2147483697 to us "remind <@U0G9QF9C6> in #general" @1766458100000 -> G024BE92M/-/1766458100.000700
    message-thread-reply.json
      T024BE7LD:C024BE91L:1766458051.859009 channel:C024BE91L #1766458030.240809 team:T024BE7LD from U2147483697 to us "Thanks. And tomorrow?" @1766458051859 -> C024BE91L/1766458030.240809/1766458051.859009
    message-unfurled.json
    other-bot.json
    own-echo.json
    slackbot.json
    slash-command.form
      T024BE7LD:command:13345224609.738474920.8088930838d88f008e0 channel:C024BE91L team:T024BE7LD from U2147483697 (ada) to us "what is on today?" @1767225600000 -> C024BE91L/-/-
    slash-native.form
      T024BE7LD:command:13345224610.738474920.8088930838d88f008e1 command direct:U2147483697 team:T024BE7LD from U2147483697 (ada) to us "/status" @1767225600000 -> U2147483697/-/-
    text.json
      T024BE7LD:D0PNCRP9N:1767377001.319859 direct:U2147483697 team:T024BE7LD from U2147483697 to us "Hey! Is 3 < 5 && 5 > 4? ✨" @1767377001319 -> D0PNCRP9N/-/1767377001.319859
    url-verification.json
    view-submission.form
    "#);
}

#[test]
fn a_mention_is_one_message_although_slack_sends_it_twice() {
    let (_, mention) = samples().into_iter().find(|(name, _)| name == "app-mention.json").unwrap();
    let mut message: Value = serde_json::from_slice(&mention).unwrap();
    message["event_id"] = json!("Ev0ANOTHER");
    message["event"]["type"] = json!("message");
    for kind in ["channel", "group"] {
        message["event"]["channel_type"] = json!(kind);
        let channel = open(json!({}), &[]);
        let [mention, message] = [receive(&*channel, &mention), receive(&*channel, message.to_string())];
        assert_eq!(mention.unwrap().messages, message.unwrap().messages, "{kind}");
    }
}

#[test]
fn a_message_can_be_reacted_to_and_a_command_cannot() {
    let id = |name| read(name).messages.remove(0).message_id;
    assert_eq!(id("text.json").as_deref(), Some("D0PNCRP9N:1767377001.319859"));
    assert_eq!(id("message-changed.json").as_deref(), Some("D0PNCRP9N:1767377001.319859"));
    assert_eq!(id("block-actions.form").as_deref(), Some("C024BE91L:1766458060.000200"));
    assert_eq!(id("slash-command.form"), None);
}

#[test]
fn an_edit_is_another_event_than_its_message() {
    let message = read("text.json").messages[0].event_key();
    let edit = read("message-changed.json").messages[0].event_key();
    assert_ne!(message, edit);
}

#[test]
fn a_certificate_check_is_answered_and_nothing_else() {
    let unsigned = chela_core::channel::RawRequest {
        headers: http::HeaderMap::new(),
        ..posted(b"ssl_check=1&token=x&command=%2Fchela&text=hi&trigger_id=1&user_id=U1&channel_id=D1")
    };
    let channel = open(json!({}), &[]);
    let verified = channel.verify(unsigned).unwrap();
    assert_eq!(channel.parse(&verified), Ok(Parsed::nothing()));
}

/// An event of the Events API around `event`.
fn callback(event: &Value) -> String {
    json!({
        "type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": event,
        "authorizations": [{ "team_id": "T1", "user_id": BOT, "is_bot": true }],
    })
    .to_string()
}

fn message(extra: Value) -> Vec<Inbound> {
    let mut event = json!({ "type": "message", "channel": "C1", "channel_type": "channel", "user": "U1", "text": "hi", "ts": "5.000100" });
    event.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    receive(&*open(json!({}), &[]), callback(&event)).unwrap().messages
}

#[test]
fn bots_and_messages_about_the_channel_are_not_heard() {
    let unheard = [
        json!({ "user": BOT }),
        json!({ "bot_id": "B1" }),
        json!({ "user": "USLACK" }),
        json!({ "user": "USLACKBOT" }),
        json!({ "user": null }),
        json!({ "subtype": "channel_topic" }),
        json!({ "subtype": "message_deleted" }),
        json!({ "subtype": "message_replied" }),
        json!({ "text": "" }),
        json!({ "text": null }),
    ];
    for extra in unheard {
        assert_eq!(message(extra.clone()), [], "{extra}");
    }
    for subtype in ["file_share", "thread_broadcast", "me_message"] {
        assert_eq!(message(json!({ "subtype": subtype })).len(), 1, "{subtype}");
    }
}

#[test]
fn only_what_is_said_to_us_counts_as_addressed() {
    let addressed = |extra| message(extra)[0].addressed;
    assert!(!addressed(json!({})));
    assert!(!addressed(json!({ "text": "<@U2> hi" })));
    assert!(!addressed(json!({ "thread_ts": "4.000100", "parent_user_id": "U2" })));
    assert!(addressed(json!({ "thread_ts": "4.000100", "parent_user_id": BOT })));
    assert!(addressed(json!({ "text": format!("<@{BOT}>") })));
    assert!(addressed(json!({ "type": "app_mention", "channel_type": null })));
    assert!(addressed(json!({ "channel": "D1", "channel_type": "im" })));
}

#[test]
fn nobody_is_answered_where_our_bot_is_unknown() {
    let event = json!({ "type": "message", "channel": "C1", "user": "U1", "text": "hi", "ts": "5.000100" });
    let body = json!({ "type": "event_callback", "team_id": "T1", "event": event });
    assert!(!receive(&*open(json!({}), &[]), body.to_string()).unwrap().messages[0].addressed);
}

#[test]
fn every_kind_of_direct_message_is_one() {
    let place = |extra| {
        let message = message(extra).remove(0);
        (message.peer.kind.as_str(), message.peer.id, message.addressed, message.thread)
    };
    let direct = |thread: Option<&str>| ("direct", "U1".to_owned(), true, thread.map(str::to_owned));
    assert_eq!(place(json!({ "channel": "D1", "channel_type": "im" })), direct(None));
    assert_eq!(place(json!({ "channel": "D1", "channel_type": null, "type": "app_mention" })), direct(None));
    assert_eq!(place(json!({ "channel": "C1", "channel_type": "app_home" })), direct(None));
    // The root of a conversation in Slack's agent view, and what the person looks at while writing one.
    assert_eq!(place(json!({ "channel": "D1", "thread_ts": "5.000100" })), direct(Some("5.000100")));
    assert_eq!(place(json!({ "channel": "D1", "app_context": {} })), direct(Some("5.000100")));
}

#[test]
fn the_configured_bot_user_is_ours_where_an_event_names_another() {
    let channel = open(json!({ "botUserId": "UOURS" }), &[]);
    let said = |text: &str| {
        let event = json!({ "type": "message", "channel": "C1", "user": "U1", "text": text, "ts": "5.000100" });
        receive(&*channel, callback(&event)).unwrap().messages.remove(0)
    };
    assert!(said("<@UOURS> hi").addressed);
    assert!(!said(&format!("<@{BOT}> hi")).addressed);
}

#[test]
fn an_event_delivered_for_a_person_does_not_make_that_person_our_bot() {
    let event = json!({ "type": "message", "channel": "C1", "user": "U1", "text": "hi", "ts": "5.000100" });
    let body = json!({
        "type": "event_callback", "team_id": "T1", "event": event,
        "authorizations": [{ "user_id": "U1", "is_bot": false }],
    });
    assert_eq!(receive(&*open(json!({}), &[]), body.to_string()).unwrap().messages.len(), 1);
}

fn changed(now: Value, before: Value) -> Vec<Inbound> {
    let said = json!({ "type": "message", "user": "U1", "text": "hi", "ts": "5.000100" });
    let with = |extra: Value| {
        let mut said = said.clone();
        said.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        said
    };
    message(json!({
        "subtype": "message_changed", "hidden": true, "ts": "9.000100", "user": null, "text": null,
        "message": with(now), "previous_message": with(before),
    }))
}

#[test]
fn an_edit_is_one_only_where_its_author_changed_something() {
    let edited = |ts: &str| json!({ "edited": { "user": "U1", "ts": ts } });
    let ids = |messages: Vec<Inbound>| messages.into_iter().map(|m| m.event_id).collect::<Vec<_>>();
    assert_eq!(ids(changed(edited("7.0"), json!({}))), ["T1:C1:5.000100:edit:7.0"]);
    assert_eq!(ids(changed(edited("8.0"), edited("7.0"))), ["T1:C1:5.000100:edit:8.0"]);
    // An unfurled link, before and after an edit.
    assert_eq!(changed(json!({ "attachments": [{}] }), json!({})), []);
    assert_eq!(changed(edited("7.0"), edited("7.0")), []);
    // Files that arrive after their message.
    let files = json!({ "subtype": "file_share", "files": [{ "id": "F1", "name": "a" }, { "id": "F2", "name": "b" }] });
    let one = json!({ "files": [{ "id": "F1", "name": "a" }] });
    assert_eq!(ids(changed(files.clone(), one)), ["T1:C1:5.000100:files:F2"]);
    assert_eq!(changed(files.clone(), files), []);
}

#[test]
fn an_edit_of_ours_or_of_another_bot_is_not_heard() {
    let edited = json!({ "edited": { "ts": "7.0" } });
    for author in [json!({ "user": BOT }), json!({ "bot_id": "B1" }), json!({ "subtype": "bot_message" })] {
        let mut now = edited.clone();
        now.as_object_mut().unwrap().extend(author.as_object().unwrap().clone());
        assert_eq!(changed(now, json!({})), [], "{author}");
    }
}

#[test]
fn unknown_events_and_new_fields_never_fail() {
    let channel = open(json!({}), &[]);
    for event in [
        json!({ "type": "team_join", "user": { "id": "U1" } }),
        json!({ "type": "channel_rename", "channel": { "id": "C1" } }),
        json!({ "type": "reaction_added", "user": "U1", "item": { "channel": "C1" } }),
        json!({ "type": "something_new", "ts": 5, "text": [] }),
    ] {
        assert_eq!(receive(&*channel, callback(&event)), Ok(Parsed::nothing()), "{event}");
    }
    assert_eq!(receive(&*channel, r#"{"type":"app_rate_limited","minute_rate_limited":1}"#), Ok(Parsed::nothing()));
    let form = |payload: Value| serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap();
    for kind in ["view_closed", "shortcut", "message_action", "block_suggestion", "something_new"] {
        assert_eq!(receive(&*channel, form(json!({ "type": kind }))), Ok(Parsed::nothing()), "{kind}");
    }
    // A button of the home tab stands in no conversation.
    let home = json!({ "type": "block_actions", "user": { "id": "U1" }, "actions": [{ "action_id": "a", "action_ts": "1.0" }] });
    assert_eq!(receive(&*channel, form(home)), Ok(Parsed::nothing()));
}

#[test]
fn what_slack_never_sends_is_refused_and_says_why() {
    let channel = open(json!({}), &[]);
    let refusals = [
        ("{", "the body is not an event of Slack's Events API"),
        (r#"{"type":"url_verification"}"#, "url_verification has no challenge"),
        (r#"{"type":"event_callback"}"#, "event_callback has no event"),
        (r#"{"type":"event_callback","event":{}}"#, "the event has no type"),
        (r#"{"type":"event_callback","event":{"type":"message","ts":5}}"#, "the message is not what Slack documents"),
        ("", "the form is neither a slash command nor an interaction"),
        ("a=b", "the form is neither a slash command nor an interaction"),
        ("command=%2Fchela&channel_id=C1&user_id=U1", "the slash command has no trigger_id"),
        ("command=%2Fchela&trigger_id=1&user_id=U1", "the slash command has no channel_id"),
        ("command=%2Fchela&trigger_id=1&channel_id=C1", "the slash command has no user_id"),
        ("payload=%7B", "the interaction is not what Slack documents"),
    ];
    for (body, why) in refusals {
        assert_eq!(receive(&*channel, body), Err(Rejected::Malformed(why)), "{body}");
    }
}

#[test]
fn a_body_nested_without_end_is_refused() {
    let deep = format!(r#"{{"type":"event_callback","event":{{"type":"message","files":{}"#, "[".repeat(200_000));
    assert!(receive(&*open(json!({}), &[]), deep).is_err());
    let closed = format!(
        r#"{{"type":"event_callback","team_id":"T","event":{{"type":"message","files":{}{}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(receive(&*open(json!({}), &[]), closed).is_err());
}

fn slash(command: &str, text: &str) -> Inbound {
    let form = [
        ("command", command),
        ("text", text),
        ("team_id", "T1"),
        ("channel_id", "C1"),
        ("channel_name", "mpdm-ada--bob--chela-1"),
        ("user_id", "U1"),
        ("trigger_id", "1.2.3"),
    ];
    let body = serde_urlencoded::to_string(form).unwrap();
    receive(&*open(json!({ "botUserId": BOT }), &[]), body).unwrap().messages.remove(0)
}

#[test]
fn a_slash_command_is_the_line_a_person_would_have_typed() {
    let lines = [
        ("/chela", "hi there", "Message", "hi there"),
        ("/chela", "/new please", "Command", "/new please"),
        ("/chela", "", "Command", "/help"),
        ("/new", "", "Command", "/new"),
        ("/new", "gpt &amp; co", "Command", "/new gpt & co"),
        ("/agentstatus", "", "Command", "/status"),
        ("/agenthelp", "now", "Command", "/help now"),
        ("/agents", "", "Command", "/agents"),
    ];
    for (command, arguments, kind, text) in lines {
        let read = slash(command, arguments);
        assert_eq!((format!("{:?}", read.kind).as_str(), read.text.as_str()), (kind, text), "{command} {arguments}");
        assert!(read.addressed);
    }
    assert_eq!(slash("/new", "").peer.kind.as_str(), "group");
}

#[test]
fn a_menu_says_what_was_chosen_and_a_bare_button_its_name() {
    let press = |action: Value| {
        let payload = json!({
            "type": "block_actions", "user": { "id": "U1" }, "team": null, "channel": { "id": "D1", "name": "directmessage" },
            "container": { "type": "message", "message_ts": "5.000100" }, "actions": [action],
        });
        let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap();
        receive(&*open(json!({}), &[]), body).unwrap().messages.remove(0)
    };
    let choice = json!({ "action_id": "model", "selected_option": { "value": "fast" }, "action_ts": "6.0" });
    assert_eq!(press(choice).text, "fast");
    let bare = press(json!({ "action_id": "stop", "action_ts": "6.0" }));
    assert_eq!((bare.text.as_str(), bare.event_id.as_str()), ("stop", ":D1:5.000100:stop:6.0"));
    assert_eq!((bare.peer.kind.as_str(), bare.peer.id.as_str()), ("direct", "U1"));
    assert_eq!(bare.message_id.as_deref(), Some("D1:5.000100"));
    let labelled =
        json!({ "action_id": "label#1", "text": { "type": "plain_text", "text": "Never" }, "action_ts": "6.0" });
    assert_eq!(press(labelled).text, "Never");
    let plain = json!({ "action_id": "choice#0", "text": { "type": "plain_text", "text": "Yes" }, "value": "approve:42", "action_ts": "6.0" });
    assert_eq!(press(plain).text, "approve:42");
}

#[test]
fn what_is_no_id_is_refused() {
    let slack = open(json!({}), &[]);
    let (_, text) = samples().into_iter().find(|(name, _)| name == "text.json").unwrap();
    let text: Value = serde_json::from_slice(&text).unwrap();
    for pointer in ["/event/user", "/event/channel"] {
        let mut body = text.clone();
        *body.pointer_mut(pointer).unwrap() = json!("");
        let refused = receive(slack.as_ref(), body.to_string());
        assert_eq!(refused, Err(Rejected::Malformed("an id is empty")), "{pointer}");
    }
}
