//! Schedules: what fires a heartbeat.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// When a schedule fires. Text forms are those of EventBridge Scheduler:
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct ScheduleExpression(pub String);

/// A named, repeating or single occasion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Unique; letters, digits, `-`, `_` and `.`, at most 64.
    pub name: String,
    /// `rate(30 minutes)`, `cron(0 8 * * ? *)` or `at(2026-12-24T18:00:00)`.
    pub expression: ScheduleExpression,
    /// The IANA zone `cron` and `at` are meant in.
    pub timezone: String,
    /// Whether it fires.
    pub enabled: bool,
}

/// One firing. The same name and time is the same firing, however often it is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Firing {
    /// The schedule's name.
    pub name: String,
    /// The time it was due.
    pub scheduled_at: Millis,
}

/// Why a schedule was refused.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The name, expression or zone is not one.
    #[error("schedule \"{name}\": {reason}")]
    Invalid {
        /// The schedule.
        name: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The scheduler did not answer: try again.
    #[error("the scheduler is unavailable: {0}")]
    Unavailable(String),
}

/// Keeps schedules and sees that they fire, at least once each time.
#[async_trait]
pub trait Schedules: Send + Sync {
    /// Creates or replaces by name; the same schedule twice changes nothing.
    async fn put(&self, schedule: &Schedule) -> Result<(), ScheduleError>;

    /// Removes by name; removing what is not there is no error.
    async fn delete(&self, name: &str) -> Result<(), ScheduleError>;

    /// All schedules, by name.
    async fn list(&self) -> Result<Vec<Schedule>, ScheduleError>;
}
