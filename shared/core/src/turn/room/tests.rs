use serde_json::json;

use super::*;
use crate::clock::Millis;
use crate::message::EventKey;
use crate::model::Usage;
use crate::session::UserFragment;
use crate::session_key::SessionKey;

/// Characters that need most room as JSON, two bytes, and three.
const LONG: [char; 3] = ['\u{1}', 'é', '猫'];

fn entry(body: EntryBody) -> Entry {
    Entry { turn: 7, step: 3, at: Millis(1), body }
}

fn long(char: char, length: usize) -> String {
    std::iter::repeat_n(char, length).collect()
}

fn results(char: char, length: usize) -> Entry {
    let result =
        |n: usize| Block::ToolResult { id: n.to_string(), text: long(char, length), is_error: false, files: vec![] };
    entry(EntryBody::ToolResults { results: (0..16).map(result).collect() })
}

#[test]
fn what_fits_is_not_touched() {
    let small = results('é', 9_000);
    assert!(bytes(&small) > 250_000);
    assert_eq!(fit_entry(small.clone()), small);
}

#[test]
fn sixteen_long_results_fit_into_one_row_and_all_are_there() {
    for char in LONG {
        let fitted = fit_entry(results(char, 60_000));
        assert!(bytes(&fitted) <= ROW_BYTES, "{}", bytes(&fitted));
        assert!(bytes(&fitted) > ROW_BYTES / 4, "more was cut than had to be: {}", bytes(&fitted));
        let EntryBody::ToolResults { results } = fitted.body else { panic!("it stays what it was") };
        assert_eq!(results.len(), 16);
        for result in results {
            let Block::ToolResult { text, .. } = result else { panic!("it stays what it was") };
            assert!(text.ends_with("[cut here: it was too long to be kept]"));
        }
    }
}

#[test]
fn one_long_result_of_a_journal_fits() {
    let result = Block::ToolResult { id: "a".into(), text: long('\u{1}', 60_000), is_error: false, files: vec![] };
    let fitted = fit_entry(entry(EntryBody::ToolDone { result }));
    assert!(bytes(&fitted) <= ROW_BYTES);
}

#[test]
fn of_a_long_answer_its_reader_gets_most() {
    for char in LONG {
        let parts = vec![long(char, 4_000); 60];
        let answer = AssistantEntry {
            user: vec![UserFragment { sender: "7".into(), name: None, text: long(char, 50_000), ..Default::default() }],
            blocks: vec![
                Block::Thinking { text: long(char, 50_000), signature: None },
                Block::Text { text: parts.concat() },
            ],
            outbox: Some(parts.clone()),
            usage: Usage::default(),
            ..AssistantEntry::default()
        };
        let fitted = fit_entry(entry(EntryBody::Assistant(answer)));
        assert!(bytes(&fitted) <= ROW_BYTES, "{}", bytes(&fitted));
        let EntryBody::Assistant(answer) = fitted.body else { panic!("it stays what it was") };
        let outbox = answer.outbox.unwrap();
        let (last, whole) = outbox.split_last().unwrap();
        assert_eq!(last, "[cut here: it was too long to be kept]");
        assert!(whole.len() >= 4 && whole.iter().all(|part| *part == parts[0]), "{} parts", whole.len());
        assert!(answer.blocks.iter().all(|block| matches!(block, Block::Text { .. })) && answer.user.len() == 1);
    }
}

#[test]
fn a_call_whose_arguments_have_no_room_cannot_run() {
    let call = |id: &str, input| Block::ToolUse { id: id.into(), name: "write".into(), input };
    let (long, short) = (json!({"text": long('é', 200_000)}), json!({"text": "a"}));
    let blocks = vec![call("a", long), call("b", short.clone())];
    let fitted = fit_entry(entry(EntryBody::Assistant(AssistantEntry { blocks, ..AssistantEntry::default() })));
    let EntryBody::Assistant(answer) = fitted.body else { panic!("it stays what it was") };
    let cannot_run = Block::ToolUse { id: "a".into(), name: ARGUMENTS_TOO_LONG.into(), input: json!({}) };
    assert_eq!(answer.blocks, [cannot_run, call("b", short)]);
}

#[test]
fn thousands_of_calls_fit() {
    let call = |n: usize| Block::ToolUse { id: format!("call_{n}"), name: "look".into(), input: json!({"at": n}) };
    let blocks = (0..9_000).map(call).collect();
    let fitted = fit_entry(entry(EntryBody::Assistant(AssistantEntry { blocks, ..AssistantEntry::default() })));
    assert!(bytes(&fitted) <= ROW_BYTES, "{}", bytes(&fitted));
}

#[test]
fn a_huge_message_fits_into_the_row_of_its_event() {
    let inbound = json!({
        "channel": "webhook", "account": "main", "event_id": "1", "peer": {"kind": "direct", "id": "7"},
        "sender": {"id": "7", "name": long('\u{1}', 90_000)}, "text": long('\u{1}', 90_000), "sent_at": 1,
        "media": vec![json!({"reference": long('x', 1_000)}); 500], "roles": vec![long('x', 1_000); 500],
        "reply_to": {"channel": "webhook", "account": "main", "to": "7"},
    });
    let tasks = [
        json!({"kind": "message", "inbound": inbound, "standing": "allowed"}),
        json!({"kind": "heartbeat", "name": "a", "scheduled_at": 1, "prompt": long('猫', 200_000)}),
    ];
    for task in tasks {
        let envelope = Envelope {
            version: 1,
            event: EventKey::of("webhook", "main", "1"),
            session: SessionKey::from_stored("agent:main:main"),
            agent: serde_json::from_str(r#""main""#).unwrap(),
            accepted_at: Millis(1),
            task: serde_json::from_value(task).unwrap(),
        };
        let fitted = fit_envelope(envelope);
        assert!(bytes(&fitted.task) <= ROW_BYTES, "{}", bytes(&fitted.task));
        let text = match &fitted.task {
            Task::Heartbeat { prompt, .. } => prompt,
            Task::Relay { text, .. } | Task::Wrote { text, .. } => text,
            Task::Message { inbound, .. } => &inbound.text,
            Task::Redeliver { .. } | Task::Approval { .. } | Task::Decision { .. } | Task::Lapsed { .. } => continue,
        };
        assert!(text.contains("[cut here"), "whoever reads it is told");
    }
}

/// Whatever a model calls a tool with, what is stored of it can be read again.
#[test]
fn arguments_too_deep_to_be_read_again_are_not_kept() {
    let stored = |levels: usize| {
        let deep = (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let text = serde_json::to_string(&json!({ "a": deep })).unwrap();
        // As a provider's answer is read.
        let input: Value = serde_json::from_str(&text).unwrap();
        let blocks = vec![Block::ToolUse { id: "c".into(), name: "write".into(), input }];
        let body = EntryBody::Assistant(AssistantEntry { blocks, ..AssistantEntry::default() });
        let kept = fit_entry(entry(body));
        let read: Entry = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
        assert_eq!(read, kept);
        let EntryBody::Assistant(answer) = read.body else { panic!("it stays what it was") };
        let Some(Block::ToolUse { name, .. }) = answer.blocks.into_iter().next() else { panic!("a call") };
        name
    };
    assert_eq!([10, 60, 100, 125].map(stored), ["write", "write", ARGUMENTS_TOO_LONG, ARGUMENTS_TOO_LONG]);
}
