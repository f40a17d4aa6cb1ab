//! Pays for calls of models and of other services: what a call may cost is reserved before it, what it did cost is settled
//! after it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chela_core::agent_id::AgentId;
use chela_core::clock::{Clock, Millis};
use chela_core::model::{Delta, ModelAnswer, ModelError, ModelRequest, Usage};
use chela_core::purse::{Declined, Service, Tariff};
use chela_core::queue::Task;
use chela_core::session::StoreError;
use chela_core::session_key::parse_agent_session_key;
use chela_core::shown::files_of;
use chela_core::spend::{Day, NanoDollars, Reservation, Reserved, Scope, Settlement, SpendStore};
use chela_core::tool_policy::Limit;

use crate::answer::{Agent, Attempt};
use crate::draft::Draft;
use crate::known::Known;
use crate::settings::{ModelChoice, Profile};
use crate::spend::SpendRules;

/// Bytes of text per token, on the careful side: a character of Chinese is three bytes and may be a token.
const BYTES_PER_TOKEN: usize = 3;

/// Tokens of a picture in the size providers take at most.
const PICTURE_TOKENS: u64 = 1_600;

/// Most units of a service that one call is believed to have used; some are counted by whoever sends the bill.
const MOST_UNITS: u64 = 100_000_000;

/// A call that fails later than this, without a word, may have thought all the time, and thoughts are billed.
const REFUSED_WITHIN_MS: u64 = 10_000;

/// Providers keep the time-out of a request themselves; this long after it nobody believes that any more.
const GRACE: Duration = Duration::from_secs(2);

/// What the owner is to be told under the next answer.
pub(crate) type Notices = Arc<Mutex<Vec<String>>>;

/// Whom calls count for.
pub struct Purse<'a> {
    spend: &'a dyn SpendStore,
    known: &'a Known,
    clock: &'a dyn Clock,
    rules: &'a SpendRules,
    scopes: Scopes,
    /// Where the owner is told that most of a limit is spent, once a day; nowhere if somebody else reads it.
    notices: Option<Notices>,
}

type Scopes = BTreeMap<Scope, Option<NanoDollars>>;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unpaid {
    /// The call was made and failed.
    Failed(ModelError),
    /// The call was not made.
    Stopped(Stopped),
}

/// Why a call was not made.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It might have cost more than a limit leaves.
    Limit { scope: Scope, taken: NanoDollars, limit: NanoDollars },
    /// The owner has halted all spending.
    Halted,
    /// There is a limit, and nobody knows what this model costs.
    Unpriced { model: String },
    /// The counters are out of reach.
    Store(StoreError),
}

impl<'a> Purse<'a> {
    /// The purse of a turn.
    pub(crate) fn of(agent: &'a Agent, attempt: &Attempt<'a>) -> Self {
        let notices = attempt.private().then(|| attempt.notices.clone());
        Self::of_task(agent, &attempt.installation.spend, attempt.agent, attempt.task(), notices)
    }

    /// The purse of a turn that has not begun.
    pub(crate) fn of_task(
        agent: &'a Agent,
        rules: &'a SpendRules,
        id: &AgentId,
        task: Option<&Task>,
        notices: Option<Notices>,
    ) -> Self {
        let channel = Scope::Channel(channel(task).unwrap_or("none").to_owned());
        let more = [channel].into_iter().chain(task.and_then(user).map(Scope::User));
        let (spend, known, clock) = (agent.spend.as_ref(), &agent.known, agent.clock.as_ref());
        Self { notices, ..Self::of_owner(spend, known, clock, rules, id).also(more) }
    }

    /// The purse of what the owner wants done for an agent, beside any turn.
    pub fn of_owner(
        spend: &'a dyn SpendStore,
        known: &'a Known,
        clock: &'a dyn Clock,
        rules: &'a SpendRules,
        agent: &AgentId,
    ) -> Self {
        let purse = Self { spend, known, clock, rules, scopes: Scopes::new(), notices: None };
        purse.also([Scope::All, Scope::Agent(agent.as_str().to_owned())])
    }

    fn also(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes.extend(scopes.into_iter().map(|scope| (scope.clone(), self.rules.limit(&scope))));
        self
    }

    /// Makes one call of a model. With a limit in any of its scopes that takes two writes of accounting, else one, and
    /// none for a call that cost nothing.
    pub(crate) async fn call(
        &self,
        choice: &ModelChoice,
        profile: &Profile,
        request: &ModelRequest,
        draft: &Draft,
    ) -> Result<ModelAnswer, Unpaid> {
        let now = self.clock.now();
        let worst =
            Usage { input: input_tokens(choice, request), output: request.max_tokens.into(), ..Usage::default() };
        if choice.price.is_none() && self.limited() {
            return Err(Unpaid::Stopped(Stopped::Unpriced { model: choice.name.clone() }));
        }
        let price = choice.price.unwrap_or_default();
        let amount = price.worst(worst.input, worst.output);
        let reservation = self.hold(Service::Models, amount, now).await.map_err(Unpaid::Stopped)?;
        draft.clear();
        let mut on_delta = |delta: &Delta| match delta {
            Delta::Text(text) => draft.push(text),
        };
        let call = profile.model.call(request, &mut on_delta);
        let called = tokio::time::timeout(request.timeout.saturating_add(GRACE), call).await;
        let hung = called.is_err();
        let mut answer = called.unwrap_or_else(|_| {
            let reason = format!("no whole answer within {} s", request.timeout.as_secs());
            Err(ModelError::Unavailable { provider: choice.provider().to_owned(), reason })
        });
        if let Ok(answer) = &mut answer {
            answer.usage = answer.usage.believed();
        }
        let (spent, usage) = match &answer {
            Ok(answer) if answer.usage == Usage::default() => (price.of(&guess(&worst, answer)), answer.usage),
            Ok(answer) => (price.of(&answer.usage), answer.usage),
            // What was said or thought before it broke off is billed, and nobody says how much that was.
            Err(_) if hung || !draft.text().is_empty() || self.lasted(now) => (reservation.amount, Usage::default()),
            Err(_) => (0, Usage::default()),
        };
        self.enter(Settlement { reservation, spent, usage }, spent > 0 || usage != Usage::default()).await;
        answer.map_err(Unpaid::Failed)
    }

    async fn hold(&self, service: Service, amount: NanoDollars, now: Millis) -> Result<Reservation, Stopped> {
        let SpendRules { tenant, halted, .. } = self.rules;
        if *halted {
            return Err(Stopped::Halted);
        }
        let mut scopes = self.scopes.clone();
        scopes.insert(Scope::Service(service), None);
        let reservation = Reservation {
            name: self.clock.unique(),
            day: Day { tenant: tenant.clone(), date: self.rules.date(now) },
            scopes,
            amount,
            at: now,
        };
        if !self.limited() {
            let halted = self.known.halted(self.spend, tenant, now).await.map_err(Stopped::Store)?;
            return if halted { Err(Stopped::Halted) } else { Ok(reservation) };
        }
        match self.spend.reserve(&reservation).await.map_err(Stopped::Store)? {
            Reserved::Granted(_) => Ok(reservation),
            Reserved::Refused { scope, taken, limit } => Err(Stopped::Limit { scope, taken, limit }),
            Reserved::Halted => Err(Stopped::Halted),
        }
    }

    /// Counts a call, `worth` counting where nothing was reserved for it. What cannot be settled stays counted at its
    /// worst case: that is no reason to lose an answer.
    async fn enter(&self, settlement: Settlement, worth: bool) {
        if !self.limited() {
            if worth {
                let _ = self.spend.count(&settlement).await;
            }
            return;
        }
        let Ok(sums) = self.spend.settle(&settlement).await else { return };
        let crossed = |(scope, sum): &(&Scope, &NanoDollars)| {
            let line = self.scopes.get(scope).copied().flatten().map(|limit| self.rules.warning_line(limit));
            line.is_some_and(|line| **sum >= line && sum.saturating_sub(settlement.spent) < line)
        };
        if let Some(notices) = &self.notices {
            let warnings = sums.iter().filter(crossed).map(|(scope, _)| self.rules.warning(scope));
            notices.lock().unwrap_or_else(PoisonError::into_inner).extend(warnings);
        }
    }

    fn limited(&self) -> bool {
        self.scopes.values().any(Option::is_some)
    }

    fn lasted(&self, since: Millis) -> bool {
        self.clock.now().since(since) >= REFUSED_WITHIN_MS
    }
}

#[async_trait]
impl chela_core::purse::Purse for Purse<'_> {
    async fn reserve(&self, tariff: &Tariff, units: u64) -> Result<Reservation, Declined> {
        let Tariff { service, name, price } = tariff;
        if price.is_none() && self.limited() {
            return Err(Declined::Unpriced { name: name.clone(), service: service.name() });
        }
        let held = self.hold(*service, tariff.cost(units), self.clock.now()).await;
        held.map_err(|stopped| match stopped {
            Stopped::Limit { .. } => Declined::Limit,
            Stopped::Halted => Declined::Halted,
            Stopped::Unpriced { model } => Declined::Unpriced { name: model, service: service.name() },
            Stopped::Store(_) => Declined::Unreachable,
        })
    }

    async fn settle(&self, tariff: &Tariff, reservation: Reservation, units: u64) {
        let units = units.min(MOST_UNITS);
        let settlement = Settlement { reservation, spent: tariff.cost(units), usage: tariff.usage(units) };
        self.enter(settlement, units > 0).await;
    }
}

/// The channel a turn came through; schedules and other conversations come through none.
fn channel(task: Option<&Task>) -> Option<&str> {
    match task? {
        Task::Message { inbound, .. } => Some(&inbound.channel),
        Task::Decision { deliver_to, .. } => deliver_to.as_ref().map(|to| to.channel.as_str()),
        Task::Heartbeat { .. }
        | Task::Relay { .. }
        | Task::Redeliver { .. }
        | Task::Approval { .. }
        | Task::Lapsed { .. }
        | Task::Wrote { .. } => None,
    }
}

/// Who pays for a turn: whoever wrote the message that began it, however often the work was handed on since. In lower
/// case, as session keys have it.
fn user(task: &Task) -> Option<String> {
    let name = |channel: &str, id: &str| format!("{channel}:{id}").to_lowercase();
    let first = |limit: &Limit| limit.who.iter().find_map(|who| Some(name(&who.channel, who.senders.first()?)));
    match task {
        Task::Message { inbound, .. } => Some(name(&inbound.channel, &inbound.sender.id)),
        Task::Relay { from, limit, .. } => first(limit).or_else(|| {
            let parsed = parse_agent_session_key(from.as_str())?;
            let (channel, peer) = parsed.rest.split_once(":direct:")?;
            Some(name(channel.split(':').next()?, peer.split(":thread:").next()?))
        }),
        Task::Decision { sender, limit, deliver_to, .. } => first(limit).or_else(|| {
            let to = deliver_to.as_ref().filter(|_| !sender.is_empty())?;
            Some(name(&to.channel, sender))
        }),
        Task::Heartbeat { .. }
        | Task::Redeliver { .. }
        | Task::Approval { .. }
        | Task::Lapsed { .. }
        | Task::Wrote { .. } => None,
    }
}

/// Tokens of everything the model is sent, on the careful side.
fn input_tokens(choice: &ModelChoice, request: &ModelRequest) -> u64 {
    let written = |text: Result<String, serde_json::Error>| text.map_or(0, |text| text.len());
    let bytes = request
        .system
        .len()
        .saturating_add(written(serde_json::to_string(&request.messages)))
        .saturating_add(written(serde_json::to_string(&request.tools)));
    let types = request.messages.iter().flat_map(|message| &message.blocks).flat_map(files_of);
    let files = types.filter_map(|(key, content_type)| {
        let bytes = request.files.get(key)?;
        // Of a document nobody knows the pages; more than the model can read it does not bill.
        let document = tokens(bytes.len()).min(choice.context_window.into());
        Some(if content_type.starts_with("image/") { PICTURE_TOKENS } else { document })
    });
    files.fold(tokens(bytes), u64::saturating_add)
}

fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX)
}

/// The tokens of an answer whose provider says nothing about them.
fn guess(worst: &Usage, answer: &ModelAnswer) -> Usage {
    let said = serde_json::to_string(&answer.blocks).map_or(0, |text| text.len());
    Usage { input: worst.input, output: tokens(said), ..Usage::default() }
}

#[cfg(test)]
mod tests {
    use chela_core::message::ReplyAddress;
    use chela_core::queue::{Authority, Purpose};
    use chela_core::session_key::SessionKey;
    use chela_core::tool_policy::Who;

    use super::*;

    #[test]
    fn the_work_of_a_sub_agent_counts_for_the_person_it_is_done_for() {
        let handed = |from: &str, limit: Limit| Task::Relay {
            from: SessionKey::from_stored(from),
            purpose: Purpose::Assign,
            label: None,
            text: "work".into(),
            depth: 1,
            hops: 1,
            authority: Authority::Guest,
            limit,
            deliver_to: None,
        };
        let relay = |from: &str| handed(from, Limit::default());
        assert_eq!(user(&relay("agent:main:telegram:direct:7")).as_deref(), Some("telegram:7"));
        assert_eq!(user(&relay("agent:main:telegram:second:direct:7")).as_deref(), Some("telegram:7"));
        let matrix = "agent:main:matrix:direct:@ada:example.org:thread:$1";
        assert_eq!(user(&relay(matrix)).as_deref(), Some("matrix:@ada:example.org"));
        for unknown in ["agent:main:main", "agent:main:direct:7", "agent:main:telegram:group:7", "cron:morning"] {
            assert_eq!(user(&relay(unknown)), None, "{unknown}");
        }
        // Wherever it was said: in a room, in a conversation that several channels share, by whoever spoke first.
        let mut limit = Limit::default();
        let senders = vec!["7".to_owned(), "8".to_owned()];
        limit.add_who(Who { channel: "Telegram".into(), rooms: vec!["-100".into()], senders, ..Who::default() });
        let asked = |deliver_to: &str| Task::Decision {
            id: "r".into(),
            sender: "7".into(),
            authority: Authority::Guest,
            limit: limit.clone(),
            depth: 1,
            hops: 1,
            deliver_to: Some(ReplyAddress {
                channel: deliver_to.into(),
                account: "main".into(),
                to: "x".into(),
                thread: None,
                message: None,
            }),
        };
        for task in [
            handed("agent:main:telegram:group:-100", limit.clone()),
            handed("agent:main:direct:ada", limit.clone()),
            handed("agent:main:subagent:1", limit.clone()),
            asked("session"),
            asked("telegram"),
        ] {
            assert_eq!(user(&task).as_deref(), Some("telegram:7"), "{task:?}");
        }
    }
}
