#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what breaks here is a failed test")]

use serde_json::json;

use super::*;
use crate::queue::{Authority, ENVELOPE_VERSION, Purpose, Standing};
use crate::session::{Claimed, Put};
use crate::shown::StoredFile;
use crate::tool_policy::Limit;
use crate::turn::{Command, Input, Machine, Outcome, Rules, Way};

const AT: Millis = Millis(1_000_000);

fn envelope(channel: &str, sender: &str, at: Millis) -> Envelope {
    let inbound = json!({
        "channel": channel, "account": "default", "event_id": "1", "peer": {"kind": "group", "id": "-1"},
        "sender": {"id": sender}, "text": "words", "sent_at": 0,
        "reply_to": {"channel": channel, "account": "default", "to": "-1"},
    });
    let inbound = serde_json::from_value(inbound).unwrap();
    Envelope {
        version: ENVELOPE_VERSION,
        event: EventKey::of(channel, sender, "1"),
        session: SessionKey::from_stored("agent:main:main"),
        agent: Default::default(),
        accepted_at: at,
        task: Task::Message { inbound, standing: Standing::Allowed, authority: Authority::Guest },
    }
}

fn report(of: &str) -> Task {
    let who = Who { channel: "telegram".into(), senders: vec![of.into()], ..Who::default() };
    Task::Relay {
        from: SessionKey::from_stored("agent:main:subagent:1"),
        purpose: Purpose::Report,
        label: None,
        text: "words".into(),
        depth: 0,
        hops: 1,
        authority: Authority::Guest,
        limit: Limit { who: vec![who], ..Limit::default() },
        deliver_to: None,
    }
}

fn asked() -> EventKey {
    EventKey::of("forget", "", "1")
}

fn claimed_by(current: &EventKey) -> Head {
    Head {
        epoch: 4,
        owner: "me".into(),
        lease_until: AT,
        last_turn: 7,
        current: Some(current.clone()),
        attempts: 1,
        ..Head::default()
    }
}

fn released(mut head: Head) -> Head {
    head.release();
    head
}

#[test]
fn what_waited_while_a_conversation_was_deleted_begins_no_turn() {
    let head = claimed_by(&asked()).deleted(&asked(), AT);
    assert!(head.drops(&envelope("telegram", "7", AT)) && head.drops(&envelope("slack", "8", Millis(1))));
    assert!(!head.drops(&envelope("telegram", "7", AT.plus(1))), "what is said later is answered");
    assert!(!Head::default().drops(&envelope("telegram", "7", Millis(0))));
}

#[test]
fn where_others_take_part_only_theirs_is_dropped() {
    let person = Person::new("telegram", "U7", None);
    let head = claimed_by(&asked()).redacted(&asked(), &person, false, AT);
    assert!(head.drops(&envelope("telegram", "u7", AT)));
    assert!(!head.drops(&envelope("telegram", "8", AT)) && !head.drops(&envelope("slack", "U7", AT)));
    assert!(!head.drops(&envelope("telegram", "U7", AT.plus(1))));
    let other = Envelope { task: report("U7"), ..envelope("telegram", "U7", AT) };
    assert!(!head.drops(&other), "a report is the room's");
    assert_eq!((head.last_turn, head.current), (7, None));
}

/// An attempt that lost its lease long ago may still write an entry of the turn it was at: nobody may read that place.
#[test]
fn a_turn_that_had_begun_is_not_numbered_again() {
    let theirs = EventKey::of("telegram", "main", "7");
    let deleted = claimed_by(&theirs).deleted(&asked(), AT);
    assert_eq!((deleted.last_turn, deleted.forgotten, deleted.turn()), (8, 8, 9));
    assert!(deleted.finished(&theirs) && deleted.current.is_none() && deleted.attempts == 0);
    assert_eq!((deleted.owner.as_str(), deleted.lease_until), ("me", AT), "the lease is kept until the rows are gone");
    assert_eq!(deleted.revision, 1);
    let person = Person::new("telegram", "7", None);
    let redacted = claimed_by(&theirs).redacted(&asked(), &person, true, AT);
    assert_eq!((redacted.last_turn, redacted.forgotten), (8, 0));
    assert!(redacted.finished(&theirs) && redacted.owner == "me");
    let others = claimed_by(&theirs).redacted(&asked(), &person, false, AT);
    assert_eq!((others.last_turn, others.current), (7, Some(theirs)), "another's goes on");
}

#[test]
fn a_head_goes_once_it_only_says_that_there_was_something() {
    let deleted = claimed_by(&asked()).deleted(&asked(), AT);
    assert_eq!(deleted.expires(), None, "it is held");
    let stone = released(deleted);
    assert_eq!(stone.expires(), Some(AT.plus(STONE_KEPT_MS)));
    assert_eq!(stone.before_first(), 7);
    assert_eq!(Head { last_turn: 8, ..stone.clone() }.expires(), None, "something was said since");
    assert_eq!(Head { current: Some(asked()), ..stone }.expires(), None, "something is being said");
    let person = Person::new("telegram", "7", None);
    let room = released(claimed_by(&asked()).redacted(&asked(), &person, false, AT));
    assert_eq!((room.expires(), room.before_first()), (None, 0), "a room in which others are stays");
    assert_eq!(Head::default().expires(), None);
}

#[test]
fn a_head_remembers_a_few_erasures() {
    let mut head = claimed_by(&asked());
    for number in 0..20 {
        let person = Person::new("telegram", &number.to_string(), None);
        head = head.redacted(&asked(), &person, false, AT.plus(number));
    }
    assert_eq!(head.erased.len(), REMEMBERED);
    let again = head.clone().redacted(&asked(), &Person::new("telegram", "19", None), false, AT.plus(50));
    assert_eq!(again.erased.len(), REMEMBERED, "the same person again is one");
    assert!(again.drops(&envelope("telegram", "19", AT.plus(50))));
    let late = head.redacted(&asked(), &Person::new("telegram", "1", None), false, AT.plus(STONE_KEPT_MS + 100));
    assert_eq!(late.erased.len(), 1, "no queue keeps a message so long");
}

#[test]
fn a_person_is_all_ids_they_are_linked_to() {
    let links = IdentityLinks::from_iter([
        ("alice", vec!["telegram:7", "discord:9", "@a:b.c", "44"]),
        ("bob", vec!["telegram:8"]),
    ]);
    let alice = Person::new("Telegram", " 7 ", Some(&links));
    for (channel, id) in [("telegram", "7"), ("discord", "9"), ("matrix", "@A:b.c"), ("any", "44")] {
        assert!(alice.is(Some(channel), id), "{channel} {id}");
    }
    for (channel, id) in [("telegram", "8"), ("telegram", "9"), ("discord", "7"), ("telegram", "")] {
        assert!(!alice.is(Some(channel), id), "{channel} {id}");
    }
    assert!(alice.is(None, "9") && !alice.is(None, "8"));
    assert_eq!(Person::new("telegram", "8", None).ids, [("telegram".to_owned(), "8".to_owned())]);
    assert!(alice.began(&envelope("discord", "9", AT).task) && !alice.began(&envelope("discord", "8", AT).task));
    assert!(alice.began(&report("7")) && !alice.began(&report("8")));
}

fn said(sender: &str, text: &str) -> UserFragment {
    let files = vec![StoredFile { key: "media/main/a-0.png".into(), content_type: "image/png".into() }];
    UserFragment {
        sender: sender.into(),
        name: Some("Name".into()),
        text: text.into(),
        files,
        ..UserFragment::default()
    }
}

fn entry(turn: u64, step: u16, body: EntryBody) -> Entry {
    Entry { turn, step, at: AT, body }
}

fn answer(user: Vec<UserFragment>) -> EntryBody {
    EntryBody::Assistant(AssistantEntry {
        user,
        blocks: vec![
            Block::Thinking { text: "secret".into(), signature: Some("secret".into()) },
            Block::Text { text: "secret".into() },
            Block::ToolUse { id: "c1".into(), name: "exec".into(), input: json!({"command": "secret"}) },
        ],
        interim: vec!["secret".into()],
        outbox: Some(vec!["secret".into(), "secret".into()]),
        ..AssistantEntry::default()
    })
}

fn results() -> EntryBody {
    EntryBody::ToolResults {
        results: vec![Block::ToolResult {
            id: "c1".into(),
            text: "secret".into(),
            is_error: false,
            files: vec![StoredFile { key: "media/main/b.png".into(), content_type: "image/png".into() }],
        }],
    }
}

#[test]
fn d05_a_turn_loses_what_is_a_persons_and_stays_valid() {
    let person = Person::new("telegram", "7", None);
    let room = SessionKey::from_stored("agent:main:telegram:group:-1");
    let mut redaction = Redaction::new(&person, &room, vec![]);
    let both = entry(1, 0, answer(vec![said("7", "secret"), said("8", "others")]));
    let without = redaction.of(&both).unwrap();
    let stored = serde_json::to_string(&without).unwrap();
    assert!(!stored.contains("secret") && stored.contains("others") && stored.contains("c1"), "{stored}");
    let EntryBody::Assistant(left) = &without.body else { panic!("an answer") };
    assert_eq!((left.user[0].text.as_str(), left.user[0].sender.as_str(), left.user[0].files.len()), (NOTICE, "", 0));
    assert_eq!(left.user[1], said("8", "others"));
    assert_eq!(
        (left.blocks.len(), left.outbox.as_ref().unwrap().len()),
        (2, 2),
        "the thought is gone, the call is not"
    );
    let EntryBody::ToolResults { results } = redaction.of(&entry(1, 0, results())).unwrap().body else { panic!() };
    assert_eq!(results, [Block::ToolResult { id: "c1".into(), text: NOTICE.into(), is_error: false, files: vec![] }]);
    assert_eq!(redaction.of(&entry(2, 0, answer(vec![said("8", "others")]))), None, "another's turn");
    assert_eq!(Redaction::new(&person, &room, vec![]).of(&without), None, "twice is once");
}

/// Whoever steers another's turn is in it from there on.
#[test]
fn a_turn_is_theirs_from_where_they_spoke() {
    let person = Person::new("telegram", "7", None);
    let main = SessionKey::from_stored("agent:main:main");
    let mut redaction = Redaction::new(&person, &main, vec![5]);
    assert_eq!(redaction.of(&entry(1, 0, answer(vec![said("8", "others")]))), None);
    let steered = entry(1, 1, EntryBody::Steered { user: vec![said("7", "secret")] });
    assert!(redaction.of(&steered).is_some());
    assert!(redaction.of(&entry(1, 1, answer(vec![]))).is_some());
    assert!(redaction.of(&entry(5, 0, answer(vec![said("", "a report on what they asked: secret")]))).is_some());
    assert_eq!(redaction.of(&entry(6, 0, answer(vec![said("", "a schedule of the owner")]))), None);
    // The same id in a room of another channel is somebody else.
    let elsewhere = SessionKey::from_stored("agent:main:discord:channel:1");
    assert_eq!(Redaction::new(&person, &elsewhere, vec![]).of(&entry(1, 0, answer(vec![said("7", "x")]))), None);
}

#[test]
fn a_summary_of_turns_that_are_theirs_says_so() {
    let summary = |turn| entry(turn, 0, EntryBody::Summary { text: "secret".into() });
    let later = |turn| {
        let summary = Some("secret".to_owned());
        entry(turn, 0, EntryBody::Assistant(AssistantEntry { summary, ..AssistantEntry::default() }))
    };
    for (entry, gone) in [(summary(2), false), (summary(3), true), (later(3), false), (later(4), true)] {
        let left = without_past(&entry, 3);
        assert_eq!(left.is_some(), gone, "{entry:?}");
        assert!(left.is_none_or(|left| without_past(&left, 3).is_none()), "twice is once");
    }
}

#[test]
fn the_channel_of_a_room_is_in_its_key() {
    for (key, channel) in [
        ("agent:main:telegram:group:-1:thread:2", Some("telegram")),
        ("agent:main:slack:channel:c1", Some("slack")),
        ("agent:main:main", None),
        ("agent:main:telegram:direct:7", None),
        ("cron:daily", None),
    ] {
        assert_eq!(channel_of_room(&SessionKey::from_stored(key)).as_deref(), channel, "{key}");
    }
}

/// What a machine does with a message in a session whose head says this. It was claimed for the message.
fn begun(head: &Head, envelopes: [Envelope; 2]) -> (Machine, Command) {
    let [first, other] = envelopes;
    let event = first.event.clone();
    let mut machine = Machine::new(first, vec![other], "me".into(), AT.plus(200_000), Rules::default());
    let now = AT.plus(1000);
    machine.begin(now);
    let held =
        Head { owner: "me".into(), lease_until: now.plus(45_000), current: Some(event), attempts: 1, ..head.clone() };
    let command = machine.handle(now, Input::Claimed(Claimed::Held(held)));
    (machine, command)
}

#[test]
fn d05_a_message_from_before_is_not_stored_and_its_session_is_given_back() {
    let stone = released(claimed_by(&asked()).deleted(&asked(), AT));
    let (before, after) = (envelope("telegram", "7", AT), envelope("telegram", "8", AT.plus(1)));
    let (mut machine, command) = begun(&stone, [before.clone(), after.clone()]);
    let Command::Save { head, .. } = command else { panic!("{command:?}") };
    assert_eq!((head.current.clone(), head.owner.as_str(), head.attempts), (None, "", 0));
    assert!(head.expires().is_some(), "it still only says that something was deleted");
    let Command::End(Outcome::Done(report)) = machine.handle(AT.plus(1000), Input::Saved) else { panic!("the end") };
    assert!(report.duplicate && report.also.is_empty(), "what came with it has a turn of its own: {report:?}");
    let (_, command) = begun(&stone, [after, before]);
    assert!(matches!(command, Command::Accept(_)), "{command:?}");
}

/// In a room what waited together becomes one turn, without those whose words are to go.
#[test]
fn a_message_from_before_does_not_join_anothers_turn() {
    let person = Person::new("telegram", "7", None);
    let room = Head { last_turn: 0, ..released(claimed_by(&asked()).redacted(&asked(), &person, false, AT)) };
    for (at, known) in [(AT, true), (AT.plus(1), false)] {
        let (mut machine, command) = begun(&room, [envelope("telegram", "8", AT), envelope("telegram", "7", at)]);
        assert!(matches!(command, Command::Accept(_)), "{command:?}");
        let command = machine.handle(AT.plus(1000), Input::Accepted(Put::Stored, Way::Collected));
        let next = if known { matches!(command, Command::Consult) } else { matches!(command, Command::Find(_)) };
        assert!(next, "{command:?}");
        assert_eq!(machine.user().len(), 1);
    }
}
