//! Money: reserved before a call, settled after it, and never more than the owner allows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chela_agent::{Limits, Outcome};
use chela_core::clock::Clock;
use chela_core::model::{Block, Delta, Model, ModelAnswer, ModelError, ModelRequest, Stop, Usage};
use chela_core::purse::Service;
use chela_core::queue::{Authority, Envelope, Standing, Task};
use chela_core::session::{Choices, StoreError, UsageFooter};
use chela_core::session_key::{PeerKind, SessionKey};
use chela_core::spend::{Day, NanoDollars, Price, Reservation, Reserved, Scope, Settlement, SpendStore, Spending};
use futures_util::future::join_all;

use crate::world::{World, choice, message, says};

/// What a scripted answer costs: fifteen tokens.
const ANSWER: NanoDollars = 1_500_000;

/// A model that thinks for a while and answers at length.
#[derive(Default)]
struct Talker {
    asked: AtomicUsize,
    tokens: u64,
}

#[async_trait]
impl Model for Talker {
    async fn call(
        &self,
        _: &ModelRequest,
        _: &mut (dyn for<'d> FnMut(&'d Delta) + Send),
    ) -> Result<ModelAnswer, ModelError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let usage = Usage { input: 10, output: self.tokens, ..Usage::default() };
        Ok(ModelAnswer { blocks: vec![Block::Text { text: "well".into() }], stop: Stop::End, usage })
    }
}

/// Notes what is asked of the counters.
struct Watched {
    inner: Arc<dyn SpendStore>,
    seen: Mutex<Vec<&'static str>>,
}

impl Watched {
    fn note(&self, what: &'static str) {
        self.seen.lock().unwrap().push(what);
    }
}

#[async_trait]
impl SpendStore for Watched {
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        self.note("reserve");
        self.inner.reserve(reservation).await
    }

    async fn settle(&self, settlement: &Settlement) -> Result<BTreeMap<Scope, NanoDollars>, StoreError> {
        self.note("settle");
        self.inner.settle(settlement).await
    }

    async fn count(&self, settlement: &Settlement) -> Result<(), StoreError> {
        self.note("count");
        self.inner.count(settlement).await
    }

    async fn spending(&self, day: &Day) -> Result<BTreeMap<Scope, Spending>, StoreError> {
        self.inner.spending(day).await
    }

    async fn halt(&self, tenant: &str, halted: bool) -> Result<(), StoreError> {
        self.inner.halt(tenant, halted).await
    }

    async fn halted(&self, tenant: &str) -> Result<bool, StoreError> {
        self.note("halted");
        self.inner.halted(tenant).await
    }
}

fn watched(world: &mut World) -> Arc<Watched> {
    let watched = Arc::new(Watched { inner: world.embedded.sessions.clone(), seen: Mutex::default() });
    world.agent.spend = watched.clone();
    watched
}

fn by_a_guest(world: &World, event: &str) -> Envelope {
    let mut envelope = world.says(event, "hi");
    if let Task::Message { authority, .. } = &mut envelope.task {
        *authority = Authority::Guest;
    }
    envelope
}

fn beat(world: &World, name: &str) -> Envelope {
    let Task::Message { inbound, .. } = world.says("x", "x").task else { panic!("a message") };
    let task = Task::Heartbeat {
        name: name.into(),
        scheduled_at: world.clock.now(),
        prompt: "anything?".into(),
        deliver_to: Some(inbound.reply_to),
        made_for: None,
    };
    Envelope { task, session: SessionKey::from_stored(format!("cron:{name}")), ..world.says(name, "") }
}

fn spent(spending: &BTreeMap<Scope, Spending>, scope: &Scope) -> (NanoDollars, u64) {
    spending.get(scope).map_or((0, 0), |it| (it.spent, it.calls))
}

#[tokio::test]
async fn a_call_counts_for_everybody_it_is_made_for() {
    let world = World::new([says("a")]);
    world.answer_until_done(&world.says("1", "hi")).await;
    let spending = world.spending().await;
    let of = [
        Scope::All,
        Scope::Agent("main".into()),
        Scope::Channel("recording".into()),
        Scope::User("recording:7".into()),
        Scope::Service(Service::Models),
    ];
    assert_eq!(spending.keys().cloned().collect::<Vec<_>>(), of);
    assert!(of.iter().all(|scope| spent(&spending, scope) == (ANSWER, 1)), "{spending:?}");
    assert!(spending.values().all(|it| it.reserved == 0 && it.usage.output == 5));
}

/// A provider that counts wrong, or wants to: the sums stay numbers, the next turn is counted, and the limit holds.
#[tokio::test]
async fn a_bill_of_more_tokens_than_there_are_does_not_break_the_counters() {
    let mut world = World::new([]);
    let liar = Arc::new(Talker { tokens: u64::MAX, ..Talker::default() });
    *world.models() = vec![choice("test/liar", [("test:default", liar.clone())])];
    for event in ["1", "2", "3"] {
        world.answer_until_done(&world.says(event, "hi")).await;
    }
    let spending = world.spending().await;
    let (all, calls) = spent(&spending, &Scope::All);
    assert_eq!((calls, spending[&Scope::All].usage.output % 3), (3, 0));
    assert!(all > 1_000_000_000 && all < u64::MAX / 4, "{all}");
    world.installation.spend.per_day = Some(1_000_000_000);
    world.answer_until_done(&world.says("4", "hi")).await;
    assert_eq!(liar.asked.load(Ordering::SeqCst), 3, "the limit is far behind");
}

#[tokio::test]
async fn accounting_is_one_write_and_two_where_there_is_a_limit() {
    let mut world = World::new([]);
    let seen = watched(&mut world);
    for event in ["1", "2"] {
        world.answer_until_done(&world.says(event, "hi")).await;
    }
    world.installation.spend.agents.each = Some(1_000_000_000);
    world.answer_until_done(&world.says("3", "hi")).await;
    // The halt is read once for five seconds where no reservation looks at it.
    assert_eq!(*seen.seen.lock().unwrap(), ["halted", "count", "count", "reserve", "settle"]);
}

/// Two hundred conversations at once, each of which might spend an eighth of what is allowed.
#[tokio::test]
async fn two_hundred_turns_at_once_never_pass_a_limit() {
    let mut world = World::new([]);
    let talker = Arc::new(Talker { tokens: 1_000, ..Talker::default() });
    *world.models() = vec![choice("test/talker", [("test:default", talker.clone())])];
    let limit = 1_000_000_000;
    world.installation.spend.per_day = Some(limit);
    let turns = (0..200).map(|n: u32| {
        let session = SessionKey::from_stored(format!("agent:main:recording:direct:{n}"));
        Envelope { session, ..world.says(&n.to_string(), "hi") }
    });
    let turns: Vec<Envelope> = turns.collect();
    let world = &world;
    let watch = async {
        for _ in 0..50 {
            let all = world.spending().await.remove(&Scope::All).unwrap_or_default();
            assert!(all.spent + all.reserved <= limit, "{all:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let (outcomes, ()) = tokio::join!(join_all(turns.iter().map(|turn| world.answer(turn))), watch);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))), "every sender is answered");
    let all = world.spending().await.remove(&Scope::All).unwrap();
    let calls = talker.asked.load(Ordering::SeqCst) as u64;
    // Each call costs 0.101 dollars, and nine of them fit.
    assert!((1..=9).contains(&calls) && all.calls == calls, "{calls} calls, {all:?}");
    assert_eq!((all.spent, all.reserved), (calls * 101_000_000, 0));
    let shown = world.channel.shown();
    assert_eq!(shown.iter().filter(|text| text.contains("I have to stop for today")).count(), 200 - calls as usize);
}

#[tokio::test]
async fn a_limit_ends_the_turn_with_a_clear_reply_and_a_guest_hears_no_amounts() {
    let mut world = World::new([]);
    world.installation.spend.users = Limits { each: Some(50_000_000), named: BTreeMap::new() };
    assert!(matches!(world.answer(&world.says("1", "hi")).await, Outcome::Done(report) if report.failed.is_some()));
    assert!(matches!(world.answer(&by_a_guest(&world, "2")).await, Outcome::Done(_)));
    let in_a_room = message("3", "hi", PeerKind::Group, Standing::Allowed, world.clock.now());
    assert!(matches!(world.answer(&in_a_room).await, Outcome::Done(_)));
    let shown = world.channel.shown();
    for words in ["recording:7", "$0.0500", "spend.limits", "midnight (UTC)"] {
        assert!(shown[0].contains(words), "{words}: {shown:?}");
    }
    for told in &shown[1..] {
        assert!(!told.contains('$') && told.contains("my limit for today"), "{shown:?}");
    }
    assert!(world.model.asked().is_empty() && world.spending().await.is_empty());
    // Another day begins.
    world.clock.advance(24 * 60 * 60 * 1000);
    world.installation.spend.users.named.insert("recording:7".into(), 500_000_000);
    world.answer_until_done(&world.says("4", "hi")).await;
    assert_eq!(world.model.asked().len(), 1);
}

#[tokio::test]
async fn the_owner_is_warned_once_when_a_line_is_crossed() {
    let mut world = World::new([]);
    // 0.071 dollars a turn; the line is at 0.09.
    *world.models() =
        vec![choice("test/talker", [("test:default", Arc::new(Talker { tokens: 700, ..Talker::default() }) as _)])];
    world.installation.spend.per_day = Some(300_000_000);
    world.installation.spend.warn_at = 300;
    for event in ["1", "2", "3", "4"] {
        world.answer_until_done(&world.says(event, "hi")).await;
    }
    let shown = world.channel.shown();
    assert_eq!((shown[0].as_str(), shown[2].as_str()), ("well", "well"));
    assert!(
        shown[1].starts_with("well") && shown[1].contains("30 % of today's limit of everything together ($0.3000)")
    );
    assert!(shown[3].contains("I have to stop for today"), "{shown:?}");
}

#[tokio::test]
async fn a_heartbeat_counts_though_it_says_nothing_and_keeps_quiet_about_limits() {
    let mut world = World::new([says("HEARTBEAT_OK")]);
    world.answer_until_done(&beat(&world, "one")).await;
    let spending = world.spending().await;
    let models = Scope::Service(Service::Models);
    let of = [Scope::All, Scope::Agent("main".into()), Scope::Channel("none".into()), models];
    assert_eq!(spending.keys().cloned().collect::<Vec<_>>(), of);
    assert_eq!(spent(&spending, &Scope::Channel("none".into())), (ANSWER, 1));
    world.installation.spend.channels.named.insert("none".into(), 1);
    world.answer_until_done(&beat(&world, "two")).await;
    assert_eq!((world.model.asked().len(), world.channel.shown().len()), (1, 0));
}

#[tokio::test]
async fn a_halt_stops_every_call_within_seconds_and_a_reservation_at_once() {
    let mut world = World::new([]);
    world.answer_until_done(&world.says("1", "hi")).await;
    let spend = world.embedded.sessions.clone();
    spend.halt("default", true).await.unwrap();
    world.clock.advance(5_000);
    world.answer_until_done(&world.says("2", "hi")).await;
    world.answer_until_done(&by_a_guest(&world, "3")).await;
    spend.halt("default", false).await.unwrap();
    world.clock.advance(5_000);
    world.answer_until_done(&world.says("4", "hi")).await;
    spend.halt("default", true).await.unwrap();
    world.installation.spend.per_day = Some(1_000_000_000);
    world.answer_until_done(&world.says("5", "hi")).await;
    spend.halt("default", false).await.unwrap();
    world.installation.spend.halted = true;
    world.answer_until_done(&world.says("6", "hi")).await;
    let shown = world.channel.shown();
    assert!(shown[1].contains("chela usage resume") && shown[4] == shown[1] && shown[5] == shown[1], "{shown:?}");
    assert!(shown[2].contains("switched off") && !shown[2].contains("chela usage"), "{shown:?}");
    assert_eq!(world.model.asked().len(), 2);
}

#[tokio::test]
async fn a_model_without_a_price_is_not_asked_where_money_is_limited_and_a_free_one_is() {
    let mut world = World::new([]);
    world.models()[0].price = None;
    world.installation.spend.per_day = Some(1_000_000_000);
    world.answer_until_done(&world.says("1", "hi")).await;
    assert!(world.channel.shown()[0].contains("models.providers.test.models[].cost"), "{:?}", world.channel.shown());
    let free = Arc::new(Talker::default());
    let mut local = choice("ollama/qwen", [("ollama:default", free.clone())]);
    local.price = Some(Price::default());
    world.models().push(local);
    world.answer_until_done(&world.says("2", "hi")).await;
    assert_eq!((world.model.asked().len(), free.asked.load(Ordering::SeqCst)), (0, 1));
}

#[tokio::test]
async fn counters_out_of_reach_stop_spending_and_the_message_is_kept() {
    struct Away;
    fn away<T>() -> Result<T, StoreError> {
        Err(StoreError::Unavailable("503".into()))
    }
    #[async_trait]
    impl SpendStore for Away {
        async fn reserve(&self, _: &Reservation) -> Result<Reserved, StoreError> {
            away()
        }
        async fn settle(&self, _: &Settlement) -> Result<BTreeMap<Scope, NanoDollars>, StoreError> {
            away()
        }
        async fn count(&self, _: &Settlement) -> Result<(), StoreError> {
            away()
        }
        async fn spending(&self, _: &Day) -> Result<BTreeMap<Scope, Spending>, StoreError> {
            away()
        }
        async fn halt(&self, _: &str, _: bool) -> Result<(), StoreError> {
            away()
        }
        async fn halted(&self, _: &str) -> Result<bool, StoreError> {
            away()
        }
    }
    for limit in [None, Some(1_000_000_000)] {
        let mut world = World::new([]);
        world.agent.spend = Arc::new(Away);
        world.installation.spend.per_day = limit;
        assert!(matches!(world.answer(&world.says("1", "hi")).await, Outcome::Again { .. }));
        assert!(world.model.asked().is_empty());
    }
}

#[tokio::test]
async fn the_cost_is_told_under_an_answer_where_that_was_chosen() {
    let world = World::new([says("plain"), says("tokens"), says("full"), says("NO_REPLY")]);
    world.answer_until_done(&world.says("1", "hi")).await;
    for (event, usage) in [("2", UsageFooter::Tokens), ("3", UsageFooter::Full), ("4", UsageFooter::Full)] {
        world.choose(Choices { usage: Some(usage), ..Choices::default() }).await;
        world.answer_until_done(&world.says(event, "hi")).await;
    }
    let expected =
        ["plain", "tokens\n\n_10 tokens in · 5 out_", "full\n\n_test/scripted · 10 tokens in · 5 out · $0.0015_"];
    assert_eq!(world.channel.shown(), expected);
    assert!(!format!("{:?}", world.model.asked()).contains("tokens in"), "the model does not read it");
}

#[tokio::test]
async fn a_report_tells_the_owner_everything_and_nobody_else_anything() {
    let mut world = World::new([]);
    world.installation.spend.per_day = Some(5_000_000_000);
    world.answer_until_done(&world.says("1", "hi")).await;
    world.answer_until_done(&world.says("2", "/usage")).await;
    world.embedded.sessions.halt("default", true).await.unwrap();
    world.answer_until_done(&world.says("3", "/usage")).await;
    let in_a_room = message("4", "/usage", PeerKind::Group, Standing::Allowed, world.clock.now());
    world.answer_until_done(&in_a_room).await;
    let shown = world.channel.shown();
    let report = "**Today** $0.0015 of $5.00 · 1 call · 10 tokens in · 5 out\n\
         - agent \"main\": $0.0015 · 1 call · 10 tokens in · 5 out\n\
         - channel \"recording\": $0.0015 · 1 call · 10 tokens in · 5 out\n\
         - recording:7: $0.0015 · 1 call · 10 tokens in · 5 out\n\
         - models: $0.0015 · 1 call · 10 tokens in · 5 out\n\
         **This conversation** 1 answer · 10 tokens in · 5 out · $0.0015";
    assert!(shown[1].starts_with(report) && !shown[1].contains("halted"), "{}", shown[1]);
    assert!(shown[2].contains(&format!("{report}\nSpending is halted.")), "{}", shown[2]);
    assert!(!shown[3].contains('$') && shown[3].contains("the owner alone"), "{}", shown[3]);
}
