//! `cron`: turns that nobody has to ask for.

use chela_core::schedule::{Schedule, ScheduleExpression};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::settings::Config;

/// What an agent is asked by its heartbeat, unless configured otherwise.
pub const HEARTBEAT_PROMPT: &str =
    "Read HEARTBEAT.md and do what is due. If nothing needs attention, answer HEARTBEAT_OK.";

/// `cron`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CronSection {
    /// `false` stops all schedules and heartbeats.
    pub enabled: bool,
    /// The schedules.
    pub jobs: Vec<Job>,
}

impl Default for CronSection {
    fn default() -> Self {
        Self { enabled: true, jobs: Vec::new() }
    }
}

/// One schedule. Its conversation is `cron:<name>`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Unique; letters, digits, `-`, `_` and `.`, at most 64.
    pub name: String,
    /// When: `rate(30 minutes)`, `cron(0 8 * * ? *)` or `at(2026-12-24T18:00:00)`, as EventBridge Scheduler writes it.
    pub expression: String,
    /// The zone `cron` and `at` are meant in, as in `Europe/Berlin`; `agents.defaults.userTimezone` if left out.
    #[serde(default)]
    pub timezone: Option<String>,
    /// What the agent is asked.
    pub prompt: String,
    /// Who is asked; the default agent if left out.
    #[serde(default)]
    pub agent: Option<String>,
    /// Where an answer goes; nowhere if left out. `HEARTBEAT_OK` is never sent.
    #[serde(default)]
    pub deliver_to: Option<Destination>,
    /// Whether it fires.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// Where an answer goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// The channel.
    pub channel: String,
    /// Our account there; `default` if left out.
    #[serde(default)]
    pub account: Option<String>,
    /// The chat, room or person, as the platform names it.
    #[serde(deserialize_with = "text_or_number")]
    #[schemars(with = "chela_core::gate::SenderId")]
    pub to: String,
    /// The thread in it.
    #[serde(default, deserialize_with = "some_text_or_number")]
    #[schemars(with = "Option<chela_core::gate::SenderId>")]
    pub thread: Option<String>,
}

fn yes() -> bool {
    true
}

fn text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(chela_core::gate::SenderId::deserialize(from)?.into())
}

fn some_text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<chela_core::gate::SenderId>::deserialize(from)?.map(String::from))
}

/// A schedule with everything filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it fires, under which name.
    pub schedule: Schedule,
    /// What is asked.
    pub prompt: String,
    /// Who is asked; `None` is the default agent.
    pub agent: Option<String>,
    /// Where an answer goes.
    pub deliver_to: Option<Destination>,
}

impl Config {
    /// All schedules: `cron.jobs`, and a heartbeat for each agent that has one, named `heartbeat-<agent>`.
    pub fn plan(&self) -> Vec<Planned> {
        let zone = self.agents.defaults.user_timezone.as_deref().unwrap_or("UTC");
        let jobs = self.cron.jobs.iter().map(|job| Planned {
            schedule: Schedule {
                name: job.name.clone(),
                expression: ScheduleExpression(job.expression.clone()),
                timezone: job.timezone.as_deref().unwrap_or(zone).to_owned(),
                enabled: self.cron.enabled && job.enabled,
            },
            prompt: job.prompt.clone(),
            agent: job.agent.clone(),
            deliver_to: job.deliver_to.clone(),
        });
        let heartbeats = self.agents.ids().into_iter().filter_map(|id| {
            let heartbeat = self.agents.heartbeat_of(&id)?;
            let expression = rate_of(heartbeat.every.as_deref()?)??;
            Some(Planned {
                schedule: Schedule {
                    name: format!("heartbeat-{id}"),
                    expression: ScheduleExpression(expression),
                    timezone: zone.to_owned(),
                    enabled: self.cron.enabled,
                },
                prompt: heartbeat.prompt.clone().unwrap_or_else(|| HEARTBEAT_PROMPT.to_owned()),
                deliver_to: heartbeat.deliver_to.clone(),
                agent: Some(id),
            })
        });
        jobs.chain(heartbeats).collect()
    }
}

/// `30m` as `rate(30 minutes)`; `Some(None)` if it is never, `None` if it is no interval.
pub(crate) fn rate_of(every: &str) -> Option<Option<String>> {
    let digits = every.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u32 = digits.parse().ok()?;
    let unit = match every.strip_prefix(digits)? {
        "m" | "" => "minute",
        "h" => "hour",
        "d" => "day",
        _ => return None,
    };
    Some((number > 0).then(|| format!("rate({number} {unit}{})", if number == 1 { "" } else { "s" })))
}

/// What is wrong with the text of an expression, in the shapes EventBridge Scheduler knows. The scheduler itself has the
/// last word; this finds slips before anything is deployed.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>
pub(crate) fn expression_problem(text: &str) -> Option<&'static str> {
    let Some((kind, rest)) = text.split_once('(') else {
        return Some("is none of rate(…), cron(…) and at(…)");
    };
    let Some(inner) = rest.strip_suffix(')') else { return Some("lacks its closing )") };
    match kind {
        "rate" => rate_problem(inner),
        "cron" => (inner.split_whitespace().count() != 6)
            .then_some("has not the six fields minutes, hours, day of month, month, day of week, year"),
        "at" => inner.parse::<jiff::civil::DateTime>().err().map(|_| "has no time such as 2026-12-24T18:00:00"),
        _ => Some("is none of rate(…), cron(…) and at(…)"),
    }
}

fn rate_problem(inner: &str) -> Option<&'static str> {
    let mut words = inner.split_whitespace();
    let number = words.next().and_then(|word| word.parse::<u32>().ok()).filter(|number| *number > 0);
    let unit = words.next().is_some_and(|unit| matches!(unit.trim_end_matches('s'), "minute" | "hour" | "day"));
    (number.is_none() || !unit || words.next().is_some()).then_some("has not the form rate(30 minutes)")
}
