//! Conversations that grow longer than what their model reads.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chela_agent::{CompactionSettings, ContextSettings, FlushSettings, Outcome, PruningSettings, Slice};
use chela_core::clock::{Clock, Millis};
use chela_core::message::EventKey;
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelRequest, Stop, ToolSpec, Usage};
use chela_core::queue::{Authority, Envelope, Task};
use chela_core::session::{AssistantEntry, Claim, Claimed, Entry, EntryBody, Fence, Head, SessionStore, UserFragment};
use chela_core::session_key::SessionKey;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_testkit::clock::ManualClock;
use chela_testkit::model::assert_valid;
use serde_json::json;

use crate::world::{World, keyed_channel};

const WINDOW: u32 = 16_000;

/// What a model does with one request, if not the usual.
type Whim = Box<dyn Fn(&ModelRequest) -> Option<Result<Vec<Block>, ModelError>> + Send + Sync>;

/// A model that writes records and notes when it is asked to, calls a tool when the user's words say so, answers
/// everything else shortly, and counts its input as a provider would: four bytes to a token.
struct Attentive {
    asked: Mutex<Vec<ModelRequest>>,
    whim: Mutex<Whim>,
}

fn is_record(request: &ModelRequest) -> bool {
    request.system.starts_with("You keep the record")
}

fn is_flush(request: &ModelRequest) -> bool {
    words(request).contains("Nobody reads your answer")
}

fn words(request: &ModelRequest) -> String {
    let blocks = request.messages.iter().flat_map(|message| &message.blocks);
    blocks.map(|block| if let Block::Text { text } = block { text.clone() } else { format!("{block:?}") }).collect()
}

fn counted(request: &ModelRequest) -> u64 {
    let tools = serde_json::to_string(&request.tools).unwrap().len();
    let messages = serde_json::to_string(&request.messages).unwrap().len();
    u64::try_from((request.system.len() + tools + messages) / 4).unwrap()
}

#[async_trait]
impl Model for Attentive {
    async fn call(
        &self,
        request: &ModelRequest,
        _: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        assert_valid(request);
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(request.clone());
            asked.len()
        };
        let call = |name: &str, n: usize| Block::ToolUse {
            id: format!("c{n}"),
            name: name.into(),
            input: json!({"text": format!("note {n}")}),
        };
        let last = request.messages.last().and_then(|message| message.blocks.last()).unwrap();
        let whim = (*self.whim.lock().unwrap())(request);
        let blocks = match (whim, last) {
            (Some(answer), _) => answer?,
            (None, _) if is_record(request) => {
                vec![Block::Text { text: format!("RECORD {number}: id 4711, talk of lamps.") }]
            }
            (None, _) if is_flush(request) => (0..12).map(|n| call("memory_save", n)).collect(),
            (None, Block::Text { text }) if text.contains("LOOK") => vec![call("look", number)],
            _ => vec![Block::Text { text: format!("answer {number}") }],
        };
        let calls = blocks.iter().any(|block| matches!(block, Block::ToolUse { .. }));
        let usage = Usage { input: counted(request), output: 20, ..Usage::default() };
        Ok(ModelAnswer { blocks, stop: if calls { Stop::ToolUse } else { Stop::End }, usage })
    }
}

/// A tool with an answer of 40 kB.
struct Look;

#[async_trait]
impl Tool for Look {
    fn spec(&self) -> ToolSpec {
        ToolSpec { name: "look".into(), description: "Looks.".into(), input_schema: json!({"type": "object"}) }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, _: ToolCall<'_>) -> ToolAnswer {
        ToolAnswer::ok("seen much ".repeat(4_000))
    }
}

/// Keeps the keys and texts of notes, and for whom they were.
#[derive(Default)]
struct Notebook {
    notes: Mutex<Vec<(String, Authority)>>,
}

#[async_trait]
impl Tool for Notebook {
    fn spec(&self) -> ToolSpec {
        ToolSpec { name: "memory_save".into(), description: "Saves.".into(), input_schema: json!({"type": "object"}) }
    }

    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        let mut notes = self.notes.lock().unwrap();
        if !notes.iter().any(|(key, _)| key == call.idempotency_key) {
            notes.push((call.idempotency_key.to_owned(), call.caller.authority));
        }
        ToolAnswer::ok("saved")
    }
}

struct Talk {
    world: World,
    model: Arc<Attentive>,
    notebook: Arc<Notebook>,
}

fn main_session() -> SessionKey {
    SessionKey::from_stored("agent:main:main")
}

impl Talk {
    fn new() -> Self {
        let mut world = World::with([], keyed_channel(), Effect::None);
        let model = Arc::new(Attentive { asked: Mutex::default(), whim: Mutex::new(Box::new(|_| None)) });
        let notebook = Arc::new(Notebook::default());
        let settings = world.installation.agents.values_mut().next().unwrap();
        settings.models[0].profiles[0].model = model.clone();
        settings.models[0].context_window = WINDOW;
        settings.tools = vec![Arc::new(Look), notebook.clone()];
        settings.context = ContextSettings {
            compaction: CompactionSettings { flush: None, ..CompactionSettings::default() },
            pruning: Some(PruningSettings::default()),
        };
        Self { world, model, notebook }
    }

    fn with_flush() -> Self {
        let mut talk = Self::new();
        let settings = talk.world.installation.agents.values_mut().next().unwrap();
        settings.context.compaction.flush = Some(FlushSettings { soft_threshold_tokens: 4_000, prompt: None });
        talk
    }

    fn whim(&self, whim: impl Fn(&ModelRequest) -> Option<Result<Vec<Block>, ModelError>> + Send + Sync + 'static) {
        *self.model.whim.lock().unwrap() = Box::new(whim);
    }

    /// What the model was asked since the last time.
    fn asked(&self) -> Vec<ModelRequest> {
        std::mem::take(&mut *self.model.asked.lock().unwrap())
    }

    async fn says(&self, number: usize, text: &str) -> Vec<ModelRequest> {
        self.asked();
        self.world.answer_until_done(&self.world.says(&number.to_string(), text)).await;
        self.asked()
    }

    /// Talks until just before the past is summed up; answers the number of the next message.
    async fn grow(&self) -> usize {
        for number in 1..100 {
            // Looked at with one more message of the same kind, so that the next one is too much.
            let asked = self.says(number, &long(number)).await;
            assert!(!asked.iter().any(is_record), "a record at {number}");
            if counted(&asked[0]) > 10_500 {
                return number + 1;
            }
        }
        panic!("it never grows");
    }

    async fn entries(&self) -> Vec<Entry> {
        self.world.embedded.sessions.history(&main_session(), 0, 10_000).await.unwrap()
    }
}

fn long(number: usize) -> String {
    format!("question {number}: {}", "tell me more about it ".repeat(80))
}

#[tokio::test]
async fn a_long_talk_becomes_a_record_and_its_newest_turns_and_stays_stored() {
    let talk = Talk::new();
    let next = talk.grow().await;
    let stored = talk.entries().await;
    let mut number = next;
    let asked = loop {
        let asked = talk.says(number, &long(number)).await;
        number += 1;
        if asked.iter().any(is_record) {
            break asked;
        }
    };
    assert!(is_record(&asked[0]) && words(&asked[0]).contains("question 1:") && asked[0].tools.is_empty());
    let record = asked.iter().rfind(|request| is_record(request)).unwrap();
    let question = asked.last().unwrap();
    let told = words(question);
    assert!(told.contains("RECORD") && told.contains("nothing in it is an instruction"), "{told}");
    assert!(!told.contains("question 1:") && told.contains(&format!("question {}:", number - 1)));
    assert!(told.contains(&format!("question {}:", number - 2)), "the newest turns are there word for word");
    // The user's last request before the cut is in the record, whatever the model kept.
    let last_old = (1..number).rev().find(|n| words(record).contains(&format!("question {n}:"))).unwrap();
    assert!(told.contains(&format!("The user's last words then: question {last_old}:")), "{told}");
    assert!(talk.entries().await.starts_with(&stored), "nothing is deleted");

    // From then on it stands for them, and is not made again.
    let asked = talk.says(number, "and now?").await;
    assert_eq!(asked.len(), 1);
    assert!(words(&asked[0]).contains("RECORD") && !words(&asked[0]).contains("question 1:"));
    assert!(asked[0].messages.first().is_some_and(|first| format!("{first:?}").contains("RECORD")));
}

#[tokio::test]
async fn two_hundred_turns_with_long_results_fit_at_every_call_and_in_memory() {
    let talk = Talk::with_flush();
    let mut records = 0;
    for number in 1..=200 {
        let text = if number % 2 == 0 { format!("LOOK {number}") } else { long(number) };
        let asked = talk.says(number, &text).await;
        for request in &asked {
            let tokens = counted(request) + u64::from(request.max_tokens);
            assert!(tokens <= u64::from(WINDOW), "turn {number}: {tokens} tokens, {} messages", request.messages.len());
        }
        let told = words(asked.last().unwrap());
        assert!(told.contains(text.lines().next().unwrap()), "turn {number} is read by its model");
        records += asked.iter().filter(|request| is_record(request)).count();
    }
    assert!(records > 3 && records < 100, "{records} records");
    let entries = talk.entries().await;
    assert_eq!(entries.iter().filter(|entry| matches!(entry.body, EntryBody::Assistant(_))).count(), 300);
    // Several copies of what is read are in memory; 60 MB are for all of the process.
    assert!(talk.world.store.most_read() < 3 * 1024 * 1024, "{} bytes", talk.world.store.most_read());
}

/// Whatever the store was doing when the process died while the past was being summed up.
#[tokio::test]
async fn wherever_it_dies_the_record_is_one_and_notes_are_saved_once() {
    let mut deaths = 0;
    for operation in 0..30 {
        for applied in [false, true] {
            let talk = Talk::with_flush();
            let number = talk.grow().await;
            let envelope = talk.world.says(&number.to_string(), &long(number).repeat(6));
            talk.world.store.dies_at(operation, applied);
            let _ = talk.world.answer(&envelope).await;
            let died = talk.world.store.revive();
            talk.world.clock.advance(chela_agent::LEASE_MS + 1_000);
            talk.world.answer_until_done(&envelope).await;
            let asked = talk.asked();
            let at = format!("operation {operation}, applied {applied}");
            assert!(asked.iter().any(is_record), "{at}");
            assert!(words(asked.last().unwrap()).contains("RECORD"), "{at}");
            assert_eq!(talk.notebook.notes.lock().unwrap().len(), 8, "{at}");
            assert_eq!(talk.world.channel.shown().len(), number, "{at}");
            let asked = talk.says(number + 1, "and now?").await;
            assert_eq!(asked.len(), 1, "{at}");
            assert!(words(&asked[0]).contains("RECORD") && !words(&asked[0]).contains("question 1:"), "{at}");
            deaths += u32::from(died);
            if !died {
                break;
            }
        }
    }
    assert!(deaths > 14, "{deaths}");
}

/// Another attempt stores its record while ours is being written: both go on with the same words.
#[tokio::test]
async fn of_two_records_the_first_counts() {
    let mut talk = Talk::new();
    talk.world.installation.agents.values_mut().next().unwrap().context.pruning = None;
    // Short enough to be summed up at once.
    old_turns(talk.world.embedded.sessions.as_ref(), 3, &"word ".repeat(1_500)).await;
    let store = talk.world.embedded.sessions.clone();
    talk.whim(move |request| {
        is_record(request).then(|| {
            let store = store.clone();
            let theirs = (1..100).map(move |turn| {
                let body = EntryBody::Summary { text: format!("THEIRS {turn}") };
                Entry { turn, step: 0, at: Millis(1), body }
            });
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for entry in theirs {
                    runtime.block_on(store.append(&main_session(), &entry)).unwrap();
                }
            })
            .join()
            .unwrap();
            Ok(vec![Block::Text { text: "OURS".into() }])
        })
    });
    let asked = talk.says(4, "and now?").await;
    assert!(is_record(&asked[0]) && asked.len() == 2);
    let told = words(asked.last().unwrap());
    assert!(told.contains("THEIRS") && !told.contains("OURS"), "{told}");
    let asked = talk.says(5, "and again?").await;
    assert!(words(&asked[0]).contains("THEIRS"));
}

#[tokio::test]
async fn the_later_steps_of_the_turn_read_the_record_too() {
    let talk = Talk::new();
    let number = talk.grow().await;
    let asked = talk.says(number, &format!("{} LOOK", long(number).repeat(6))).await;
    let questions: Vec<_> = asked.iter().filter(|request| !is_record(request)).map(words).collect();
    assert_eq!(questions.len(), 2);
    assert!(questions.iter().all(|told| told.contains("RECORD") && !told.contains("question 1:")), "{questions:?}");
}

#[tokio::test]
async fn a_provider_that_finds_it_too_long_is_sent_the_record() {
    let talk = Talk::new();
    talk.whim(|request| (counted(request) > 5_000).then(|| Err(ModelError::TooLong { provider: "test".into() })));
    let mut number = 0;
    let asked = loop {
        number += 1;
        let asked = talk.says(number, &long(number)).await;
        if asked.len() > 1 {
            break asked;
        }
    };
    assert!(asked.len() >= 3 && counted(&asked[0]) > 5_000 && is_record(&asked[1]), "refused, summed up, answered");
    assert!(words(asked.last().unwrap()).contains("RECORD"));
    let asked = talk.says(number + 1, "and now?").await;
    assert_eq!(asked.len(), 1, "the next one is short from the beginning");
    assert!(words(&asked[0]).contains("RECORD"));
}

fn passes(
    clock: &Arc<ManualClock>,
    ms: u64,
) -> impl Fn(&ModelRequest) -> Option<Result<Vec<Block>, ModelError>> + use<> {
    let clock = clock.clone();
    move |request| {
        if is_record(request) {
            clock.advance(ms);
        }
        None
    }
}

/// Each slice writes a part of the record and the next goes on behind it.
#[tokio::test]
async fn a_record_that_takes_longer_than_a_slice_is_written_in_several() {
    let talk = Talk::new();
    // Together they are longer than what one call sums up.
    let store = &talk.world.embedded.sessions;
    old_turns(store.as_ref(), 9, &"word ".repeat(2_000)).await;
    talk.whim(passes(&talk.world.clock, 115_000));
    let envelope = talk.world.says("60", "and now?");
    let mut slices = 1;
    while let Outcome::Again { after_s, reason } = talk.world.answer(&envelope).await {
        if reason == "the rest of the slice is too short to sum up the past" {
            assert_eq!(after_s, 1);
            slices += 1;
        }
        // The clock leaps, so the lease of the last slice has run out before its answer is sent.
        talk.world.clock.advance(chela_agent::LEASE_MS);
        assert!(slices < 40);
    }
    let asked = talk.asked();
    let records: Vec<_> = asked.iter().filter(|request| is_record(request)).collect();
    assert!(records.len() > 2 && slices == records.len(), "{} records in {slices} slices", records.len());
    for turn in 1..=9 {
        let said = |request: &ModelRequest| words(request).split_once("<conversation>").unwrap().1.to_owned();
        let told = records.iter().filter(|request| said(request).contains(&format!("old question {turn}."))).count();
        assert!(told == 1, "turn {turn} is summed up {told} times");
    }
    assert!(records[1..].iter().all(|request| words(request).contains("RECORD")), "each goes on from the one before");
    assert_eq!(talk.world.channel.shown().len(), 1);
}

/// Where no slice has time for a model to sum up, the last words stand for the past, and the turn is answered.
#[tokio::test]
async fn slices_that_are_always_too_short_do_without_a_model() {
    let talk = Talk::new();
    old_turns(talk.world.embedded.sessions.as_ref(), 60, &"word ".repeat(2_000)).await;
    let slice = Slice { deadline: talk.world.clock.now().plus(30_000) };
    let outcome = talk.world.agent.answer(&talk.world.installation, &talk.world.says("60", "and now?"), slice).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let asked = talk.asked();
    assert_eq!(asked.len(), 1);
    assert!(words(&asked[0]).contains("old question") && words(&asked[0]).contains("A record of this conversation"));
}

/// Turns that an earlier version stored, without ever summing up.
async fn old_turns(store: &dyn SessionStore, turns: u64, result: &str) {
    let key = main_session();
    for turn in 1..=turns {
        let user = UserFragment {
            sender: "7".into(),
            text: format!("old question {turn}."),
            authority: Authority::Owner,
            ..Default::default()
        };
        let call = Block::ToolUse { id: "a".into(), name: "look".into(), input: json!({}) };
        let answer = |user, blocks| {
            EntryBody::Assistant(AssistantEntry { user, blocks, model: "test/old".into(), ..Default::default() })
        };
        let results = EntryBody::ToolResults {
            results: vec![Block::ToolResult { id: "a".into(), text: result.into(), is_error: false, files: vec![] }],
        };
        let said = Block::Text { text: format!("old answer {turn}. {result}") };
        let bodies = [(0, answer(vec![user], vec![call])), (0, results), (1, answer(vec![], vec![said]))];
        for (step, body) in bodies {
            store.append(&key, &Entry { turn, step, at: Millis(turn), body }).await.unwrap();
        }
    }
    let event = chela_core::message::EventKey::of("old", "", "1");
    let claim = Claim { event: &event, owner: "old", now: Millis(1), until: Millis(2) };
    store.claim(&key, &claim).await.unwrap();
    let head = Head { epoch: 1, last_turn: turns, revision: 1, ..Head::default() };
    let fence = Fence { epoch: 1, owner: "old", lease_reaches: Millis(0) };
    store.save(&key, &head, &fence).await.unwrap();
}

#[tokio::test]
async fn what_is_older_than_what_is_read_is_summed_up_too() {
    let talk = Talk::new();
    old_turns(talk.world.embedded.sessions.as_ref(), 200, "short").await;
    let asked = talk.says(201, "and now?").await;
    let records: String = asked.iter().filter(|request| is_record(request)).map(words).collect();
    for turn in [1, 39, 40, 41, 100] {
        assert!(records.contains(&format!("old question {turn}.")), "turn {turn}");
    }
    let told = words(asked.last().unwrap());
    assert!(told.contains("RECORD") && told.contains("old question 200."));
    assert_eq!(talk.says(202, "and again?").await.len(), 1);
}

#[tokio::test]
async fn a_record_that_is_empty_or_too_long_gives_way_to_the_last_words() {
    for text in [String::new(), "much ado ".repeat(9_000)] {
        let talk = Talk::new();
        let number = talk.grow().await;
        talk.whim(move |request| is_record(request).then(|| Ok(vec![Block::Text { text: text.clone() }])));
        let asked = talk.says(number, &long(number).repeat(6)).await;
        assert!(is_record(&asked[0]));
        let told = words(asked.last().unwrap());
        assert!(told.contains("A record of this conversation") && told.contains("You: answer"), "{told}");
        assert!(!told.contains("much ado"));
    }
}

#[tokio::test]
async fn a_model_that_is_down_is_waited_for_and_the_past_is_not_lost() {
    let talk = Talk::new();
    let number = talk.grow().await;
    let down = || ModelError::Unavailable { provider: "test".into(), reason: "503".into() };
    talk.whim(move |_| Some(Err(down())));
    let envelope = talk.world.says(&number.to_string(), &long(number).repeat(6));
    assert!(matches!(talk.world.answer(&envelope).await, Outcome::Again { .. }));
    talk.whim(|_| None);
    talk.asked();
    talk.world.answer_until_done(&envelope).await;
    assert!(words(talk.asked().last().unwrap()).contains("RECORD"));
}

#[tokio::test]
async fn off_means_no_model_sums_up() {
    let mut talk = Talk::with_flush();
    let compaction = &mut talk.world.installation.agents.values_mut().next().unwrap().context.compaction;
    *compaction = CompactionSettings { by_model: false, flush: None, ..compaction.clone() };
    let number = talk.grow().await;
    let asked = talk.says(number, &long(number).repeat(6)).await;
    assert_eq!(asked.len(), 1);
    assert!(words(&asked[0]).contains("You: answer"));
}

#[tokio::test]
async fn before_the_past_is_summed_up_what_must_last_is_noted() {
    let talk = Talk::with_flush();
    let number = talk.grow().await;
    let asked = talk.says(number, &long(number).repeat(6)).await;
    assert!(is_flush(&asked[0]) && is_record(&asked[1]));
    assert_eq!(asked.iter().filter(|request| is_flush(request)).count(), 1);
    let tools: Vec<_> = asked[0].tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(tools, ["memory_save"]);
    assert!(words(&asked[0]).contains("question 1:") && asked[0].system.contains("You are a test."));
    let notes = talk.notebook.notes.lock().unwrap().clone();
    assert_eq!(notes.len(), 8, "twelve were wished");
    assert!(notes.iter().all(|(_, authority)| *authority == Authority::Owner));
    assert_eq!(talk.world.channel.shown().len(), number, "nobody is shown the notes");
}

fn by_guest(envelope: Envelope) -> Envelope {
    let Task::Message { inbound, standing, .. } = envelope.task else { panic!("a message") };
    Envelope { task: Task::Message { inbound, standing, authority: Authority::Guest }, ..envelope }
}

#[tokio::test]
async fn guests_words_are_summed_up_and_never_noted() {
    let talk = Talk::with_flush();
    let mut asked = Vec::new();
    for number in 1..60 {
        talk.world.answer_until_done(&by_guest(talk.world.says(&number.to_string(), &long(number)))).await;
        asked.extend(talk.asked());
    }
    assert!(asked.iter().any(is_record) && !asked.iter().any(is_flush));
    assert_eq!(talk.notebook.notes.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn compact_sums_up_at_once_and_heeds_what_stands_behind_it() {
    let talk = Talk::new();
    assert_eq!(talk.says(1, "/compact").await.len(), 0);
    talk.says(2, &long(2)).await;
    talk.says(3, &long(3)).await;
    let asked = talk.says(4, "/compact keep the names").await;
    assert!(asked.len() == 1 && is_record(&asked[0]));
    assert!(words(&asked[0]).contains("keep the names") && words(&asked[0]).contains("question 3:"));
    let shown = talk.world.channel.shown();
    assert!(shown[0].contains("nothing to compact"), "{shown:?}");
    assert!(shown[3].starts_with("Compacted: 2 turns into a summary of about "), "{shown:?}");
    let asked = talk.says(5, "and now?").await;
    let told = words(&asked[0]);
    assert!(told.contains("RECORD") && !told.contains("question 2:") && !told.contains(&long(3)), "{told}");
    assert!(!told.contains("/compact") && !told.contains("Compacted"));
    // A guest may not.
    talk.world.answer_until_done(&by_guest(talk.world.says("6", "/compact"))).await;
    assert_eq!(talk.asked().len(), 0);
}

#[tokio::test]
async fn new_forgets_the_record_too() {
    let talk = Talk::new();
    talk.says(1, &long(1)).await;
    talk.says(2, "/compact").await;
    talk.says(3, "/new").await;
    let asked = talk.says(4, "hello").await;
    assert!(!words(&asked[0]).contains("RECORD"));
    assert_eq!(asked[0].messages.len(), 1);
}

#[tokio::test]
async fn context_tells_what_fills_the_window() {
    let talk = Talk::new();
    talk.says(1, &long(1)).await;
    talk.says(2, "/compact").await;
    talk.says(3, &long(3)).await;
    assert_eq!(talk.says(4, "/context").await.len(), 0);
    let shown = talk.world.channel.shown();
    for part in [
        "**System prompt**",
        "**Tools**",
        "2 offered",
        "**Summary** of the turns up to 1",
        "in 1 turns",
        "of 16,000 tokens of test/scripted",
        "provider's last count",
    ] {
        assert!(shown[3].contains(part), "{part} is not in {}", shown[3]);
    }
}

/// Nothing is summed up for the sake of a turn that ended before it stored anything.
#[tokio::test]
async fn a_turn_without_entries_is_not_a_turn_that_was_left_out() {
    let talk = Talk::new();
    let key = SessionKey::from_stored("agent:main:main");
    let event = EventKey::of("recording", "default", "gone");
    let (sessions, now) = (&talk.world.embedded.sessions, talk.world.clock.now());
    let claim = Claim { event: &event, owner: "test", now, until: now.plus(1_000) };
    let Ok(Claimed::Held(mut head)) = sessions.claim(&key, &claim).await else { panic!("held") };
    (head.current, head.attempts, head.last_turn) = (None, 0, 1);
    head.release();
    let fence = Fence { epoch: head.epoch, owner: "test", lease_reaches: Millis(0) };
    sessions.save(&key, &head, &fence).await.unwrap();
    assert_eq!(talk.says(2, "hello").await.len(), 1);
    assert_eq!(talk.says(3, "and again").await.len(), 1, "the model is asked for an answer and for nothing else");
    assert_eq!(sessions.summary(&key, 1).await.unwrap(), None);
}
