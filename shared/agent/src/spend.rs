//! Money in words: limits, what a sender is told of them, `/usage`.

use std::collections::BTreeMap;

use chela_core::agent_id::AgentId;
use chela_core::clock::Millis;
use chela_core::model::Usage;
use chela_core::queue::{Authority, Task};
use chela_core::session::{EntryBody, StoreError, UsageFooter};
use chela_core::session_key::{PeerKind, SessionKey};
use chela_core::spend::{Day, NanoDollars, Scope, Spending};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::answer::{Agent, Attempt};
use crate::purse::{Stopped, user};
use crate::settings::{AgentSettings, Installation};

/// Most entries of a conversation that `/usage` adds up.
const COUNTED_ENTRIES: usize = 1_000;

/// A dollar.
const DOLLAR: f64 = 1e9;

/// What may be spent, as configuration says.
#[derive(Clone, Debug, PartialEq)]
pub struct SpendRules {
    /// Whose money it is.
    pub tenant: String,
    /// Where days begin.
    pub timezone: String,
    /// Nothing is to be spent, whatever the store says.
    pub halted: bool,
    /// The part of a limit, in thousandths, at which the owner is warned.
    pub warn_at: u64,
    /// The limit of everything, for a day.
    pub per_day: Option<NanoDollars>,
    /// Limits of agents.
    pub agents: Limits,
    /// Limits of persons, by `channel:id` in lower case.
    pub users: Limits,
    /// Limits of channels.
    pub channels: Limits,
}

/// Limits of one kind of scope, for a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of each.
    pub each: Option<NanoDollars>,
    /// Of some, instead.
    pub named: BTreeMap<String, NanoDollars>,
}

impl Limits {
    fn of(&self, id: &str) -> Option<NanoDollars> {
        self.named.get(id).copied().or(self.each)
    }
}

impl Default for SpendRules {
    fn default() -> Self {
        Self {
            tenant: "default".to_owned(),
            timezone: "UTC".to_owned(),
            halted: false,
            warn_at: 800,
            per_day: None,
            agents: Limits::default(),
            users: Limits::default(),
            channels: Limits::default(),
        }
    }
}

impl SpendRules {
    /// The limit of a scope for a day.
    pub fn limit(&self, scope: &Scope) -> Option<NanoDollars> {
        match scope {
            Scope::All => self.per_day,
            Scope::Agent(id) => self.agents.of(id),
            Scope::User(id) => self.users.of(id),
            Scope::Channel(id) => self.channels.of(id),
        }
    }

    /// The day of an instant in the owner's zone, as in `2026-11-21`.
    pub fn date(&self, at: Millis) -> String {
        let zone = TimeZone::get(&self.timezone).unwrap_or(TimeZone::UTC);
        let instant = i64::try_from(at.0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
        instant.to_zoned(zone).strftime("%Y-%m-%d").to_string()
    }

    pub(crate) fn warning_line(&self, limit: NanoDollars) -> NanoDollars {
        let line = u128::from(limit).saturating_mul(self.warn_at.into()) / 1000;
        u64::try_from(line).unwrap_or(u64::MAX)
    }

    /// Why nothing was asked, for the sender.
    pub(crate) fn refusal(&self, stopped: &Stopped, private: bool) -> String {
        match stopped {
            Stopped::Limit { scope, taken, limit } if private => format!(
                "I have to stop for today: the limit of {} is {}, {} of it is spent or reserved, and another answer may \
                 cost more than the rest. It ends at midnight ({}). You can change `spend.limits` in the configuration.",
                named(scope),
                dollars(*limit),
                dollars(*taken),
                self.timezone
            ),
            Stopped::Limit { .. } => {
                format!("I have reached my limit for today. Please ask again after midnight ({}).", self.timezone)
            }
            Stopped::Halted if private => {
                "All spending is halted, so I cannot ask my model. `chela usage resume` lets it \
                                           go on, unless `spend.halted` is set in the configuration."
                    .to_owned()
            }
            Stopped::Halted => "I am switched off at the moment. Please ask again later.".to_owned(),
            Stopped::Unpriced { model } if private => {
                let provider = model.split('/').next().unwrap_or(model);
                format!(
                    "I cannot ask {model}: `spend.limits` sets a limit and nobody knows what this model costs. Write its \
                     price at `models.providers.{provider}.models[].cost`, in dollars per million tokens."
                )
            }
            Stopped::Unpriced { .. } => "I cannot answer: my model is not set up. The owner has to mend it.".to_owned(),
            Stopped::Store(_) => {
                "I cannot answer at the moment. Your message is kept; please ask again in a while.".to_owned()
            }
        }
    }

    /// What the owner is told when most of a limit is spent.
    pub(crate) fn warning(&self, scope: &Scope) -> String {
        let limit = self.limit(scope).map(dollars).unwrap_or_default();
        format!("⚠️ {} % of today's limit of {} ({limit}) is spent.", self.warn_at / 10, named(scope))
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Limit { scope, .. } => write!(f, "the limit of {} is reached (spend.limits)", kind(scope)),
            Self::Halted => f.write_str("spending is halted"),
            Self::Unpriced { model } => write!(f, "there is a limit and no price of {model}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Attempt<'_> {
    /// Whether the answer is read by the owner alone, so that it may speak of money.
    pub(crate) fn private(&self) -> bool {
        let alone = match self.task() {
            Some(Task::Message { inbound, .. }) => inbound.peer.kind == PeerKind::Direct,
            Some(Task::Heartbeat { .. }) => true,
            Some(Task::Relay { .. } | Task::Redeliver { .. } | Task::Approval { .. } | Task::Decision { .. })
            | None => false,
        };
        alone && self.caller().authority == Authority::Owner
    }
}

impl Agent {
    /// What was spent today, and in this conversation, for `/usage`. Money, and sums of others, are told only in
    /// `private`: to the owner, where nobody else reads.
    pub async fn usage_report(
        &self,
        installation: &Installation,
        agent: &AgentId,
        session: &SessionKey,
        task: Option<&Task>,
        private: bool,
    ) -> Result<String, StoreError> {
        let rules = &installation.spend;
        let day = Day { tenant: rules.tenant.clone(), date: rules.date(self.clock.now()) };
        let spending = self.spend.spending(&day).await?;
        let mut lines = vec![format!("**Today** ({}, {})", day.date, rules.timezone)];
        let mut scopes = vec![];
        if private {
            scopes.extend([Scope::All, Scope::Agent(agent.as_str().to_owned())]);
        }
        scopes.extend(task.and_then(user).map(Scope::User));
        for scope in scopes {
            let sum = spending.get(&scope).cloned().unwrap_or_default();
            lines.push(format!("{}: {}", named(&scope), sum_in_words(&sum, rules.limit(&scope), private)));
        }
        let sum = self.conversation(installation.agents.get(agent), session).await?;
        let cost = sum.cost.filter(|_| private).map(|cost| format!(" · {}", dollars(cost))).unwrap_or_default();
        lines.push(format!("**This conversation**\n{} answers · {}{cost}", sum.calls, tokens_in_words(&sum.usage)));
        if rules.halted || self.spend.halted(&rules.tenant).await? {
            lines.push("Spending is halted.".to_owned());
        }
        Ok(lines.join("\n"))
    }

    /// The calls of the stored turns that were not forgotten.
    async fn conversation(&self, agent: Option<&AgentSettings>, session: &SessionKey) -> Result<Sum, StoreError> {
        let after = self.sessions.head(session).await?.map_or(0, |head| head.forgotten);
        let entries = self.sessions.history(session, after, COUNTED_ENTRIES).await?;
        let answers = entries.iter().filter_map(|entry| match &entry.body {
            EntryBody::Assistant(answer) if answer.usage != Usage::default() => {
                Some((answer.model.as_str(), &answer.usage))
            }
            _ => None,
        });
        Ok(Sum::of(agent, answers))
    }
}

/// Several calls together.
struct Sum {
    usage: Usage,
    calls: usize,
    /// Not known if one price is not.
    cost: Option<NanoDollars>,
}

impl Sum {
    fn of<'u>(agent: Option<&AgentSettings>, calls: impl Iterator<Item = (&'u str, &'u Usage)>) -> Self {
        let mut sum = Self { usage: Usage::default(), calls: 0, cost: Some(0) };
        for (model, usage) in calls {
            let choice = agent.and_then(|agent| agent.all_models().find(|choice| choice.name == model));
            let cost = choice.and_then(|choice| Some(choice.price?.of(usage)));
            sum.usage = together(&sum.usage, usage);
            sum.calls = sum.calls.saturating_add(1);
            sum.cost = cost.zip(sum.cost).map(|(one, all)| one.saturating_add(all));
        }
        sum
    }
}

/// The line under an answer, if one is wished. `calls` are the model calls of the turn, the last of them by `model`.
pub(crate) fn footer<'u>(
    wish: Option<UsageFooter>,
    settings: &AgentSettings,
    model: &str,
    calls: impl Iterator<Item = (&'u str, &'u Usage)>,
) -> Option<String> {
    let wish = wish.filter(|wish| *wish != UsageFooter::Off)?;
    let sum = Sum::of(Some(settings), calls);
    let tokens = tokens_in_words(&sum.usage);
    Some(match (wish, sum.cost) {
        (UsageFooter::Full, Some(cost)) => format!("_{model} · {tokens} · {}_", dollars(cost)),
        (UsageFooter::Full, None) => format!("_{model} · {tokens} · cost not known_"),
        _ => format!("_{tokens}_"),
    })
}

/// The tokens of two calls.
pub(crate) fn together(one: &Usage, other: &Usage) -> Usage {
    Usage {
        input: one.input.saturating_add(other.input),
        output: one.output.saturating_add(other.output),
        cache_read: one.cache_read.saturating_add(other.cache_read),
        cache_write: one.cache_write.saturating_add(other.cache_write),
    }
}

fn sum_in_words(sum: &Spending, limit: Option<NanoDollars>, money: bool) -> String {
    let tokens = tokens_in_words(&sum.usage);
    if !money {
        return format!("{} calls · {tokens}", sum.calls);
    }
    let of = limit.map(|limit| format!(" of {}", dollars(limit))).unwrap_or_default();
    let reserved = match sum.reserved {
        0 => String::new(),
        reserved => format!(" and {} reserved", dollars(reserved)),
    };
    format!("{}{of}{reserved} · {} calls · {tokens}", dollars(sum.spent), sum.calls)
}

fn tokens_in_words(usage: &Usage) -> String {
    let read = usage.input.saturating_add(usage.cache_read).saturating_add(usage.cache_write);
    let cached = if usage.cache_read > 0 { format!(" ({} cached)", usage.cache_read) } else { String::new() };
    format!("{read} tokens in{cached} · {} out", usage.output)
}

/// Cents for what one sees in a shop, more digits for what a short call costs.
pub(crate) fn dollars(amount: NanoDollars) -> String {
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let dollars = amount as f64 / DOLLAR;
    if amount == 0 || dollars >= 0.995 { format!("${dollars:.2}") } else { format!("${dollars:.4}") }
}

fn named(scope: &Scope) -> String {
    match scope {
        Scope::All => "everything together".to_owned(),
        Scope::Agent(id) => format!("agent \"{id}\""),
        Scope::Channel(id) => format!("channel \"{id}\""),
        Scope::User(id) => id.clone(),
    }
}

/// A scope for the log, which names no person.
fn kind(scope: &Scope) -> String {
    match scope {
        Scope::User(_) => "one person".to_owned(),
        scope => named(scope),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_have_its_own_limit() {
        let named = BTreeMap::from([("ada".to_owned(), 7)]);
        let rules = SpendRules { users: Limits { each: Some(2), named }, ..SpendRules::default() };
        let of = |scope| rules.limit(&scope);
        assert_eq!(of(Scope::User("ada".into())), Some(7));
        assert_eq!(of(Scope::User("bob".into())), Some(2));
        assert_eq!((of(Scope::All), of(Scope::Agent("main".into()))), (None, None));
    }

    #[test]
    fn a_day_begins_in_the_zone_of_the_owner() {
        let rules = |zone: &str| SpendRules { timezone: zone.to_owned(), ..SpendRules::default() };
        let late = Millis(1_795_303_800_000); // 2026-11-21T23:30:00Z
        assert_eq!(rules("UTC").date(late), "2026-11-21");
        assert_eq!(rules("Europe/Berlin").date(late), "2026-11-22");
        assert_eq!(rules("America/New_York").date(late), "2026-11-21");
    }

    #[test]
    fn dollars_are_short_and_small_ones_exact() {
        let told = [0, 123_456, 12_345_678, 994_000_000, 5_000_000_000].map(dollars);
        assert_eq!(told, ["$0.00", "$0.0001", "$0.0123", "$0.9940", "$5.00"]);
    }

    /// Amounts and ids of others are nobody's business but the owner's.
    #[test]
    fn a_guest_is_told_less_than_the_owner() {
        let rules = SpendRules::default();
        let stopped = Stopped::Limit { scope: Scope::Agent("main".into()), taken: 4_000_000_000, limit: 5_000_000_000 };
        let (owner, guest) = (rules.refusal(&stopped, true), rules.refusal(&stopped, false));
        assert!(owner.contains("$5.00") && owner.contains("spend.limits") && owner.contains("midnight"), "{owner}");
        assert!(!guest.contains('$') && !guest.contains("main") && guest.contains("midnight"), "{guest}");
    }
}
