//! Histories as crashes, models and people may leave them.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::clock::Millis;
use crate::turn::{recent_enough, told, validate};

/// What is stored of the results of a step.
#[derive(Clone, Copy, Debug)]
enum Stored {
    All,
    Nothing,
    JournalOnly,
    /// As older code or a damaged row might have it: the last one is missing, a stranger's is there.
    Odd,
}

#[derive(Clone, Debug)]
struct Step {
    blocks: Vec<Block>,
    stored: Stored,
    steered: bool,
}

#[derive(Clone, Debug)]
enum Told {
    Command,
    Answered { words: bool, steps: Vec<Step>, summary: bool },
}

fn result(id: &str) -> Block {
    Block::ToolResult { id: id.to_owned(), text: format!("result of {id}"), is_error: false, files: vec![] }
}

fn any_block() -> impl Strategy<Value = Block> {
    prop_oneof![
        3 => "(| |word|two words)".prop_map(|text| Block::Text { text }),
        // Few names, so that calls share them.
        4 => "[a-c]".prop_map(|id| Block::ToolUse { id, name: "look".into(), input: json!({}) }),
        1 => Just(Block::Thinking { text: "hm".into(), signature: None }),
        1 => Just(Block::RedactedThinking { data: "x".into() }),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let many = (1..40usize).prop_map(|n| {
        (0..n).map(|n| Block::ToolUse { id: n.to_string(), name: "look".into(), input: json!({}) }).collect()
    });
    let blocks = prop_oneof![6 => prop::collection::vec(any_block(), 0..5), 1 => many];
    let stored = prop::sample::select(vec![Stored::All, Stored::Nothing, Stored::JournalOnly, Stored::Odd]);
    (blocks, stored, prop::bool::weighted(0.2)).prop_map(|(blocks, stored, steered)| Step { blocks, stored, steered })
}

fn any_turn() -> impl Strategy<Value = Told> {
    let answered = (prop::bool::weighted(0.8), prop::collection::vec(any_step(), 1..5), prop::bool::weighted(0.1))
        .prop_map(|(words, steps, summary)| Told::Answered { words, steps, summary });
    prop_oneof![1 => Just(Told::Command), 6 => answered]
}

fn says(text: String) -> Vec<UserFragment> {
    vec![UserFragment { sender: "7".into(), name: None, text, ..Default::default() }]
}

/// The entries in the order of the store, and what the user said with them, by turn.
fn stored(turns: &[Told]) -> (Vec<Entry>, Vec<(u64, String)>) {
    let (mut entries, mut words) = (Vec::new(), Vec::new());
    for (told, turn) in turns.iter().zip(1..) {
        let mut put = |step: usize, body| {
            entries.push(Entry { turn, step: u16::try_from(step).unwrap(), at: Millis(turn), body });
        };
        match told {
            Told::Command => {
                let answer =
                    AssistantEntry { user: says("/status".into()), model: COMMAND.into(), ..Default::default() };
                put(0, EntryBody::Assistant(AssistantEntry { outbox: Some(vec!["fine".into()]), ..answer }));
            }
            Told::Answered { words: speaks, steps, summary } => {
                let question = if *speaks { format!("question {turn}.") } else { " ".to_owned() };
                words.extend(speaks.then(|| (turn, question.clone())));
                for (step, told) in steps.iter().enumerate() {
                    let first = step == 0;
                    let answer = AssistantEntry {
                        user: if first { says(question.clone()) } else { vec![] },
                        blocks: told.blocks.clone(),
                        model: "test/model".into(),
                        summary: (first && *summary).then(|| "[before]".to_owned()),
                        ..AssistantEntry::default()
                    };
                    put(step, EntryBody::Assistant(answer));
                    let results = || {
                        told.blocks.iter().filter_map(|block| match block {
                            Block::ToolUse { id, .. } => Some(result(id)),
                            _ => None,
                        })
                    };
                    match told.stored {
                        Stored::All => put(step, EntryBody::ToolResults { results: results().collect() }),
                        Stored::Nothing => {}
                        Stored::JournalOnly => results().for_each(|result| put(step, EntryBody::ToolDone { result })),
                        Stored::Odd => {
                            let results: Vec<_> = results().skip(1).chain([result("stranger")]).collect();
                            put(step, EntryBody::ToolResults { results });
                        }
                    }
                    if told.steered {
                        let text = format!("steered {turn}.{step}.");
                        words.push((turn, text.clone()));
                        put(step, EntryBody::Steered { user: says(text) });
                    }
                }
            }
        }
    }
    (entries, words)
}

fn asked(past: &[ModelMessage], question: &str) -> Vec<ModelMessage> {
    let mut messages = past.to_vec();
    add_open_turn(&mut messages, &says(question.to_owned()), &Turn::default());
    messages
}

fn said_by_user(messages: &[ModelMessage]) -> String {
    let texts = messages.iter().filter(|message| message.role == Role::User).flat_map(|message| &message.blocks);
    texts.filter_map(|block| if let Block::Text { text } = block { Some(text.as_str()) } else { None }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_history_is_a_valid_transcript(
        turns in prop::collection::vec(any_turn(), 0..7), cut in 0..12usize, plain in 0..8u64, budget in 0..900u64,
    ) {
        let (entries, words) = stored(&turns);
        let window = entries.get(cut.min(entries.len())..).unwrap();
        let past = transcript(window, 0, u64::MAX, plain).past;
        let messages = past.messages();
        let whole = asked(&messages, "now?");
        prop_assert_eq!(validate(&whole), Ok(()), "{:#?}", whole);

        // Everything said in the turns that are wholly in the window is there, in order.
        let opens = |turn: u64| window.iter().any(|entry| {
            entry.turn == turn && entry.step == 0 && matches!(entry.body, EntryBody::Assistant(_))
        });
        let kept: Vec<&String> = words.iter().filter(|(turn, _)| opens(*turn)).map(|(_, text)| text).collect();
        let read = said_by_user(&messages);
        let places: Vec<Option<usize>> = kept.iter().map(|text| read.find(text.as_str())).collect();
        prop_assert!(places.iter().all(Option::is_some), "{:?} in {}", kept, read);
        prop_assert!(places.is_sorted(), "{:?} in {}", kept, read);

        // Shortening takes from the oldest end only.
        let short = recent_enough(past.turns.iter(), budget, |turn| turn.tokens);
        prop_assert!(tokens_of(&short) <= budget);
        let (whole_text, short_text) = (said_by_user(&messages), said_by_user(&short));
        prop_assert!(whole_text.ends_with(&short_text), "{} does not end with {}", whole_text, short_text);
        prop_assert_eq!(validate(&asked(&short, "now?")), Ok(()));
        prop_assert_eq!(validate(&asked(&told(&whole), "and then?")), Ok(()));
    }

    #[test]
    fn repairs_once_stored_change_nothing_more(
        turns in prop::collection::vec(any_turn(), 0..7), cut in 0..12usize, plain in 0..8u64,
    ) {
        let (entries, _) = stored(&turns);
        let mut entries = entries.get(cut.min(entries.len())..).unwrap().to_vec();
        let before = transcript(&entries, 0, u64::MAX, plain);
        for repair in &before.repairs {
            prop_assert!(entries.iter().all(|entry| entry.place() != repair.place()), "its place is taken");
        }
        entries.extend(before.repairs);
        entries.sort_by_key(Entry::place);
        let after = transcript(&entries, 0, u64::MAX, plain);
        prop_assert_eq!(after.repairs, vec![]);
        prop_assert_eq!(after.past.messages(), before.past.messages());
    }

    /// The turn in progress, at each point where a model is asked.
    #[test]
    fn a_turn_in_progress_is_valid_at_every_step(
        turns in prop::collection::vec(any_turn(), 1..4), steps in prop::collection::vec(any_step(), 0..4), plain in 0..8u64,
    ) {
        let past = transcript(&stored(&turns).0, 0, u64::MAX, plain).past.messages();
        for upto in 0..=steps.len() {
            // Only a step with calls is followed by another one.
            let calls = |step: &Step| step.blocks.iter().any(|block| matches!(block, Block::ToolUse { .. }));
            let steps: Vec<Step> = steps.iter().take(upto).filter(|step| calls(step)).cloned().collect();
            let entries = if steps.is_empty() { vec![] } else { stored(&[Told::Answered { words: true, steps, summary: false }]).0 };
            let mut messages = past.clone();
            let mut open = Vec::new();
            add_open_turn(&mut open, &says("now?".into()), &Turn { entries, ..Turn::default() });
            join(&mut messages, open);
            prop_assert_eq!(validate(&messages), Ok(()), "{:#?}", messages);
        }
    }
}

#[test]
fn a_silent_end_leaves_no_two_messages_of_one_side() {
    let silent = Told::Answered {
        words: true,
        steps: vec![Step { blocks: vec![], stored: Stored::Nothing, steered: false }],
        summary: false,
    };
    let past = transcript(&stored(&[silent]).0, 0, 2, 0).past.messages();
    let mut open = Vec::new();
    add_open_turn(&mut open, &says("and now?".into()), &Turn::default());
    let mut messages = past;
    join(&mut messages, open);
    assert_eq!((validate(&messages), messages.len()), (Ok(()), 1));
}

#[test]
fn a_repair_takes_what_the_journal_knows() {
    let call = |id: &str| Block::ToolUse { id: id.into(), name: "look".into(), input: json!({}) };
    let answer = AssistantEntry { user: says("a".into()), blocks: vec![call("a"), call("b")], ..Default::default() };
    let entry = |body| Entry { turn: 1, step: 0, at: Millis(1), body };
    let entries = [entry(EntryBody::Assistant(answer)), entry(EntryBody::ToolDone { result: result("b") })];
    let unknown = Block::ToolResult { id: "a".into(), text: OUTCOME_UNKNOWN.into(), is_error: true, files: vec![] };
    let repair = entry(EntryBody::ToolResults { results: vec![unknown, result("b")] });
    assert_eq!(transcript(&entries, 0, 2, 0).repairs, [repair]);
}

#[test]
fn a_summary_stands_before_the_question_of_its_turn() {
    let turn = Told::Answered {
        words: true,
        steps: vec![Step { blocks: vec![Block::Text { text: "b".into() }], stored: Stored::Nothing, steered: false }],
        summary: true,
    };
    let messages = transcript(&stored(&[turn]).0, 0, 2, 2).past.messages();
    assert_eq!(said_by_user(&messages), "[before]question 1.");
}

#[test]
fn a_message_without_words_is_not_silence() {
    assert_eq!(said_by_user(&asked(&[], " \n")), NO_WORDS);
}

/// A provider's count is of all that it read until then; only what came later is estimated.
#[test]
fn what_a_provider_counted_is_known_and_what_came_after_it_is_estimated() {
    let entry = |step, body| Entry { turn: 1, step, at: Millis(1), body };
    let counted = AssistantEntry {
        model: "test/model".into(),
        usage: Usage { input: 100, output: 7, cache_read: 20, cache_write: 3 },
        blocks: vec![Block::ToolUse { id: "a".into(), name: "look".into(), input: json!({}) }],
        ..Default::default()
    };
    let results = EntryBody::ToolResults { results: vec![result("a")] };
    let entries = [entry(0, EntryBody::Assistant(counted)), entry(0, results)];
    let measured = Measured::of(&entries).unwrap();
    assert_eq!((measured.tokens, measured.since), (130, tokens_of_block(&result("a"))));
    let silent = EntryBody::Assistant(AssistantEntry { blocks: vec![result("b")], ..Default::default() });
    let more = [entries.to_vec(), vec![entry(1, silent)]].concat();
    assert!(Measured::of(&more).unwrap().since > measured.since, "an answer that was not counted is estimated, too");
    assert_eq!(Measured::of(&entries[1..]), None);
}

#[test]
fn turns_that_are_forgotten_do_not_count_and_their_summary_does() {
    let words = |n: u64| Told::Answered {
        words: true,
        steps: vec![Step {
            blocks: vec![Block::Text { text: format!("a{n}") }],
            stored: Stored::Nothing,
            steered: false,
        }],
        summary: false,
    };
    let (mut entries, _) = stored(&[words(1), words(2), words(3)]);
    entries.retain(|entry| entry.turn > 1); // As they are read after turn 1.
    entries.insert(0, Entry { turn: 1, step: 0, at: Millis(1), body: EntryBody::Summary { text: "summary".into() } });
    let past = transcript(&entries, 1, 4, 0).past;
    let numbers = |forgotten| past.since(forgotten).map(|turn| (turn.number, turn.summary)).collect::<Vec<_>>();
    assert_eq!(past.first, 2);
    assert_eq!(numbers(1), [(1, true), (2, false), (3, false)], "turn 1 stands in its summary");
    assert_eq!(numbers(2), [(3, false)], "the summary of turn 1 says nothing of turn 2");
    assert_eq!(numbers(3), []);
}
