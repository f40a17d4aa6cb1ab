//! Money in words: limits, what a sender is told of them, what an answer cost.

use std::collections::BTreeMap;

use chela_core::clock::Millis;
use chela_core::model::Usage;
use chela_core::queue::{Authority, Task};
use chela_core::session::UsageFooter;
use chela_core::session_key::PeerKind;
use chela_core::spend::{NanoDollars, Scope};
use chela_core::turn::Spent;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::answer::Attempt;
use crate::purse::Stopped;
use crate::settings::AgentSettings;

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
            Scope::Service(_) => None,
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
        private(self.task(), self.caller().authority)
    }
}

/// The same for a turn that has not begun.
pub(crate) fn private(task: Option<&Task>, authority: Authority) -> bool {
    let alone = match task {
        Some(Task::Message { inbound, .. }) => inbound.peer.kind == PeerKind::Direct,
        Some(Task::Heartbeat { .. }) => true,
        Some(
            Task::Relay { .. }
            | Task::Redeliver { .. }
            | Task::Approval { .. }
            | Task::Decision { .. }
            | Task::Lapsed { .. }
            | Task::Wrote { .. },
        )
        | None => false,
    };
    alone && authority == Authority::Owner
}

/// Several calls together.
pub(crate) struct Sum {
    pub(crate) spent: Spent,
    /// Not known if one price is not.
    pub(crate) cost: Option<NanoDollars>,
}

impl Sum {
    pub(crate) fn of<'u>(agent: &AgentSettings, calls: impl Iterator<Item = (&'u str, &'u Usage)>) -> Self {
        let mut sum = Self { spent: Spent::default(), cost: Some(0) };
        for (model, usage) in calls {
            let choice = agent.all_models().find(|choice| choice.name == model);
            let cost = choice.and_then(|choice| Some(choice.price?.of(usage)));
            sum.spent.calls = sum.spent.calls.saturating_add(1);
            sum.spent.add(usage);
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
    let sum = Sum::of(settings, calls);
    let tokens = tokens_in_words(&sum.spent.usage);
    Some(match (wish, sum.cost) {
        (UsageFooter::Full, Some(cost)) => format!("_{model} · {tokens} · {}_", dollars(cost)),
        (UsageFooter::Full, None) => format!("_{model} · {tokens} · cost not known_"),
        _ => format!("_{tokens}_"),
    })
}

pub(crate) fn tokens_in_words(usage: &Usage) -> String {
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

pub(crate) fn named(scope: &Scope) -> String {
    match scope {
        Scope::All => "everything together".to_owned(),
        Scope::Agent(id) => format!("agent \"{id}\""),
        Scope::Channel(id) => format!("channel \"{id}\""),
        Scope::User(id) => id.clone(),
        Scope::Service(service) => service.name().to_owned(),
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
