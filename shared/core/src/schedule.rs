//! Schedules: what fires a heartbeat.

use async_trait::async_trait;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;

mod cron;

pub use cron::Cron;

/// Begins the names of schedules that agents make and of wake-ups for requests; no schedule of the configuration is
/// called so. One that has fired for good is gone: nobody else takes it away.
pub const MADE: &str = "job.";

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

/// A [`ScheduleExpression`] that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Again and again, so many minutes apart; at least one.
    Rate {
        /// The distance.
        minutes: u64,
    },
    /// Whenever the clock of the schedule's zone shows one of these times.
    Cron(Cron),
    /// Once, when the clock of the schedule's zone shows this time.
    At(DateTime),
}

impl Timing {
    /// Reads an expression. The error says what is wrong and what would be right.
    pub fn parse(expression: &ScheduleExpression) -> Result<Self, String> {
        let text = expression.0.as_str();
        let (kind, rest) = text.split_once('(').ok_or_else(|| unknown(text))?;
        let inner = rest.strip_suffix(')').ok_or_else(|| unknown(text))?;
        match kind {
            "rate" => rate(inner),
            "cron" => Cron::parse(inner).map(Self::Cron),
            "at" => DateTime::strptime("%Y-%m-%dT%H:%M:%S", inner)
                .map(Self::At)
                .map_err(|_| format!("\"{inner}\" is not a time; write at(2026-12-24T18:00:00)")),
            _ => Err(unknown(text)),
        }
    }
}

fn unknown(text: &str) -> String {
    format!("\"{text}\" is no expression; write rate(30 minutes), cron(0 8 * * ? *) or at(2026-12-24T18:00:00)")
}

fn rate(inner: &str) -> Result<Timing, String> {
    let wrong = || format!("\"{inner}\" is not a rate; write a whole number from 1 and minutes, hours or days");
    let (count, unit) = inner.split_once(' ').ok_or_else(wrong)?;
    let count =
        Some(count).filter(|count| count.bytes().all(|b| b.is_ascii_digit())).and_then(|count| count.parse().ok());
    let minutes: u64 = match unit {
        "minute" | "minutes" => 1,
        "hour" | "hours" => 60,
        "day" | "days" => 24 * 60,
        _ => return Err(wrong()),
    };
    match count.and_then(|count: u64| count.checked_mul(minutes)) {
        Some(minutes) if minutes > 0 => Ok(Timing::Rate { minutes }),
        _ => Err(wrong()),
    }
}

impl Schedule {
    /// What [`Schedules::put`] refuses, on every adapter alike: a name, expression or zone that is not one.
    pub fn check(&self) -> Result<(Timing, TimeZone), ScheduleError> {
        let invalid = |reason: String| ScheduleError::Invalid { name: self.name.clone(), reason };
        check_name(&self.name).map_err(invalid)?;
        let timing = Timing::parse(&self.expression).map_err(invalid)?;
        let zone = TimeZone::get(&self.timezone).map_err(|_| {
            invalid(format!(
                "\"{}\" is not a time zone; write an IANA name such as Europe/Berlin or UTC",
                self.timezone
            ))
        })?;
        Ok((timing, zone))
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
        return Err("a name is 1 to 64 letters, digits, '-', '_' and '.'".to_owned());
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Timing, String> {
        Timing::parse(&ScheduleExpression(text.into()))
    }

    #[test]
    fn rates_are_counted_in_minutes() {
        for (text, minutes) in
            [("rate(1 minute)", 1), ("rate(30 minutes)", 30), ("rate(2 hours)", 120), ("rate(1 day)", 1440)]
        {
            assert_eq!(parse(text), Ok(Timing::Rate { minutes }), "{text}");
        }
        let huge = format!("rate({} days)", u64::MAX);
        for text in ["rate(0 minutes)", "rate(+5 minutes)", "rate(5)", "rate(5  minutes)", "rate(5 weeks)", &huge] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_single_occasion_is_a_time_without_zone() {
        assert_eq!(parse("at(2026-12-24T18:00:00)"), Ok(Timing::At(jiff::civil::datetime(2026, 12, 24, 18, 0, 0, 0))));
        for text in ["at(2026-02-30T18:00:00)", "at(2026-12-24)", "at(2026-12-24T18:00:00Z)", "at(2026-12-24T18:00:00"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_plain() {
        for name in ["", "a b", "a/b", "é", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name("Morning-brief_2.x").is_ok());
    }

    #[test]
    fn a_zone_must_be_known_by_its_whole_name() {
        let zoned = |timezone: &str| Schedule {
            name: "a".into(),
            expression: ScheduleExpression("rate(1 day)".into()),
            timezone: timezone.into(),
            enabled: true,
        };
        assert!(zoned("Europe/Berlin").check().is_ok());
        assert!(zoned("UTC").check().is_ok());
        for timezone in ["", "Mars/Olympus", "../../etc/passwd", "Europe"] {
            assert!(zoned(timezone).check().is_err(), "{timezone:?}");
        }
    }
}
