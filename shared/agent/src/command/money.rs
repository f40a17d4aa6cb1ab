//! `/usage`: what today cost, and what is told of it under answers.

use std::collections::BTreeMap;

use chela_core::model::Usage;
use chela_core::session::{EntryBody, UsageFooter};
use chela_core::spend::{Day, NanoDollars, Scope, Spending};
use chela_core::turn::{Reply, Spent};

use super::{Asked, say};
use crate::answer::{Agent, Attempt};
use crate::spend::{SpendRules, Sum, dollars, named, tokens_in_words};

/// Most entries of a conversation that are added up.
const COUNTED_ENTRIES: usize = 1_000;

impl Agent {
    pub(super) async fn usage(&self, asked: &Asked<'_>) -> Reply {
        let footer = match asked.spoken.first().0.as_str() {
            "off" => Some(UsageFooter::Off),
            "tokens" => Some(UsageFooter::Tokens),
            "full" => Some(UsageFooter::Full),
            "reset" | "default" => None,
            _ => {
                let now = footer_name(asked.attempt.machine.head().choices.usage);
                return say(format!("{}\n\nUnder my answers: {now}.", self.costs(asked.attempt).await));
            }
        };
        let text = format!("Under my answers in this conversation: {}.", footer_name(footer));
        Reply { choices: asked.chosen(|choices| choices.usage = footer), ..say(text) }
    }

    async fn costs(&self, attempt: &Attempt<'_>) -> String {
        if !attempt.private() {
            return "What was spent is told to the owner alone: ask in a direct chat.".to_owned();
        }
        let Some(today) = self.spent_today(attempt).await else {
            return "What today cost cannot be read at the moment.".to_owned();
        };
        let rules = &attempt.installation.spend;
        let mut lines = vec![format!("**Today** {}", total(&today, rules))];
        let parts = today.iter().filter(|(scope, _)| **scope != Scope::All);
        lines.extend(parts.map(|(scope, sum)| format!("- {}: {}", named(scope), in_words(sum, rules.limit(scope)))));
        lines.extend(self.conversation(attempt).await.map(|told| format!("**This conversation** {told}")));
        let halted = rules.halted || self.spend.halted(&rules.tenant).await.unwrap_or_default();
        lines.extend(halted.then(|| "Spending is halted.".to_owned()));
        lines.join("\n")
    }

    /// What the day of the agent's person has cost so far; `None` if it cannot be read.
    pub(super) async fn spent_today(&self, attempt: &Attempt<'_>) -> Option<BTreeMap<Scope, Spending>> {
        let rules = &attempt.installation.spend;
        let day = Day { tenant: rules.tenant.clone(), date: rules.date(self.clock.now()) };
        self.spend.spending(&day).await.ok()
    }

    /// The answers of the stored turns that were not forgotten; `None` if there are none or they cannot be read.
    async fn conversation(&self, attempt: &Attempt<'_>) -> Option<String> {
        let (session, after) = (attempt.machine.session(), attempt.machine.head().forgotten);
        let entries = self.sessions.history(session, after, COUNTED_ENTRIES).await.ok()?;
        let answers = entries.iter().filter_map(|entry| match &entry.body {
            EntryBody::Assistant(answer) if answer.usage != Usage::default() => {
                Some((answer.model.as_str(), &answer.usage))
            }
            _ => None,
        });
        let Sum { spent: Spent { calls, usage }, cost } = Sum::of(attempt.settings, answers);
        let cost = cost.map(|cost| format!(" · {}", dollars(cost))).unwrap_or_default();
        (calls > 0).then(|| format!("{} · {}{cost}", counted(calls.into(), "answer"), tokens_in_words(&usage)))
    }
}

/// The day as a whole, in a few words.
pub(super) fn total(today: &BTreeMap<Scope, Spending>, rules: &SpendRules) -> String {
    let all = today.get(&Scope::All);
    all.map_or_else(|| "nothing was spent".to_owned(), |sum| in_words(sum, rules.limit(&Scope::All)))
}

fn in_words(sum: &Spending, limit: Option<NanoDollars>) -> String {
    let Spending { spent, reserved, calls, usage } = sum;
    let limit = limit.map(|limit| format!(" of {}", dollars(limit))).unwrap_or_default();
    let reserved = Some(*reserved).filter(|reserved| *reserved > 0);
    let reserved = reserved.map(|reserved| format!(" and {} reserved", dollars(reserved))).unwrap_or_default();
    let tokens = if *usage == Usage::default() { String::new() } else { format!(" · {}", tokens_in_words(usage)) };
    format!("{}{limit}{reserved} · {}{tokens}", dollars(*spent), counted(*calls, "call"))
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn footer_name(footer: Option<UsageFooter>) -> &'static str {
    match footer {
        None => "what is configured",
        Some(UsageFooter::Off) => "nothing",
        Some(UsageFooter::Tokens) => "the tokens",
        Some(UsageFooter::Full) => "the tokens, the model and the cost",
    }
}
