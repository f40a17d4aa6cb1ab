//! `/usage`: what today cost, and what is told of it under answers.

use std::collections::BTreeMap;

use chela_core::session::UsageFooter;
use chela_core::spend::{Day, NanoDollars, Scope, Spending};
use chela_core::turn::Reply;

use super::{Asked, say};
use crate::answer::{Agent, Attempt};

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
        let parts = today.iter().filter_map(|(scope, spending)| {
            let name = match scope {
                Scope::All => return None,
                Scope::Agent(id) => format!("agent {id}"),
                Scope::Channel(id) => format!("channel {id}"),
                Scope::User(id) => format!("user {id}"),
            };
            Some(format!("\n- {name}: {}", dollars(spending.spent)))
        });
        format!("**Today** {}{}", total(&today), parts.collect::<String>())
    }

    /// What the day of the agent's person has cost so far; `None` if it cannot be read.
    pub(super) async fn spent_today(&self, attempt: &Attempt<'_>) -> Option<BTreeMap<Scope, Spending>> {
        let rules = &attempt.installation.spend;
        let day = Day { tenant: rules.tenant.clone(), date: rules.date(self.clock.now()) };
        self.spend.spending(&day).await.ok()
    }
}

/// The day as a whole, in a few words.
pub(super) fn total(today: &BTreeMap<Scope, Spending>) -> String {
    let Some(Spending { spent, calls, usage, .. }) = today.get(&Scope::All) else {
        return "nothing was spent".to_owned();
    };
    let read = usage.input.saturating_add(usage.cache_read).saturating_add(usage.cache_write);
    format!("{} in {calls} calls, {read} tokens read and {} written", dollars(*spent), usage.output)
}

fn footer_name(footer: Option<UsageFooter>) -> &'static str {
    match footer {
        None => "what is configured",
        Some(UsageFooter::Off) => "nothing",
        Some(UsageFooter::Tokens) => "the tokens",
        Some(UsageFooter::Full) => "the tokens, the model and the cost",
    }
}

/// Rounded up: what was spent is never nothing.
fn dollars(amount: NanoDollars) -> String {
    let units = amount.div_ceil(100_000);
    format!("${}.{:04}", units / 10_000, units % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_told_in_dollars_and_rounded_up() {
        let told = [0, 1, 100_000, 12_345_600_000, u64::MAX].map(dollars);
        assert_eq!(told, ["$0.0000", "$0.0001", "$0.0001", "$12.3456", "$18446744073.7096"]);
    }
}
