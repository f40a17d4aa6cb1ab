//! What becomes of the bodies in `events/`, and of bodies that are not there.

mod account;

use account::{BOT, open, receive, samples};
use chela_core::channel::{Ack, Parsed, Rejected};
use chela_core::message::Inbound;
use serde_json::{Value, json};

/// A message in one line.
fn line(message: &Inbound) -> String {
    let or = |text: &Option<String>, empty: &str| text.clone().unwrap_or_else(|| empty.to_owned());
    let media: Vec<_> = message.media.iter().map(|file| format!(" +{}", or(&file.name, "?"))).collect();
    format!(
        "{:?} {}:{}{} | {} ({}) {}{:?}{} | to {}{} answering {} | {} | {}",
        message.kind,
        message.peer.kind.as_str(),
        message.peer.id,
        message.thread.as_ref().map(|thread| format!(" thread {thread}")).unwrap_or_default(),
        message.sender.id,
        or(&message.sender.name, "-"),
        if message.addressed { "@us " } else { "" },
        message.text,
        media.concat(),
        message.reply_to.to,
        message.reply_to.thread.as_ref().map(|thread| format!(" in {thread}")).unwrap_or_default(),
        or(&message.reply_to.message, "-"),
        message.sent_at.0,
        message.event_id,
    )
}

fn read(name: &str) -> Parsed {
    let (_, body) = samples().into_iter().find(|(sample, _)| sample == name).expect(name);
    receive(&*open(json!({}), &[]), body).expect(name)
}

#[test]
fn every_sample_reads_as_it_says() {
    let channel = open(json!({}), &[]);
    let mut lines = String::new();
    for (name, body) in samples() {
        let parsed = receive(&*channel, body).expect(&name);
        lines += &format!("{name}\n");
        for message in &parsed.messages {
            assert_eq!(message.team.as_deref(), Some("T024BE7LD"), "{name}");
            assert_eq!((message.channel.as_str(), message.account.as_str()), ("slack", "default"), "{name}");
            assert_eq!((message.reply_to.channel.as_str(), message.reply_to.account.as_str()), ("slack", "default"));
            lines += &format!("  {}\n", line(message));
        }
    }
    insta::assert_snapshot!(lines, @r#"
    app-mention.json
      Message channel:C024BE91L | U2147483697 (-) @us "hi, see [this page](https://example.com/a?b=1&c=2)" | to C024BE91L answering 1766458026.240809 | 1766458026240 | T024BE7LD:C024BE91L:1766458026.240809
    block-actions.form
      Button channel:C024BE91L thread 1766458030.240809 | U2147483697 (ada) @us "/approve 42" | to C024BE91L in 1766458030.240809 answering 1766458060.000200 | 1766458070987 | T024BE7LD:C024BE91L:1766458060.000200:approve:1766458070.987654
    channel-created.json
    channel-join.json
    message-assistant.json
      Message direct:U2147483697 thread 1767377100.000100 | U2147483697 (-) @us "What can you do?" | to D0PNCRP9N in 1767377100.000100 answering 1767377105.000400 | 1767377105000 | T024BE7LD:D0PNCRP9N:1767377105.000400
    message-changed.json
      Edited direct:U2147483697 | U2147483697 (-) @us "Hey, everyone!" | to D0PNCRP9N answering 1767377001.319859 | 1767377030000 | T024BE7LD:D0PNCRP9N:1767377001.319859:edit:1767377030.000000
    message-channel-mention.json
      Message channel:C024BE91L | U2147483697 (-) @us "hi, see [this page](https://example.com/a?b=1&c=2)" | to C024BE91L answering 1766458026.240809 | 1766458026240 | T024BE7LD:C024BE91L:1766458026.240809
    message-channel.json
      Message channel:C024BE91L | U2147483697 (-) "Nobody in particular: lunch?" | to C024BE91L answering 1766458040.000300 | 1766458040000 | T024BE7LD:C024BE91L:1766458040.000300
    message-file-share.json
      Message direct:U2147483697 | U2147483697 (-) @us "" +receipt.png +? | to D0PNCRP9N answering 1767377200.004500 | 1767377200004 | T024BE7LD:D0PNCRP9N:1767377200.004500
    message-im-thread.json
      Message direct:U2147483697 | U2147483697 (-) @us "And in a thread?" | to D0PNCRP9N in 1767377005.000200 answering 1767377060.104729 | 1767377060104 | T024BE7LD:D0PNCRP9N:1767377060.104729
    message-im.json
      Message direct:U2147483697 | U2147483697 (-) @us "Hey! Is 3 < 5 && 5 > 4? ✨" | to D0PNCRP9N answering 1767377001.319859 | 1767377001319 | T024BE7LD:D0PNCRP9N:1767377001.319859
    message-mpim.json
      Message group:C0GROUPDM | U2147483697 (-) @us "All three of us:" | to C0GROUPDM answering 1766458200.000800 | 1766458200000 | T024BE7LD:C0GROUPDM:1766458200.000800
    message-private.json
      Message channel:G024BE92M | U2147483697 (-) @us "remind <@U0G9QF9C6> in #general" | to G024BE92M answering 1766458100.000700 | 1766458100000 | T024BE7LD:G024BE92M:1766458100.000700
    message-thread-reply.json
      Message channel:C024BE91L thread 1766458030.240809 | U2147483697 (-) @us "Thanks. And tomorrow?" | to C024BE91L in 1766458030.240809 answering 1766458051.859009 | 1766458051859 | T024BE7LD:C024BE91L:1766458051.859009
    message-unfurled.json
    other-bot.json
    own-echo.json
    slackbot.json
    slash-command.form
      Message channel:C024BE91L | U2147483697 (ada) @us "what is on today?" | to C024BE91L answering - | 1767377400000 | T024BE7LD:command:13345224609.738474920.8088930838d88f008e0
    slash-native.form
      Command direct:U2147483697 | U2147483697 (ada) @us "/status" | to U2147483697 answering - | 1767377400000 | T024BE7LD:command:13345224610.738474920.8088930838d88f008e1
    url-verification.json
    view-submission.form
    "#);
}

#[test]
fn a_mention_is_one_message_although_slack_sends_it_twice() {
    let (mention, message) = (read("app-mention.json"), read("message-channel-mention.json"));
    assert_eq!(mention.messages.len(), 1);
    assert_eq!(mention.messages, message.messages);
}

#[test]
fn the_same_event_again_has_the_same_name() {
    assert_eq!(read("message-im.json"), read("message-im.json"));
    assert_eq!(read("block-actions.form"), read("block-actions.form"));
}

#[test]
fn an_edit_is_another_event_than_its_message() {
    let message = read("message-im.json").messages[0].event_key();
    let edit = read("message-changed.json").messages[0].event_key();
    assert_ne!(message, edit);
}

#[test]
fn the_url_is_verified_with_the_challenge() {
    let parsed = read("url-verification.json");
    let challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
    assert_eq!(parsed, Parsed { messages: Vec::new(), ack: Ack::json(&json!({ "challenge": challenge })) });
}

#[test]
fn everything_else_is_acknowledged_with_an_empty_200() {
    for (name, body) in samples() {
        if name != "url-verification.json" {
            assert_eq!(receive(&*open(json!({}), &[]), body).unwrap().ack, Ack::empty(), "{name}");
        }
    }
}

#[test]
fn a_certificate_check_is_answered_and_nothing_else() {
    let unsigned = chela_core::channel::RawRequest {
        headers: http::HeaderMap::new(),
        ..account::posted("ssl_check=1&token=x&command=%2Fchela&text=hi&trigger_id=1&user_id=U1&channel_id=D1")
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
}
