//! Services that cost money and are no answers of models: all of them ask the purse of the turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chela_agent::{AutoVoice, MediaSettings, Outcome, Sees};
use chela_core::agent_id::AgentId;
use chela_core::media::{Ears, MediaError, Recording, Speech, Voice};
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelRequest, Stop, ToolSpec, Usage};
use chela_core::purse::{Purse, Service, Tariff, paid};
use chela_core::queue::{Envelope, Task};
use chela_core::session_key::SessionKey;
use chela_core::spend::{NanoDollars, Price, Scope, SpendStore};
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_testkit::model::Line;
use futures_util::future::join_all;
use serde_json::json;

use crate::media::{OGG, bringing, told, world};
use crate::world::{World, choice};

/// What a service may cost, and what it does cost.
const MOST: NanoDollars = 8_000_000;
const USED: NanoDollars = 2_000_000;

/// Hears, speaks and sells pictures.
struct Shop {
    price: Option<NanoDollars>,
    asked: AtomicU64,
}

impl Shop {
    fn open(price: Option<NanoDollars>) -> Arc<Self> {
        Arc::new(Self { price, asked: AtomicU64::new(0) })
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    async fn sell(&self, service: Service, purse: &dyn Purse) -> Result<(), MediaError> {
        let tariff = Tariff { service, name: "shop/thing".into(), price: self.price };
        let call = async {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(2)).await;
            (Ok(()), USED)
        };
        paid(purse, &tariff, MOST, call).await
    }
}

#[async_trait]
impl Ears for Shop {
    async fn transcribe(&self, _: &Recording, purse: &dyn Purse) -> Result<String, MediaError> {
        self.sell(Service::Transcripts, purse).await.map(|()| "buy milk".to_owned())
    }
}

#[async_trait]
impl Voice for Shop {
    async fn say(&self, _: &str, purse: &dyn Purse) -> Result<Speech, MediaError> {
        self.sell(Service::Speech, purse).await?;
        Ok(Speech { bytes: Bytes::from_static(b"ID3\x04"), extension: "mp3" })
    }
}

#[async_trait]
impl Tool for Shop {
    fn spec(&self) -> ToolSpec {
        ToolSpec { name: "paint".into(), description: "Paints.".into(), input_schema: json!({"type": "object"}) }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        match self.sell(Service::Pictures, call.purse).await {
            Ok(()) => ToolAnswer::ok("painted"),
            Err(error) => ToolAnswer::error(error.to_string()),
        }
    }
}

/// Has a picture painted, and then says so.
struct Customer;

#[async_trait]
impl Model for Customer {
    async fn call(
        &self,
        request: &ModelRequest,
        _: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        let blocks = request.messages.iter().flat_map(|message| &message.blocks);
        let painted = blocks.filter(|block| matches!(block, Block::ToolResult { .. })).count() > 0;
        let usage = Usage { input: 10, output: 100, ..Usage::default() };
        let call = Block::ToolUse { id: "call".into(), name: "paint".into(), input: json!({}) };
        let (block, stop) =
            if painted { (Block::Text { text: "done".into() }, Stop::End) } else { (call, Stop::ToolUse) };
        Ok(ModelAnswer { blocks: vec![block], stop, usage })
    }
}

/// A world in which all services are the shop's.
fn market(shop: &Arc<Shop>, lines: impl IntoIterator<Item = Line>) -> World {
    let media = MediaSettings {
        ears: Some(shop.clone()),
        voice: Some(shop.clone()),
        aloud: AutoVoice::Always,
        ..MediaSettings::default()
    };
    let mut world = world(&[("voice", Bytes::from_static(OGG))], lines, media, Sees::default());
    world.installation.agents.get_mut(&AgentId::new("main")).unwrap().tools.push(shop.clone());
    world
}

fn note(world: &World, event: &str) -> Envelope {
    bringing(world.says(event, ""), &["voice"])
}

fn paints() -> [Line; 2] {
    [Line::Calls(vec![("a".into(), "paint".into(), json!({}))]), Line::Says("done".into())]
}

const BOUGHT: [Service; 3] = [Service::Speech, Service::Transcripts, Service::Pictures];

#[tokio::test]
async fn every_service_counts_as_a_kind_and_for_everybody_it_was_used_for() {
    for limit in [None, Some(1_000_000_000)] {
        let shop = Shop::open(Some(1_000));
        let mut world = market(&shop, paints());
        world.installation.spend.per_day = limit;
        world.answer_until_done(&note(&world, "1")).await;
        let spending = world.spending().await;
        for service in BOUGHT {
            let sum = &spending[&Scope::Service(service)];
            assert_eq!((sum.spent, sum.reserved, sum.calls), (USED, 0, 1), "{service:?} {limit:?}");
        }
        let models = &spending[&Scope::Service(Service::Models)];
        let (all, person) = (&spending[&Scope::All], &spending[&Scope::User("recording:7".into())]);
        assert_eq!((all.spent, all.calls), (models.spent + 3 * USED, models.calls + 3));
        assert_eq!(all, person);
    }
}

#[tokio::test]
async fn beyond_a_limit_nothing_is_bought_and_everybody_is_told() {
    let shop = Shop::open(Some(1_000));
    let mut world = market(&shop, paints());
    world.models()[0].price = Some(Price::default());
    world.installation.spend.per_day = Some(MOST - 1);
    world.answer_until_done(&note(&world, "1")).await;
    let asked = world.model.asked();
    assert!(told(&asked[0]).contains("[voice note, not transcribed: today's limit on spending"), "{asked:?}");
    let Some(Block::ToolResult { text, is_error: true, .. }) = asked[1].messages.last().unwrap().blocks.first() else {
        panic!("{asked:?}")
    };
    assert!(text.contains("today's limit on spending"), "{text}");
    assert_eq!(world.channel.shown(), ["done"], "an answer that cannot be said is written");
    assert_eq!(shop.asked(), 0);
}

#[tokio::test]
async fn the_owner_is_warned_whatever_crosses_the_line() {
    let shop = Shop::open(Some(1_000));
    let mut world = market(&shop, paints());
    world.models()[0].price = Some(Price::default());
    // The third service crosses it: the voice, when the answer is there already.
    world.installation.spend.per_day = Some(4 * MOST);
    world.installation.spend.warn_at = 1_000 * 5 * USED / 2 / (4 * MOST);
    world.answer_until_done(&note(&world, "1")).await;
    let shown = world.channel.shown().concat();
    assert!(shown.contains("of today's limit of everything together"), "{shown}");
    // The first one crosses it: the ears, before the turn began.
    let mut world = market(&shop, paints());
    world.models()[0].price = Some(Price::default());
    world.installation.spend.per_day = Some(4 * MOST);
    world.installation.spend.warn_at = 1;
    world.answer_until_done(&note(&world, "1")).await;
    let shown = world.channel.shown().concat();
    assert_eq!(shown.matches("of today's limit of everything together").count(), 1, "{shown}");
}

#[tokio::test]
async fn a_halt_stops_every_service() {
    let shop = Shop::open(Some(1_000));
    let world = market(&shop, []);
    world.embedded.sessions.halt("default", true).await.unwrap();
    world.answer_until_done(&note(&world, "1")).await;
    assert_eq!((shop.asked(), world.model.asked().len()), (0, 0));
    assert!(world.spending().await.is_empty());
}

#[tokio::test]
async fn what_has_no_price_is_counted_as_calls_and_not_used_where_money_is_limited() {
    let shop = Shop::open(None);
    let world = market(&shop, paints());
    world.answer_until_done(&note(&world, "1")).await;
    let sum = world.spending().await[&Scope::Service(Service::Speech)].clone();
    assert_eq!((sum.spent, sum.calls, shop.asked()), (0, 1, 3));
    world.answer_until_done(&world.says("2", "/usage")).await;
    assert!(world.channel.shown().concat().contains("- speech: $0.00 · 1 call"), "{:?}", world.channel.shown());
    let mut world = market(&shop, paints());
    world.installation.spend.per_day = Some(1_000_000_000);
    world.answer_until_done(&note(&world, "1")).await;
    let asked = told(&world.model.asked()[0]);
    assert!(
        asked.contains("nobody knows what shop/thing costs") && asked.contains("spend.prices.transcripts"),
        "{asked}"
    );
    assert_eq!(shop.asked(), 3, "nobody was asked again");
}

/// Two hundred conversations at once, each with a voice note, two answers, a picture and a spoken reply: together they
/// would cost several times what is allowed.
#[tokio::test]
async fn two_hundred_mixed_turns_at_once_never_pass_a_limit() {
    let shop = Shop::open(Some(1_000));
    let mut world = market(&shop, []);
    *world.models() = vec![choice("test/customer", [("test:default", Arc::new(Customer) as _)])];
    let limit = 1_500_000_000;
    world.installation.spend.per_day = Some(limit);
    let turn = |n: u32| {
        let mut envelope = note(&world, &n.to_string());
        envelope.session = SessionKey::from_stored(format!("agent:main:recording:direct:{n}"));
        let Task::Message { inbound, .. } = &mut envelope.task else { panic!("a message") };
        inbound.sender.id = n.to_string();
        envelope
    };
    let turns: Vec<Envelope> = (0..200).map(turn).collect();
    let world = &world;
    let watch = async {
        for _ in 0..100 {
            let all = world.spending().await.remove(&Scope::All).unwrap_or_default();
            assert!(all.spent + all.reserved <= limit, "{all:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let (outcomes, ()) = tokio::join!(join_all(turns.iter().map(|turn| world.answer(turn))), watch);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))), "every sender is answered");
    let spending = world.spending().await;
    let all = &spending[&Scope::All];
    assert!(all.spent <= limit && all.reserved == 0, "{all:?}");
    let of = |service| spending[&Scope::Service(service)].clone();
    assert!(BOUGHT.into_iter().all(|service| of(service).calls > 0), "{spending:?}");
    let bought = BOUGHT.map(|service| of(service).calls).into_iter().sum::<u64>();
    assert_eq!(shop.asked(), bought, "what was asked for was counted");
    assert_eq!(of(Service::Models).spent + bought * USED, all.spent);
    let stopped = world.channel.shown().iter().filter(|text| text.contains("I have to stop for today")).count();
    assert!(stopped > 0, "the limit was met");
}
