//! What is answered without a model: each command with its story. Who may use them is told in `authority`.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chela_agent::{ModelChoice, Outcome};
use chela_core::access::AccessStore;
use chela_core::agent_id::AgentId;
use chela_core::blob::{BlobStore, Precondition};
use chela_core::clock::{Clock, Millis};
use chela_core::command::TABLE;
use chela_core::directory::{Directory, Listing, Wishes};
use chela_core::model::{Thinking, ToolSpec, Usage};
use chela_core::queue::{Authority, Envelope, Purpose, Standing, Task};
use chela_core::session::{Choices, Control, SessionStore, UsageFooter, Verbose};
use chela_core::session_key::{PeerKind, SessionKey};
use chela_core::spend::{Day, Reservation, Scope, Settlement, SpendStore};
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_core::tool_policy::Limit;
use chela_testkit::channel::RecordingChannel;
use serde_json::json;

use crate::world::{World, calls, message, says};

fn main_session() -> SessionKey {
    SessionKey::from_stored("agent:main:main")
}

/// What is answered to a message, all its parts together.
pub(crate) async fn told(world: &World, envelope: &Envelope) -> String {
    let before = world.channel.shown().len();
    world.answer_until_done(envelope).await;
    world.channel.shown()[before..].join("\n")
}

/// The owner says something; every call is an event of its own.
async fn ask(world: &World, text: &str) -> String {
    world.clock.advance(1);
    told(world, &world.says(&world.clock.unique(), text)).await
}

async fn choices(world: &World) -> Choices {
    world.store.head(&main_session()).await.unwrap().unwrap().choices
}

/// A world whose agent has three models.
fn with_models(lines: impl IntoIterator<Item = chela_testkit::model::Line>) -> World {
    let mut world = World::new(lines);
    let settings = world.installation.agents.get_mut(&AgentId::new("main")).unwrap();
    let first = settings.models[0].clone();
    let named = |name: &str, id: &str| ModelChoice { name: name.into(), id: id.into(), ..first.clone() };
    settings.models.extend([named("other/big-5", "big-5"), named("other/small-5", "small-5")]);
    world
}

#[tokio::test]
async fn new_sets_aside_what_was_said_before() {
    let world = World::new([says("one"), says("two"), says("three")]);
    world.answer_until_done(&world.says("1", "remember the word quince")).await;
    world.answer_until_done(&world.says("2", "and now?")).await;
    world.answer_until_done(&world.says("3", "/new")).await;
    world.answer_until_done(&world.says("4", "which word?")).await;
    let asked = world.model.asked();
    assert_eq!(asked.len(), 3, "/new asks no model");
    assert!(format!("{:?}", asked[1].messages).contains("quince"));
    assert!(!format!("{:?}", asked[2].messages).contains("quince"));
    assert_eq!(world.channel.shown()[2], "A new conversation begins here.");
}

#[tokio::test]
async fn status_and_help_answer_and_stay_out_of_the_transcript() {
    let world = World::new([says("hello")]);
    world.answer_until_done(&world.says("1", "/status")).await;
    world.answer_until_done(&world.says("2", "/HELP me")).await;
    world.answer_until_done(&world.says("3", "hi")).await;
    let shown = world.channel.shown();
    assert!(shown[0].contains("test/scripted") && shown[0].contains("agent:main:main"));
    for command in ["/new", "/status", "/stop", "/help"] {
        assert!(shown[1].contains(command));
    }
    assert_eq!(world.model.asked()[0].messages.len(), 1);
}

#[tokio::test]
async fn stop_ends_a_running_turn_at_its_next_step() {
    let world = World::new([calls(&["a"]), says("never said")]);
    let envelope = world.says("1", "long work");
    // The mark is left while the first step runs: here, before it, but after the message was accepted.
    let control = Control { stop_before: world.clock.now().plus(1) };
    world.store.set_control(&envelope.session, &control).await.unwrap();
    world.answer_until_done(&envelope).await;
    assert_eq!(world.model.asked().len(), 1);
    assert!(world.channel.shown().is_empty());
    world.clock.advance(10);
    world.answer_until_done(&world.says("2", "/stop")).await;
    assert_eq!(world.channel.shown(), ["Stopped."]);
}

#[tokio::test]
async fn a_stop_does_not_end_later_turns() {
    let world = World::new([calls(&["a"]), says("done")]);
    let before = Control { stop_before: world.clock.now() };
    let envelope = world.says("1", "work");
    world.store.set_control(&envelope.session, &before).await.unwrap();
    world.answer_until_done(&envelope).await;
    assert_eq!(world.channel.shown(), ["done"]);
}

#[tokio::test]
async fn a_stranger_gets_one_code_and_no_model() {
    let world = World::new([says("welcome")]);
    let stranger = |event: &str| message(event, "let me in", PeerKind::Direct, Standing::IfPaired, world.clock.now());
    world.answer_until_done(&stranger("1")).await;
    world.answer_until_done(&stranger("2")).await;
    assert_eq!(world.channel.shown().len(), 1, "the code is told once");
    assert!(world.model.asked().is_empty());

    let access = &world.embedded.sessions;
    let pending = access.pending("recording", "default", world.clock.now()).await.unwrap();
    assert!(world.channel.shown()[0].contains(&pending[0].code));
    access.approve("recording", "default", &pending[0].code, world.clock.now()).await.unwrap().unwrap();
    world.answer_until_done(&stranger("3")).await;
    assert_eq!(world.channel.shown()[1], "welcome");
    let asked = format!("{:?}", world.model.asked()[0].messages);
    assert_eq!(asked.matches("let me in").count(), 1, "what a stranger said before is not in the transcript");
}

#[tokio::test]
async fn an_agent_that_is_not_configured_leaves_the_message_in_the_queue() {
    let world = World::new([]);
    let mut envelope = world.says("1", "hi");
    envelope.agent = chela_core::agent_id::AgentId::new("ghost");
    let Outcome::Again { reason, .. } = world.answer(&envelope).await else { panic!("it waits") };
    assert!(reason.contains("ghost") && reason.contains("agents.list"), "{reason}");
}

#[tokio::test]
async fn every_command_is_in_the_catalogue_and_the_first_ones_in_help() {
    let world = World::new([]);
    let (help, catalogue) = (ask(&world, "/help").await, ask(&world, "/commands").await);
    for spec in TABLE {
        assert!(catalogue.contains(&format!("`{}` – {}", spec.usage(), spec.does)), "{}", spec.word);
        assert_eq!(help.contains(spec.does), help.contains(&format!("/{} – ", spec.word)), "{}", spec.word);
    }
    assert!(help.contains("/model – ") && !help.contains("/export – "));
    assert!(world.channel.shown().iter().all(|part| part.encode_utf16().count() <= 2000), "cut for the channel");
}

#[tokio::test]
async fn what_is_written_wrongly_is_answered_with_how_it_is_written() {
    let world = World::new([]);
    let wrong = [
        "/reset soft",
        "/think harder",
        "/verbose loudly",
        "/usage daily",
        "/context all",
        "/export pdf",
        "/memory",
        "/memory search",
        "/memory save ",
        "/memory forget everything",
        "/skill",
        "/subagents log",
        "/subagents log one",
        "/subagents kill 1",
        "/approve",
        "/approve 7 maybe",
        "/deny",
        "/deny 7 please",
        "/activation never",
        "/queue fast",
    ];
    for text in wrong {
        let answer = ask(&world, text).await;
        assert!(answer.contains("Write it as `/") || answer.contains("is for rooms"), "{text}: {answer}");
    }
    assert!(world.model.asked().is_empty(), "no model is asked");
    assert_eq!(choices(&world).await, Choices::default());
    assert_eq!(world.embedded.sessions.wishes(&main_session()).await.unwrap(), Wishes::default());
}

#[tokio::test]
async fn a_chosen_model_is_asked_first_until_it_is_the_configured_one_again() {
    let world = with_models([says("a"), says("b"), says("c")]);
    assert!(ask(&world, "/model").await.contains("2. `other/big-5`"));
    assert!(ask(&world, "/model small-5").await.contains("`other/small-5`"));
    ask(&world, "hi").await;
    assert!(ask(&world, "/models other").await.contains("3. `other/small-5`"));
    assert!(!ask(&world, "/models other").await.contains("test/scripted"));
    assert!(ask(&world, "/models nobody").await.contains("no such model"));
    assert!(ask(&world, "/status").await.contains("other/small-5 (chosen"));
    assert!(ask(&world, "/model 2").await.contains("`other/big-5`"));
    ask(&world, "hi").await;
    let refused = ask(&world, "/model 5").await;
    assert!(refused.contains("names none of my models, or several") && refused.contains("1. `test/scripted`"));
    ask(&world, "/model default").await;
    ask(&world, "hi").await;
    let asked: Vec<String> = world.model.asked().into_iter().map(|request| request.model).collect();
    assert_eq!(asked, ["small-5", "big-5", "scripted"]);
}

#[tokio::test]
async fn new_keeps_what_was_chosen_and_reset_drops_it() {
    let world = with_models([says("a"), says("b")]);
    for command in ["/think high", "/verbose full", "/usage tokens", "/model big-5"] {
        ask(&world, command).await;
    }
    let chosen = Choices {
        model: Some("other/big-5".into()),
        thinking: Some(Thinking::High),
        verbose: Some(Verbose::Full),
        usage: Some(UsageFooter::Tokens),
        profile: None,
    };
    assert_eq!(choices(&world).await, chosen);
    ask(&world, "the word is quince").await;
    assert_eq!(ask(&world, "/new").await, "A new conversation begins here.");
    assert_eq!(choices(&world).await, chosen);
    assert!(ask(&world, "/new small-5").await.contains("with other/small-5"));
    assert_eq!(choices(&world).await, Choices { model: Some("other/small-5".into()), ..chosen.clone() });
    let head = world.store.head(&main_session()).await.unwrap().unwrap();
    assert!(ask(&world, "/new hello there").await.contains("names none"), "no model, so nothing begins");
    assert_eq!(world.store.head(&main_session()).await.unwrap().unwrap().forgotten, head.forgotten);
    assert!(ask(&world, "/reset").await.contains("as it is configured"));
    assert_eq!(choices(&world).await, Choices::default());
    ask(&world, "which word?").await;
    assert!(!format!("{:?}", world.model.asked()[1].messages).contains("quince"));
}

#[tokio::test]
async fn what_stands_before_the_words_is_for_them_alone() {
    let world = with_models([says("a"), says("b")]);
    assert!(ask(&world, "/think").await.contains("as configured"));
    ask(&world, "/think@some_bot high /model small-5 solve this\n  please").await;
    ask(&world, "and this").await;
    let asked = world.model.asked();
    assert_eq!((asked[0].thinking, asked[0].model.as_str()), (Thinking::High, "small-5"));
    let said = format!("{:?}", asked[0].messages);
    assert!(said.contains("solve this\\n  please") && !said.contains("/think") && !said.contains("/model"), "{said}");
    assert_eq!((asked[1].thinking, asked[1].model.as_str()), (Thinking::Off, "scripted"));
    assert!(format!("{:?}", asked[1].messages).contains("solve this"), "it is kept as the model read it");
    assert_eq!(choices(&world).await, Choices::default());
    let refused = ask(&world, "/model nobody solve this").await;
    assert!(refused.contains("`nobody` names none of my models") && world.model.asked().len() == 2, "{refused}");
}

#[tokio::test]
async fn choices_before_the_words_hold_in_every_step_of_their_turn() {
    let world = World::new([calls(&["a"]), says("done")]);
    ask(&world, "/think low switch it on").await;
    let asked: Vec<Thinking> = world.model.asked().into_iter().map(|request| request.thinking).collect();
    assert_eq!(asked, [Thinking::Low, Thinking::Low]);
}

#[tokio::test]
async fn a_skill_is_asked_of_the_model() {
    let world = World::new([says("sunny")]);
    assert_eq!(ask(&world, "/skill weather in Bern").await, "sunny");
    let said = format!("{:?}", world.model.asked()[0].messages);
    assert!(said.contains("Use the skill weather: in Bern") && !said.contains("/skill"), "{said}");
}

#[tokio::test]
async fn a_wish_to_sum_up_is_left_to_whoever_puts_the_conversation_together() {
    let world = World::new([]);
    assert!(ask(&world, "/compact the names").await.contains("nothing to compact"));
}

#[tokio::test]
async fn a_command_that_is_turned_off_does_nothing_and_typed_ones_may_be_words() {
    let mut world = World::new([says("as words")]);
    world.installation.commands.disabled = vec!["/T".into(), "export".into()];
    assert_eq!(ask(&world, "/think high").await, "`/think` is turned off here.");
    assert_eq!(ask(&world, "/think high and solve this").await, "`/think` is turned off here.");
    assert!(!ask(&world, "/commands").await.contains("/export"));
    assert_eq!(choices(&world).await, Choices::default());
    world.installation.commands.typed = false;
    assert_eq!(ask(&world, "/think high and solve this").await, "as words");
    let asked = world.model.asked();
    assert!(asked[0].thinking == Thinking::Off && format!("{:?}", asked[0].messages).contains("/think high and"));
}

#[tokio::test]
async fn wishes_of_a_room_stand_beside_each_other() {
    let world = World::new([]);
    let room = |event: &str, text: &str| message(event, text, PeerKind::Group, Standing::Allowed, world.clock.now());
    assert!(told(&world, &room("1", "/activation always")).await.contains("everything"));
    assert!(told(&world, &room("2", "/queue steer")).await.contains("steer"));
    let session = main_session();
    let wishes = || world.embedded.sessions.wishes(&session);
    assert_eq!(wishes().await.unwrap(), Wishes { answer_all: Some(true), queue: Some("steer".into()) });
    let status = told(&world, &room("3", "/status")).await;
    assert!(status.contains("**Queue** steer") && status.contains("**Activation** everything"), "{status}");
    told(&world, &room("4", "/new")).await;
    told(&world, &room("5", "/activation mention")).await;
    told(&world, &room("6", "/queue default")).await;
    assert_eq!(wishes().await.unwrap(), Wishes { answer_all: Some(false), queue: None });
    assert!(told(&world, &room("7", "/activation")).await.contains("only what is addressed to me"));
    assert!(told(&world, &room("8", "/queue")).await.contains("as configured"));
    assert!(ask(&world, "/activation always").await.contains("is for rooms"));
}

/// Red without the look at wishes in the running turn.
#[tokio::test]
async fn a_turn_heeds_later_messages_where_that_is_wished() {
    for wished in [true, false] {
        let mut world = World::new([calls(&["a"]), says("done")]);
        let outlet = world.installation.outlets.values_mut().next().unwrap();
        outlet.steered = false;
        if wished {
            ask(&world, "/queue steer").await;
        }
        let first = world.says("1", "switch it on");
        world.clock.advance(5);
        world.store.leave(&world.says("2", "and be quick")).await.unwrap();
        world.answer_until_done(&first).await;
        let asked = format!("{:?}", world.model.asked()[1].messages);
        assert_eq!(asked.contains("and be quick"), wished);
    }
}

#[tokio::test]
async fn the_context_is_measured() {
    let world = World::new([calls(&["a"]), says("done")]);
    ask(&world, &format!("a long story {}", "x".repeat(3000))).await;
    let summary = ask(&world, "/context").await;
    assert!(
        summary.contains("**Tools**") && summary.contains("in 1 turns") && summary.contains("100,000"),
        "{summary}"
    );
    let detail = ask(&world, "/context detail").await;
    assert!(detail.contains("- lamp: ") && detail.contains("user, \"a long story"), "{detail}");
    let json = ask(&world, "/context json").await;
    let json = json.trim_start_matches("```json").trim_end_matches("```");
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["window"], 100_000);
    assert!(json["messages"]["tokens"].as_u64().unwrap() > 700);
    ask(&world, "/new").await;
    assert!(ask(&world, "/context list").await.contains("in 0 turns"));
}

#[tokio::test]
async fn what_today_cost_is_told() {
    let mut world = World::new([]);
    world.installation.spend.tenant = "acme".into();
    assert!(ask(&world, "/usage").await.contains("nothing was spent"));
    // 2027-01-15, a day of the clock's.
    let day = Day { tenant: "acme".into(), date: "2027-01-15".into() };
    let scopes = [(Scope::All, None), (Scope::Agent("main".into()), None)].into();
    let at = world.clock.now();
    let reservation = Reservation { name: "a".into(), day, scopes, amount: 9_000_000, at };
    let spend = &world.embedded.sessions;
    spend.reserve(&reservation).await.unwrap();
    let usage = Usage { input: 700, output: 30, ..Usage::default() };
    spend.settle(&Settlement { reservation, spent: 12_300_000, usage }).await.unwrap();
    let told = ask(&world, "/usage cost").await;
    assert!(told.contains("$0.0123 · 1 call · 700 tokens in · 30 out"), "{told}");
    assert!(told.contains("- agent \"main\": $0.0123"), "{told}");
    assert!(ask(&world, "/status").await.contains("**Today** $0.0123"));
    ask(&world, "/usage full").await;
    assert_eq!(choices(&world).await.usage, Some(UsageFooter::Full));
    ask(&world, "/usage reset").await;
    assert_eq!(choices(&world).await.usage, None);
}

#[tokio::test]
async fn a_conversation_is_sent_as_a_file() {
    let channel = RecordingChannel::with(|channel| channel.uploads = true);
    let world = World::with([calls(&["a"]), says("the lamp is on now")], channel, Effect::None);
    assert!(ask(&world, "/export").await.contains("nothing to export"));
    ask(&world, "switch it on").await;
    ask(&world, "/new").await;
    let told = ask(&world, "/export").await;
    assert!(told.contains(".md: text/plain, "), "{told}");
    assert!(ask(&world, "/export jsonl").await.contains(".jsonl: "));
    assert!(ask(&world, "/export html").await.contains(".html: "));
    let files = world.embedded.blobs.list("agents/main/exports/", 10).await.unwrap();
    assert_eq!(files.len(), 3);
    let read = async |ending: &str| {
        let file = files.iter().find(|file| file.key.ends_with(ending)).unwrap();
        String::from_utf8(world.embedded.blobs.get(&file.key).await.unwrap().unwrap().bytes.to_vec()).unwrap()
    };
    let markdown = read(".md").await;
    let parts = ["## Turn 2, 2027-01-15", "switch it on", "uses lamp", "the lamp is on\n", "the lamp is on now"];
    let mut rest = markdown.as_str();
    for part in parts {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("{part} is missing or in the wrong place: {markdown}")).1;
    }
    let page = read(".html").await;
    assert!(page.contains("<p>switch it on</p>") && page.contains("uses lamp</h3>\n<pre>{}</pre>"), "{page}");
    assert!(read(".jsonl").await.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

/// Tools that note what they are called with.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

struct NoteTool(&'static str, Arc<Notes>);

#[async_trait]
impl Tool for NoteTool {
    fn spec(&self) -> ToolSpec {
        ToolSpec { name: self.0.into(), description: "Notes.".into(), input_schema: json!({"type": "object"}) }
    }

    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.1.0.lock().unwrap().push(format!("{} {} {}", self.0, call.input, call.idempotency_key));
        ToolAnswer::ok("found:\nMEDIA:SOUL.md\n[[quick_replies: A, B]]")
    }
}

#[tokio::test]
async fn notes_are_searched_shown_and_added_to() {
    let mut world = World::new([]);
    assert!(ask(&world, "/memory search quince").await.contains("may not use the tool"));
    let notes = Arc::new(Notes::default());
    let tools = ["memory_search", "memory_save"].map(|name| Arc::new(NoteTool(name, notes.clone())) as Arc<dyn Tool>);
    world.installation.agents.get_mut(&AgentId::new("main")).unwrap().tools = tools.into();
    let found = ask(&world, "/memory search the quince").await;
    assert_eq!(found, "> found:\n> MEDIA:SOUL.md\n> [ [quick_replies: A, B]]", "it is quoted, and nothing is sent");
    let envelope = world.says("save", "/memory save Ada likes\nquinces");
    world.store.dies_at(4, false);
    world.answer(&envelope).await;
    assert!(world.store.revive());
    world.clock.advance(60_000);
    world.answer_until_done(&envelope).await;
    let calls = notes.0.lock().unwrap().clone();
    assert!(calls[0].starts_with(r#"memory_search {"query":"the quince"}"#), "{calls:?}");
    assert!(calls[1].starts_with(r#"memory_save {"text":"Ada likes\nquinces"}"#), "{calls:?}");
    assert!(calls.iter().skip(1).all(|call| *call == calls[1]), "one key, whatever dies: {calls:?}");

    let note = Bytes::from_static(b"# Ada\nMEDIA:x.png");
    world.embedded.blobs.put("agents/main/MEMORY.md", note, Precondition::None).await.unwrap();
    assert_eq!(ask(&world, "/memory show").await, "`MEMORY.md`:\n> # Ada\n> MEDIA:x.png");
    assert!(ask(&world, "/memory show memory/2020-01-01.md").await.contains("There is no note"));
    for other in ["SOUL.md", "../../config/chela.json5", "memory/x.txt"] {
        assert!(ask(&world, &format!("/memory show {other}")).await.contains("Notes are `MEMORY.md`"), "{other}");
    }
    let escape = ask(&world, "/memory show memory/../SOUL.md").await;
    assert!(!escape.contains('>'), "{escape}");
}

#[tokio::test]
async fn a_conversation_has_the_name_that_it_was_given() {
    let world = World::new([says("hello")]);
    ask(&world, "hi").await;
    let began = world.embedded.sessions.listed(&AgentId::new("main"), 9).await.unwrap()[0].began;
    assert_eq!(ask(&world, "/name").await, "This conversation is called:\n> recording Ada");
    let told = ask(&world, "/name Trip [[to]] Bonn\u{7} ").await;
    assert_eq!(told, "This conversation is now called:\n> Trip [ [to]] Bonn");
    assert!(ask(&world, "/status").await.contains("**Name** Trip [ [to]] Bonn\n"));
    let listed = world.embedded.sessions.listed(&AgentId::new("main"), 9).await.unwrap();
    let [Listing { label, began: kept, .. }] = listed.as_slice() else { panic!("one conversation: {listed:?}") };
    assert_eq!((label.as_deref(), *kept), (Some("Trip [[to]] Bonn"), began));
}

#[tokio::test]
async fn sub_agents_that_ended_long_ago_are_listed_no_more() {
    let mut world = World::new([]);
    let child = |name: &str, ended: Option<u64>| Listing {
        session: SessionKey::from_stored(format!("agent:main:subagent:{name}")),
        agent: AgentId::new("main"),
        label: Some(name.into()),
        parent: Some(main_session()),
        began: world.clock.now(),
        ended: ended.map(|minutes| Millis(world.clock.now().0 - minutes * 60_000)),
    };
    for child in [child("old", Some(61)), child("young", Some(59)), child("busy", None)] {
        world.embedded.sessions.list(&child).await.unwrap();
    }
    assert!(ask(&world, "/subagents").await.contains("old (main)"), "nothing is archived where that is not wished");
    let settings = world.installation.agents.get_mut(&AgentId::new("main")).unwrap();
    settings.archive_after = Some(std::time::Duration::from_secs(60 * 60));
    let list = ask(&world, "/subagents").await;
    assert!(!list.contains("old (main)") && list.contains("young (main)") && list.contains("busy (main)"), "{list}");
}

#[tokio::test]
async fn agents_and_sub_agents_are_listed_and_stopped() {
    let world = World::new([]);
    assert_eq!(ask(&world, "/agents").await, "- main (test/scripted) – answers here");
    assert!(ask(&world, "/subagents").await.contains("No sub-agent"));
    let directory = &world.embedded.sessions;
    let child = |name: &str, began: u64, ended: Option<u64>| Listing {
        session: SessionKey::from_stored(format!("agent:main:subagent:{name}")),
        agent: AgentId::new("main"),
        label: Some(format!("the {name}")),
        parent: Some(main_session()),
        began: Millis(world.clock.now().0 - began),
        ended: ended.map(|ended| Millis(world.clock.now().0 - ended)),
    };
    directory.list(&child("old one", 7_200_000, Some(3_600_000))).await.unwrap();
    directory.list(&child("new one", 120_000, None)).await.unwrap();
    let list = ask(&world, "/subagents").await;
    assert!(list.contains("1. the new one (main) – begun 2 min ago, at work"), "{list}");
    assert!(list.contains("2. the old one (main) – begun 2 h ago, reported 1 h ago"), "{list}");
    assert!(ask(&world, "/subagents info 1").await.contains("`agent:main:subagent:new one`"));
    assert!(ask(&world, "/subagents log #1").await.contains("has said nothing yet"));
    assert!(ask(&world, "/subagents log 3").await.contains("There is no sub-agent 3"));
    assert!(ask(&world, "/subagents stop 2").await.contains("has reported already"));
    assert!(ask(&world, "/subagents stop 1").await.contains("ends at its next step"));
    let mark = |name: &str| SessionKey::from_stored(format!("agent:main:subagent:{name}"));
    assert!(world.store.control(&mark("new one")).await.unwrap().unwrap().stop_before <= world.clock.now());
    assert_eq!(world.store.control(&mark("old one")).await.unwrap(), None);

    let mut work = world.says("work", "find quinces");
    work.session = mark("new one");
    work.accepted_at = world.clock.now();
    work.task = Task::Relay {
        from: main_session(),
        purpose: Purpose::Assign,
        label: None,
        text: "find quinces".into(),
        depth: 1,
        hops: 1,
        authority: Authority::Owner,
        limit: Limit::default(),
        deliver_to: None,
    };
    world.answer_until_done(&work).await;
    assert_eq!(ask(&world, "/subagents log 1").await, "> (end of script)");
}

#[tokio::test]
async fn nothing_waits_for_approval() {
    let world = World::new([]);
    for command in ["/approve 7 allow-once", "/approve 7 allow-always", "/approve 7 deny", "/deny 7"] {
        assert_eq!(
            ask(&world, command).await,
            "Nothing of this name waits for your approval. `/approvals` shows what does."
        );
    }
}

#[tokio::test]
async fn a_sender_learns_their_id() {
    let world = World::new([]);
    assert_eq!(ask(&world, "/id").await, "You are `recording:7`, on account default. To me you are an owner.");
}
