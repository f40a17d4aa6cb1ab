//! Who may use a command, and for whom tools are run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chela_agent::Outcome;
use chela_core::access::{AccessStore, Pairing, PairingRequest, SenderRef};
use chela_core::agent_id::AgentId;
use chela_core::clock::{Clock, Millis};
use chela_core::command::{TABLE, Who};
use chela_core::directory::{Directory, Wishes};
use chela_core::model::ToolSpec;
use chela_core::queue::{Authority, Envelope, Standing, Task};
use chela_core::session::{Choices, SessionStore, StoreError};
use chela_core::session_key::{PeerKind, SessionKey};
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_testkit::model::Line;
use serde_json::json;

use crate::commands::told;
use crate::world::{World, calls, message, says};

/// As the webhook leaves a message whose sender no list names.
fn guest(world: &World, event: &str, text: &str, kind: PeerKind, standing: Standing) -> Envelope {
    let mut envelope = message(event, text, kind, standing, world.clock.now());
    if let Task::Message { authority, .. } = &mut envelope.task {
        *authority = Authority::Guest;
    }
    envelope
}

fn allowed(world: &World, text: &str) -> Envelope {
    guest(world, &world.clock.unique(), text, PeerKind::Direct, Standing::Allowed)
}

/// With something that may follow it where something must.
fn example(word: &str, arguments: &str) -> String {
    let argument = match word {
        "memory" => "save x",
        "skill" => "weather",
        "subagents" => "stop 1",
        "approve" => "7 deny",
        "deny" => "7",
        "model" | "new" => "scripted",
        "activation" => "always",
        "queue" => "steer",
        "think" => "high",
        "verbose" => "on",
        "usage" => "full",
        _ => "",
    };
    assert!(argument.is_empty() || !arguments.is_empty(), "{word} takes nothing");
    format!("/{word} {argument}")
}

#[tokio::test]
async fn a06_a_guest_is_refused_every_command_of_the_owner_and_nothing_is_done() {
    let world = World::new([]);
    for spec in TABLE.iter().filter(|spec| spec.who != Who::Everybody) {
        let text = example(spec.word, spec.arguments);
        let answer = told(&world, &allowed(&world, &text)).await;
        let word = format!("`/{}` is for my owner here", spec.word);
        assert!(answer.starts_with(&word) && answer.contains("Nothing was done"), "{text}: {answer}");
        assert!(!answer.contains("test/scripted"), "nothing of the configuration: {answer}");
    }
    let refused = told(&world, &allowed(&world, "/think high solve this")).await;
    assert!(refused.contains("`/think` is for my owner"), "{refused}");
    assert!(world.model.asked().is_empty());
    let session = SessionKey::from_stored("agent:main:main");
    let head = world.store.head(&session).await.unwrap().unwrap();
    assert_eq!((head.choices, head.forgotten), (Choices::default(), 0));
    assert_eq!(world.embedded.sessions.wishes(&session).await.unwrap(), Wishes::default());
}

#[tokio::test]
async fn a_guest_learns_what_a_guest_may_know() {
    let world = World::new([]);
    let status = told(&world, &allowed(&world, "/status")).await;
    assert_eq!(status, "**Agent** main\n**Conversation** 0 turns");
    let catalogue = told(&world, &allowed(&world, "/commands")).await;
    let help = told(&world, &allowed(&world, "/help")).await;
    for spec in TABLE {
        let everybodys = spec.who == Who::Everybody;
        assert_eq!(catalogue.contains(&format!("`{}`", spec.usage())), everybodys, "{}", spec.word);
        assert!(everybodys || !help.contains(&format!("/{} ", spec.word)), "{}", spec.word);
    }
    assert!(told(&world, &allowed(&world, "/whoami")).await.contains("`recording:7`"));
}

#[tokio::test]
async fn in_a_chat_of_their_own_guests_begin_anew() {
    let world = World::new([says("a"), says("b")]);
    let own = |text: &str| Envelope {
        session: SessionKey::from_stored("agent:main:recording:direct:7"),
        ..allowed(&world, text)
    };
    told(&world, &own("the word is quince")).await;
    assert_eq!(told(&world, &own("/new")).await, "A new conversation begins here.");
    let refused = told(&world, &own("/new scripted")).await;
    assert!(refused.contains("it changes what I cost"), "{refused}");
    told(&world, &own("which word?")).await;
    assert!(!format!("{:?}", world.model.asked()[1].messages).contains("quince"));
    assert_eq!(told(&world, &own("/stop")).await, "Stopped.");
    assert!(told(&world, &own("/reset")).await.contains("A new conversation begins here"));
    assert!(told(&world, &own("/model scripted")).await.contains("is for my owner"));
}

/// A tool that notes for whom it is run.
#[derive(Default)]
struct Witness(Mutex<Vec<Authority>>);

#[async_trait]
impl Tool for Witness {
    fn spec(&self) -> ToolSpec {
        ToolSpec { name: "lamp".into(), description: "Sees.".into(), input_schema: json!({"type": "object"}) }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.0.lock().unwrap().push(call.caller.authority);
        ToolAnswer::ok("seen")
    }
}

fn look() -> Line {
    Line::Calls(vec![("a".into(), "lamp".into(), json!({}))])
}

fn watched(lines: impl IntoIterator<Item = Line>) -> (World, Arc<Witness>) {
    let mut world = World::new(lines);
    let witness = Arc::new(Witness::default());
    world.installation.agents.get_mut(&AgentId::new("main")).unwrap().tools = vec![witness.clone()];
    (world, witness)
}

async fn pair(world: &World) {
    let stranger = guest(world, "0", "let me in", PeerKind::Direct, Standing::IfPaired);
    world.answer_until_done(&stranger).await;
    let access = &world.embedded.sessions;
    let pending = access.pending("recording", "default", world.clock.now()).await.unwrap();
    access.approve("recording", "default", &pending[0].code, world.clock.now()).await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_was_paired_is_an_owner_unless_owners_are_named() {
    for owners_named in [false, true] {
        let (mut world, witness) = watched([look(), says("done"), look(), says("done")]);
        world.installation.commands.owners_named = owners_named;
        pair(&world).await;
        assert!(world.model.asked().is_empty(), "a stranger asks no model");
        world.answer_until_done(&guest(&world, "1", "look", PeerKind::Direct, Standing::IfPaired)).await;
        let wanted = if owners_named { Authority::Guest } else { Authority::Owner };
        assert_eq!(*witness.0.lock().unwrap(), [wanted]);
        let answer = told(&world, &guest(&world, "2", "/think high", PeerKind::Direct, Standing::IfPaired)).await;
        assert_eq!(answer.contains("is for my owner"), owners_named, "{answer}");
    }
}

/// Who was let in cannot be looked up, or is looked up for ever.
struct AwayAccess {
    hangs: bool,
}

impl AwayAccess {
    async fn away<T>(&self) -> Result<T, StoreError> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Err(StoreError::Unavailable("503 Slow Down".into()))
    }
}

#[async_trait]
impl AccessStore for AwayAccess {
    async fn approved(&self, _: &SenderRef) -> Result<bool, StoreError> {
        self.away().await
    }

    async fn request_pairing(&self, _: &SenderRef, _: &str, _: Millis) -> Result<Pairing, StoreError> {
        self.away().await
    }

    async fn pending(&self, _: &str, _: &str, _: Millis) -> Result<Vec<PairingRequest>, StoreError> {
        self.away().await
    }

    async fn approve(&self, _: &str, _: &str, _: &str, _: Millis) -> Result<Option<SenderRef>, StoreError> {
        self.away().await
    }
}

/// The message stays in the queue: somebody who was let in is answered when the store is back, though with the rights of a
/// guest, because the message was stored while nobody knew.
#[tokio::test]
async fn a11_while_nobody_knows_who_was_let_in_nobody_is_answered() {
    for hangs in [false, true] {
        let (mut world, witness) = watched([look(), says("done"), look(), says("done")]);
        pair(&world).await;
        let before = world.channel.shown().len();
        let there = std::mem::replace(&mut world.agent.access, Arc::new(AwayAccess { hangs }));
        let envelope = guest(&world, "1", "look", PeerKind::Direct, Standing::IfPaired);
        for _ in 0..3 {
            // What hangs is ended from outside, as the deadline of a function ends it.
            let answered = tokio::time::timeout(Duration::from_millis(300), world.answer(&envelope)).await;
            assert!(!matches!(answered, Ok(Outcome::Done(_))), "{hangs}: the message is taken from the queue");
            world.clock.advance(chela_agent::LEASE_MS + 1_000);
        }
        assert_eq!(world.channel.shown().len(), before, "{hangs}: nothing is said, not even a code");
        assert!(world.model.asked().is_empty() && witness.0.lock().unwrap().is_empty(), "{hangs}: nothing is done");
        world.agent.access = there;
        world.answer_until_done(&envelope).await;
        assert_eq!(world.channel.shown().len(), before + 1, "{hangs}");
        let seen = witness.0.lock().unwrap().clone();
        assert_eq!(seen, [if hangs { Authority::Owner } else { Authority::Guest }], "{hangs}");
    }
}

#[tokio::test]
async fn others_are_guests_and_pairing_means_nothing_in_rooms() {
    let (world, witness) = watched((0..3).flat_map(|_| [look(), says("done")]));
    pair(&world).await;
    world.answer_until_done(&guest(&world, "1", "look", PeerKind::Direct, Standing::Allowed)).await;
    world.answer_until_done(&guest(&world, "2", "look", PeerKind::Group, Standing::Allowed)).await;
    world.answer_until_done(&guest(&world, "3", "look", PeerKind::Group, Standing::IfPaired)).await;
    assert_eq!(*witness.0.lock().unwrap(), [Authority::Guest; 3]);
}

/// Whose words are in a turn decides what may be done in it, from the moment they are.
#[tokio::test]
async fn a_guest_who_speaks_up_takes_the_owners_rights_from_the_rest_of_the_turn() {
    let (world, witness) = watched([look(), calls(&["b"]), says("done")]);
    let first = world.says("1", "look");
    world.clock.advance(10);
    let meanwhile = guest(&world, "2", "and behind the door?", PeerKind::Group, Standing::Allowed);
    world.embedded.sessions.leave(&meanwhile).await.unwrap();
    world.answer_until_done(&first).await;
    assert_eq!(*witness.0.lock().unwrap(), [Authority::Owner, Authority::Guest]);
}

/// Wherever the process dies: what was looked up is stored with the message, and looked up again where it was not.
#[tokio::test]
async fn a_paired_sender_stays_an_owner_through_every_crash() {
    for applied in [false, true] {
        for operation in 0..40 {
            // The first answer of the model may be lost.
            let (world, witness) = watched([look(), look(), says("done"), says("done")]);
            pair(&world).await;
            let envelope = guest(&world, "1", "look", PeerKind::Direct, Standing::IfPaired);
            world.store.dies_at(operation, applied);
            world.answer(&envelope).await;
            let died = world.store.revive();
            world.clock.advance(chela_agent::LEASE_MS + 1_000);
            world.answer_until_done(&envelope).await;
            let seen = witness.0.lock().unwrap().clone();
            assert!(
                !seen.is_empty() && seen.iter().all(|one| *one == Authority::Owner),
                "{operation} {applied}: {seen:?}"
            );
            if !died {
                assert!(operation > 5, "it dies somewhere");
                break;
            }
        }
    }
}
