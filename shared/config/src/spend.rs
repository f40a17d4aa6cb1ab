//! `spend`: what may be spent, and what services cost.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

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
