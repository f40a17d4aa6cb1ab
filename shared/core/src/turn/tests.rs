use super::*;
use crate::channel::Unconfirmed;
use crate::clock::Millis;
use crate::model::{Block, Usage};
use crate::session::{AssistantEntry, Entry, EntryBody, Intent, Settled, UserFragment};
use crate::tool::Effect;
use serde_json::json;

fn answer(step: u16, blocks: Vec<Block>, outbox: Option<Vec<String>>) -> Entry {
    let user = if step == 0 {
        vec![UserFragment { sender: "7".into(), name: None, text: "hi".into(), ..Default::default() }]
    } else {
        vec![]
    };
    let body = EntryBody::Assistant(AssistantEntry {
        user,
        blocks,
        model: "m".into(),
        usage: Usage::default(),
        outbox,
        ..AssistantEntry::default()
    });
    Entry { turn: 1, step, at: Millis(0), body }
}

fn call(id: &str) -> Block {
    Block::ToolUse { id: id.into(), name: "write".into(), input: json!({}) }
}

fn result(id: &str) -> Block {
    Block::ToolResult { id: id.into(), text: "ok".into(), is_error: false, files: vec![] }
}

fn text(text: &str) -> Block {
    Block::Text { text: text.into() }
}

#[test]
fn a_turn_goes_from_question_over_tools_to_delivery() {
    let mut turn = Turn { number: 1, ..Turn::default() };
    assert_eq!(turn.next(), Next::AskModel { step: 0 });
    turn.push(answer(0, vec![call("a")], None));
    assert!(matches!(turn.next(), Next::RunTools { step: 0, calls } if calls[0].fate == Fate::Fresh));
    turn.push(Entry { body: EntryBody::ToolResults { results: vec![result("a")] }, ..answer(0, vec![], None) });
    assert_eq!(turn.next(), Next::AskModel { step: 1 });
    turn.push(answer(1, vec![text("done")], Some(vec!["one".into(), "two".into()])));
    assert!(matches!(turn.next(), Next::Deliver(Deliver { part: 0, of: 2, begun: false, .. })));
    turn.settled.push(Settled::Sent { id: "1".into() });
    assert!(matches!(turn.next(), Next::Deliver(Deliver { part: 1, .. })));
    turn.settled.push(Settled::Sent { id: "2".into() });
    assert_eq!(turn.next(), Next::Finish);
}

#[test]
fn a_begun_call_is_repeated_only_with_a_key() {
    let left_over = vec![Intent::Tool { step: 0, id: "a".into() }];
    let turn =
        Turn { number: 1, entries: vec![answer(0, vec![call("a"), call("b")], None)], left_over, settled: vec![] };
    let Next::RunTools { calls, .. } = turn.next() else { panic!("tools are due") };
    assert_eq!(calls[0].fate, Fate::Begun);
    assert!(calls[0].may_run(Effect::Keyed) && calls[0].may_run(Effect::None) && !calls[0].may_run(Effect::Unkeyed));
    assert!(calls[1].may_run(Effect::Unkeyed));
}

#[test]
fn a_journalled_call_is_reused() {
    let mut turn = Turn { number: 1, entries: vec![answer(0, vec![call("a"), call("b")], None)], ..Turn::default() };
    turn.left_over = vec![Intent::Tool { step: 0, id: "a".into() }, Intent::Tool { step: 0, id: "b".into() }];
    turn.push(Entry { body: EntryBody::ToolDone { result: result("a") }, ..answer(0, vec![], None) });
    let Next::RunTools { calls, .. } = turn.next() else { panic!("tools are due") };
    assert_eq!(calls[0].fate, Fate::Done(result("a")));
    assert_eq!(calls[1].fate, Fate::Begun);
}

#[test]
fn a_part_left_in_sending_is_sent_again_only_with_a_key() {
    let mut turn =
        Turn { number: 1, entries: vec![answer(0, vec![text("x")], Some(vec!["x".into()]))], ..Turn::default() };
    turn.left_over = vec![Intent::Send { part: 0 }];
    let Next::Deliver(part) = turn.next() else { panic!("a part is due") };
    assert!(part.begun && part.may_send(Unconfirmed::ResendWithKey) && !part.may_send(Unconfirmed::Flag));
}

#[test]
fn a_missing_tool_result_is_repaired_and_reported() {
    let entries = [answer(0, vec![call("a")], None)];
    let transcript = transcript(&entries, 0, 2, 0);
    assert_eq!(transcript.repairs.len(), 1);
    let messages = transcript.past.messages();
    assert_eq!(messages.len(), 3);
    assert!(matches!(&messages[2].blocks[0], Block::ToolResult { id, is_error: true, .. } if id == "a"));
}

#[test]
fn a_window_that_begins_inside_a_turn_drops_the_half_turn() {
    let entries = [answer(1, vec![text("tail of an old turn")], Some(vec![]))];
    let Transcript { past, repairs } = transcript(&entries, 0, 2, 0);
    assert_eq!((past.turns, repairs), (vec![], vec![]));
    assert_eq!(past.first, 2, "the turn is not wholly read");
}
