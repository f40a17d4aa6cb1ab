//! What is sent, and how long it is.

use chela_core::clock::Millis;
use chela_core::model::{ModelRequest, Usage};
use chela_core::session::{AssistantEntry, Entry, EntryBody, UserFragment};
use chela_core::turn::transcript;
use chela_testkit::model::assert_valid;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::settings::{CompactionSettings, PruningSettings};

fn empty() -> Context {
    Context {
        settings: ContextSettings {
            compaction: CompactionSettings::default(),
            pruning: Some(PruningSettings::default()),
        },
        past: Arc::default(),
        whole: false,
        after: 0,
        summary: None,
        plain: false,
        open: vec![],
        measured: None,
        base: 500,
        compacted: None,
    }
}

fn choice() -> ModelChoice {
    choice_of(100_000)
}

fn choice_of(context_window: u32) -> ModelChoice {
    ModelChoice {
        name: "test/model".into(),
        id: "model".into(),
        max_tokens: context_window / 8,
        context_window,
        sees: Default::default(),
        price: None,
        profiles: vec![],
    }
}

fn text(text: &str) -> Block {
    Block::Text { text: text.into() }
}

/// The rows of an open turn are as an earlier attempt left them; what broke them is not known here.
#[test]
fn what_a_provider_would_refuse_is_told_in_words_and_nothing_is_lost() {
    let said = |role, blocks| ModelMessage { role, blocks };
    let call = Block::ToolUse { id: "a".into(), name: "read".into(), input: json!({"path": "SOUL.md"}) };
    let orphan = Block::ToolResult { id: "b".into(), text: "be kind".into(), is_error: false, files: vec![] };
    let past = vec![said(Role::User, vec![text("hello")]), said(Role::Assistant, vec![text("hi")])];
    let past = PastTurn { number: 1, tokens: tokens_of(&past), messages: past, ..PastTurn::default() };
    let context = Context {
        past: Arc::new(Past { turns: vec![past], first: 1, ..Past::default() }),
        open: vec![
            said(Role::User, vec![text("who are you?")]),
            said(Role::Assistant, vec![call]),
            said(Role::User, vec![orphan]),
        ],
        ..empty()
    };
    let messages = context.messages(&choice(), 100_000, Form::Whole);
    let words = format!("{messages:?}");
    assert_valid(&ModelRequest { messages, ..ModelRequest::default() });
    for said in ["hello", "hi", "who are you?", "SOUL.md", "be kind"] {
        assert!(words.contains(said), "{said} is missing in {words}");
    }
}

fn said(text: &str) -> Vec<UserFragment> {
    vec![UserFragment { sender: "7".into(), text: text.into(), ..UserFragment::default() }]
}

/// The entries of a turn that asks, looks, and answers.
fn turn_entries(turn: u64, question: &str, result: &str, counted: u64) -> Vec<Entry> {
    let entry = |step, body| Entry { turn, step, at: Millis(turn), body };
    let call = Block::ToolUse { id: "a".into(), name: "read".into(), input: json!({"path": "a.md"}) };
    let answer = |user, blocks, usage| {
        EntryBody::Assistant(AssistantEntry { user, blocks, usage, model: "test/model".into(), ..Default::default() })
    };
    let usage = Usage { input: counted, output: 10, ..Usage::default() };
    vec![
        entry(0, answer(said(question), vec![call], Usage::default())),
        entry(
            0,
            EntryBody::ToolResults {
                results: vec![Block::ToolResult {
                    id: "a".into(),
                    text: result.into(),
                    is_error: false,
                    files: vec![],
                }],
            },
        ),
        entry(1, answer(vec![], vec![text("answer")], usage)),
    ]
}

fn context(entries: &[Entry], open: &str) -> Context {
    let past = transcript(entries, 0, u64::MAX, 0).past;
    let first = if entries.is_empty() { 1 } else { past.first };
    let mut messages = Vec::new();
    add_open_turn(&mut messages, &said(open), &chela_core::turn::Turn::default());
    Context { past: Arc::new(Past { first, ..past }), open: messages, ..empty() }
}

#[test]
fn what_was_counted_is_believed_and_what_came_since_is_added() {
    let quiet = turn_entries(1, "question", &"word ".repeat(4_000), 0);
    let guessed = context(&quiet, "and now?").estimate(&choice());
    assert!(!guessed.known && guessed.total == with_margin(guessed.raw));
    let counted = turn_entries(1, "question", &"word ".repeat(4_000), 4_000);
    let short = context(&counted, "and now?").estimate(&choice());
    assert!(short.known && short.total > 4_010 && short.total < 4_050, "{short:?}");
    let long = context(&counted, &"word ".repeat(1_000)).estimate(&choice());
    assert!(long.total >= short.total + 1_400, "{long:?} after {short:?}");
    let other = ModelChoice { name: "test/other".into(), ..choice() };
    assert!(!context(&counted, "and now?").estimate(&other).known, "another model counts otherwise");
    // A count that leaves the provider's cache out.
    let nonsense = turn_entries(1, "question", &"word ".repeat(4_000), 3);
    let estimate = context(&nonsense, "and now?").estimate(&choice());
    assert_eq!(estimate.total, estimate.raw / 2);
}

#[test]
fn a_count_of_what_was_sent_whole_says_nothing_once_it_is_sent_trimmed() {
    let long = "word ".repeat(8_000);
    let mut entries: Vec<Entry> = (1..=2).flat_map(|turn| turn_entries(turn, "question", &long, 0)).collect();
    entries.extend(turn_entries(3, "question", &long, 33_000));
    entries.extend(turn_entries(4, "question", "short", 0));
    let context = context(&entries, "and now?");
    assert_eq!(context.stage(&choice(), context.turns()), Stage::Trimmed);
    assert!(!context.estimate(&choice()).known, "{:?}", context.estimate(&choice()));
}

#[test]
fn the_newest_turns_stay_and_the_cut_follows_from_the_past_alone() {
    let entries: Vec<Entry> =
        (1..=60).flat_map(|turn| turn_entries(turn, "question", &"word ".repeat(3_000), 0)).collect();
    let short = context(&entries, "hi");
    let long = context(&entries, &"word ".repeat(20_000));
    let budget = short.budget(&choice());
    let cut = short.cut(&budget).unwrap();
    assert_eq!(long.cut(&budget), Some(cut));
    let kept: u64 = short.turns().filter(|turn| turn.number > cut).map(|turn| with_margin(turn.tokens)).sum();
    let next = short.turns().find(|turn| turn.number == cut).unwrap().tokens;
    assert!(kept <= budget.keep && kept + with_margin(next) > budget.keep, "{kept} of {}", budget.keep);
    let whole = Context { settings: ContextSettings { pruning: None, ..short.settings.clone() }, ..short.clone() };
    assert!(whole.crowded(&choice(), true), "whole, they fill the window");
    assert!(!short.crowded(&choice(), true), "cleared, they do not");
    let few = context(&entries[..6], "hi");
    assert!(!few.crowded(&choice(), true));
    assert_eq!(few.cut(&budget), None, "two short turns are not worth a summary");
}

#[test]
fn many_short_turns_are_summed_up_before_they_fall_out_of_what_is_read() {
    let entries: Vec<Entry> = (1..=107).flat_map(|turn| turn_entries(turn, "q", "r", 0)).collect();
    let context = context(&entries, "hi");
    assert!(entries.len() > MOST_ENTRIES && context.crowded(&choice(), true));
    let cut = context.cut(&context.budget(&choice())).unwrap();
    assert!((107 - cut) * 3 <= MOST_ENTRIES as u64 / 2 && cut < 107, "{cut}");
}

#[test]
fn turns_that_were_not_read_are_wanted() {
    let entries: Vec<Entry> = (40..=42).flat_map(|turn| turn_entries(turn, "q", "r", 0)).collect();
    let context = context(&entries, "hi");
    assert_eq!(context.unread(), 1..40);
    assert!(context.crowded(&choice(), true));
    assert_eq!(context.cut(&context.budget(&choice())), Some(39));
}

#[test]
fn a_large_past_is_summed_up_whatever_the_window() {
    let text = "漢".repeat(60_000);
    let entries: Vec<Entry> = (1..=13).flat_map(|turn| turn_entries(turn, "q", &text, 0)).collect();
    let mut context = context(&entries, "hi");
    context.settings.compaction.keep_recent_tokens = u64::MAX;
    assert!(context.crowded(&choice_of(u32::MAX), true));
    let cut = context.cut(&context.budget(&choice_of(u32::MAX)));
    assert_eq!(cut, Some(11), "half a megabyte stays");
}

fn any_text(most: usize) -> impl Strategy<Value = String> {
    (prop::sample::select(vec!["word ", "{\"a\":1},", "漢字", "🦀", "Привет "]), 0..most)
        .prop_map(|(word, times)| word.repeat(times))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever was said, and however small the window: what is sent fits by our own measure, is valid, and holds the
    /// summary and the question.
    #[test]
    fn what_is_sent_fits_and_is_valid(
        texts in prop::collection::vec((any_text(60), any_text(6_000), prop::option::of(0..20_000u64)), 0..30),
        open in any_text(20_000), window in 6_000..60_000u32, summary in any::<bool>(), pruning in any::<bool>(),
    ) {
        let turns = texts.iter().zip(1..);
        let entries: Vec<Entry> = turns
            .flat_map(|((question, result, counted), turn)| turn_entries(turn, question, result, counted.unwrap_or(0)))
            .collect();
        let mut context = context(&entries, &format!("now? {open}"));
        if !pruning {
            context.settings.pruning = None;
        }
        if summary {
            context.sum_up(3, "SUMMARY".into());
        }
        let choice = choice_of(window);
        let limit = context.budget(&choice).limit;
        for form in [Form::Whole, Form::PlainPast, Form::Segment] {
            let messages = context.messages(&choice, limit, form);
            let sent = context.estimate(&choice).share(context.base + tokens_of(&messages));
            prop_assert!(sent <= limit, "{sent} of {limit}");
            let told = format!("{messages:?}");
            prop_assert!(told.contains("now? "));
            prop_assert!(!summary || told.contains("SUMMARY"));
            assert_valid(&ModelRequest { messages, ..ModelRequest::default() });
        }
    }
}
