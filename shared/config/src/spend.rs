//! `spend`: what may be spent, and what services cost.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::path::Path;
use crate::settings::Config;
use crate::shape::Misfit;

/// Dearest price, in dollars, of whatever a price is said for. With more, the sums of a day would not fit into their columns.
const DEAREST: f64 = 10_000.0;

/// `spend`. Days begin at midnight in `agents.defaults.userTimezone`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SpendSection {
    /// Whose money it is: installations of one table with the same name share the limits.
    pub tenant: String,
    /// Nothing is spent while this is `true`. `chela usage halt` does the same without a change here.
    pub halted: bool,
    /// The part of a limit at which the owner is warned, once a day.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub warn_at: f64,
    /// Limits, in dollars. What a call may cost at most is reserved before it, so that no limit is ever passed.
    pub limits: SpendLimits,
    /// What services cost that are no answers of models, in dollars, by `provider/model`; instead of published prices.
    /// Where there is a limit, what has no price is not used: write `0` for a server of your own.
    pub prices: SpendPrices,
}

impl Default for SpendSection {
    fn default() -> Self {
        Self {
            tenant: "default".to_owned(),
            halted: false,
            warn_at: 0.8,
            limits: SpendLimits::default(),
            prices: SpendPrices::default(),
        }
    }
}

/// `spend.limits`: dollars for a day. What is left out has no limit.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SpendLimits {
    /// Of everything together.
    #[schemars(range(min = 0))]
    pub per_day: Option<f64>,
    /// Of each agent.
    #[schemars(range(min = 0))]
    pub per_agent_per_day: Option<f64>,
    /// Of each person.
    #[schemars(range(min = 0))]
    pub per_user_per_day: Option<f64>,
    /// Of each channel; `none` is the channel of schedules and sub-agents.
    #[schemars(range(min = 0))]
    pub per_channel_per_day: Option<f64>,
    /// Of some agents instead, by id.
    pub agents: BTreeMap<String, f64>,
    /// Of some persons instead, by channel and id: `telegram:123456789`.
    pub users: BTreeMap<String, f64>,
    /// Of some channels instead.
    pub channels: BTreeMap<String, f64>,
}

/// `spend.prices`. Prices of models are at `models.providers.*.models[].cost`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SpendPrices {
    /// A million characters that are said.
    pub speech: BTreeMap<String, f64>,
    /// A minute of a voice note.
    pub transcripts: BTreeMap<String, f64>,
    /// A picture of 1024 x 1024; larger ones cost more by their size.
    pub pictures: BTreeMap<String, f64>,
    /// A million tokens.
    pub embeddings: BTreeMap<String, f64>,
    /// A thousand searches.
    pub searches: BTreeMap<String, f64>,
}

impl SpendPrices {
    /// Those of one service, by its name here.
    pub fn of(&self, service: &str) -> Option<&BTreeMap<String, f64>> {
        match service {
            "speech" => Some(&self.speech),
            "transcripts" => Some(&self.transcripts),
            "pictures" => Some(&self.pictures),
            "embeddings" => Some(&self.embeddings),
            "searches" => Some(&self.searches),
            _ => None,
        }
    }
}

/// Amounts that stand in maps, which the schema does not bound. What cost less than nothing would be free, and no limit
/// would hold for it.
pub(crate) fn inspect(config: &Config) -> Vec<Misfit> {
    let SpendSection { limits, prices, .. } = &config.spend;
    let mut amounts: Vec<(Path, f64, f64)> = Vec::new();
    for (key, named) in [("agents", &limits.agents), ("users", &limits.users), ("channels", &limits.channels)] {
        let path = |id| Path::of(&["spend", "limits", key]).key(id);
        amounts.extend(named.iter().map(|(id, limit)| (path(id), *limit, f64::INFINITY)));
    }
    for service in ["speech", "transcripts", "pictures", "embeddings", "searches"] {
        let path = |name| Path::of(&["spend", "prices", service]).key(name);
        let named = prices.of(service).into_iter().flatten();
        amounts.extend(named.map(|(name, price)| (path(name), *price, DEAREST)));
    }
    for (provider, settings) in &config.models.providers {
        for (at, model) in settings.models.iter().enumerate() {
            let Some(cost) = &model.cost else { continue };
            let path = Path::of(&["models", "providers", provider, "models"]).index(at).key("cost");
            let keys = [
                ("input", cost.input),
                ("output", cost.output),
                ("cacheRead", cost.cache_read),
                ("cacheWrite", cost.cache_write),
            ];
            amounts.extend(keys.map(|(key, price)| (path.key(key), price, DEAREST)));
        }
    }
    let wrong = amounts.into_iter().filter(|(_, amount, most)| !(0.0..=*most).contains(amount));
    let refused = |(path, _, most): (Path, f64, f64)| {
        let message = if most.is_finite() { format!("must be 0 to {most}") } else { "must be at least 0".to_owned() };
        Misfit { path, at_key: false, warning: false, message, fix: "write an amount in dollars".to_owned() }
    };
    wrong.map(refused).collect()
}

#[cfg(test)]
mod tests {
    use crate::check::check;
    use crate::{MissingVariable, Surroundings};

    #[test]
    fn no_amount_is_below_zero_and_no_price_beyond_reason() {
        let refused = |text: &str| -> Vec<String> {
            let surroundings = Surroundings { variables: &|_| None, missing: MissingVariable::Defer, channels: &[] };
            let checked = check("chela.json5", text, &|_| None, &surroundings);
            checked.report.errors.iter().map(|error| format!("{} {}", error.path, error.message)).collect()
        };
        let model = |cost: &str| {
            format!(r#"{{ models: {{ providers: {{ x: {{ models: [{{ id: "a", cost: {{ {cost} }} }}] }} }} }} }}"#)
        };
        for (text, said) in [
            (model("input: -3"), "models.providers.x.models[0].cost.input must be 0 to 10000"),
            (model("output: 1e300"), "models.providers.x.models[0].cost.output must be 0 to 10000"),
            (model("cacheRead: -0.1"), "models.providers.x.models[0].cost.cacheRead must be 0 to 10000"),
            (
                r#"{ spend: { prices: { speech: { "a/b": -1 } } } }"#.to_owned(),
                "spend.prices.speech[a/b] must be 0 to 10000",
            ),
            (
                r#"{ spend: { limits: { users: { "telegram:7": -1 } } } }"#.to_owned(),
                "spend.limits.users[telegram:7] must be at least 0",
            ),
            (r#"{ spend: { limits: { perDay: -1 } } }"#.to_owned(), "spend.limits.perDay must be at least 0"),
        ] {
            let found = refused(&text);
            assert!(found.len() == 1 && found.iter().all(|it| it.replace('"', "") == said), "{text}: {found:?}");
        }
        assert_eq!(refused(&model("input: 3, output: 0, cacheRead: 0.3")), [""; 0]);
        assert_eq!(refused(r#"{ spend: { limits: { agents: { main: 0 } } } }"#), [""; 0]);
    }
}
