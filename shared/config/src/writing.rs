//! What agents do beside answering: messages to other places, and schedules of their own.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::schedules::Destination;

/// `tools.message`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageTool {
    /// Places that agents may write to without asking the owner, in turns that are not a guest's. The conversation of a
    /// turn needs no entry. An entry without a thread means no thread, not each.
    pub allow: Vec<Destination>,
}

/// `tools.cron`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CronTool {
    /// Least time between two firings of a schedule that an agent makes, in minutes.
    #[schemars(range(min = 1, max = 1440))]
    pub min_interval_minutes: u32,
    /// Most schedules of one agent's making at a time; 0 for none.
    #[schemars(range(min = 0, max = 200))]
    pub max_jobs: u32,
}

impl Default for CronTool {
    fn default() -> Self {
        Self { min_interval_minutes: 5, max_jobs: 20 }
    }
}
