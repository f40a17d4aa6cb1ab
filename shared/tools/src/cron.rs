//! `cron`: schedules of an agent's making. Only a person's own turn makes, changes or runs one, and only the owner's: what
//! a schedule fires makes no schedule, so none multiplies.

mod when;

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::job::{self, Book, BookError, Job};
use chela_core::message::{EventKey, ReplyAddress};
use chela_core::model::ToolSpec;
use chela_core::queue::{Authority, Lane, MadeFor};
use chela_core::relay;
use chela_core::schedule::{Schedule, ScheduleError, Schedules};
use chela_core::session_key::cron_session_key;
use chela_core::tool::{Caller, Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::{Value, json};

use self::when::{When, when};
use crate::arguments::arguments;

/// Longest name, in characters.
const NAME_CHARS: usize = 60;

/// Longest text, in bytes.
const TEXT_MAX: usize = 4 * 1024;

/// What schedules of an agent's making live in.
#[derive(Clone)]
pub struct CronSettings {
    /// What fires them.
    pub schedules: Arc<dyn Schedules>,
    /// Least minutes between two firings of one.
    pub min_interval_minutes: u32,
    /// Most of one agent at a time.
    pub max_jobs: usize,
    /// The zone times are meant in that name none.
    pub timezone: String,
    /// Whether any schedule fires at all.
    pub enabled: bool,
}

pub(crate) struct Cron(pub(crate) CronSettings);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Status,
    List,
    #[serde(alias = "update")]
    Add,
    Remove,
    Run,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    action: Action,
    #[serde(flatten)]
    given: Given,
    /// The same once more, as OpenClaw nests it.
    #[serde(default, alias = "patch")]
    job: Option<Given>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    #[serde(default, alias = "jobId", alias = "id")]
    name: Option<String>,
    #[serde(default)]
    schedule: Option<Value>,
    #[serde(default, alias = "message", alias = "prompt")]
    text: Option<String>,
    /// OpenClaw's place of the text.
    #[serde(default)]
    payload: Option<Payload>,
    #[serde(default, alias = "sessionTarget")]
    session: Option<Place>,
    #[serde(default)]
    deliver: Option<bool>,
    #[serde(default)]
    enabled: Option<bool>,
}

#[derive(Default, Deserialize)]
struct Payload {
    #[serde(default, alias = "message")]
    text: Option<String>,
}

/// In which conversation it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    /// In the one it was made in.
    #[serde(alias = "main", alias = "current")]
    Here,
    /// In one of its own, which remembers its earlier firings only.
    #[serde(alias = "isolated")]
    Own,
}

impl Arguments {
    fn job(self) -> (Action, Given) {
        let Self { action, given: outer, job } = self;
        let inner = job.unwrap_or_default();
        let text = |given: &Given| given.text.clone().or_else(|| given.payload.as_ref()?.text.clone());
        let given = Given {
            text: text(&outer).or_else(|| text(&inner)),
            name: outer.name.or(inner.name),
            schedule: outer.schedule.or(inner.schedule),
            payload: None,
            session: outer.session.or(inner.session),
            deliver: outer.deliver.or(inner.deliver),
            enabled: outer.enabled.or(inner.enabled),
        };
        (action, given)
    }
}

#[async_trait]
impl Tool for Cron {
    fn spec(&self) -> ToolSpec {
        let text = |description: &str| json!({ "type": "string", "description": description });
        ToolSpec {
            name: "cron".into(),
            description:
                "Reminders and schedules: at a time, or again and again, you are asked to do something, and your \
                          answer goes to this conversation. add replaces the one of the same name."
                    .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "action": { "type": "string", "enum": ["status", "list", "add", "remove", "run"] },
                    "name": text("a short name of your choice"),
                    "schedule": {
                        "type": "object",
                        "properties": {
                            "kind": { "type": "string", "enum": ["at", "in", "every", "cron"] },
                            "at": text("2026-12-24T18:00, the owner's time, or with an offset"),
                            "minutes": { "type": "integer", "description": "for in and every" },
                            "expr": text("five fields of a crontab"),
                            "tz": text("IANA zone, if not the owner's"),
                        },
                        "required": ["kind"],
                    },
                    "text": text("what you are asked then; it must stand for itself"),
                    "session": { "type": "string", "enum": ["here", "own"], "description": "own: without this conversation's past" },
                    "deliver": { "type": "boolean", "description": "false: the answer goes nowhere" },
                    "enabled": { "type": "boolean" },
                },
                "required": ["action"],
            }),
        }
    }

    /// The same schedule twice is the same schedule, and a run has the key of its call.
    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    fn offered(&self, caller: &Caller) -> bool {
        caller.authority == Authority::Owner && caller.depth == 0
    }

    fn on_demand(&self) -> bool {
        true
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.act(&call).await.map_or_else(ToolAnswer::error, |value| ToolAnswer::ok(value.to_string()))
    }
}

impl Cron {
    async fn act(&self, call: &ToolCall<'_>) -> Result<Value, String> {
        let (action, given) = arguments::<Arguments>(call.input)?.job();
        if !self.offered(call.caller) {
            return Err("Schedules are the owner's.".to_owned());
        }
        if matches!(action, Action::Add | Action::Run) && call.caller.senders.is_empty() {
            return Err("Nobody is here to want it: a schedule's own turn makes and runs no schedules.".to_owned());
        }
        match action {
            Action::Status => self.status(call).await,
            Action::List => self.list(call).await,
            Action::Add => self.add(call, given).await,
            Action::Remove => self.remove(call, &name_of(&given)?).await,
            Action::Run => run_now(call, &name_of(&given)?).await,
        }
    }

    async fn status(&self, call: &ToolCall<'_>) -> Result<Value, String> {
        let jobs = job::book(call.files, call.agent).await.map_err(|error| error.to_string())?.jobs;
        Ok(json!({
            "enabled": self.0.enabled, "jobs": jobs.len(), "maxJobs": self.0.max_jobs,
            "minIntervalMinutes": self.0.min_interval_minutes, "timezone": self.0.timezone,
        }))
    }

    async fn list(&self, call: &ToolCall<'_>) -> Result<Value, String> {
        let now = call.clock.now();
        let jobs = job::book(call.files, call.agent).await.map_err(|error| error.to_string())?.jobs;
        Ok(jobs.iter().filter(|job| !job.is_over(now)).map(shown).collect())
    }

    /// Written first and scheduled then: a call that dies in between is run again.
    async fn add(&self, call: &ToolCall<'_>, given: Given) -> Result<Value, String> {
        let (name, now) = (name_of(&given)?, call.clock.now());
        if given.text.as_ref().is_some_and(|text| text.trim().is_empty() || text.len() > TEXT_MAX) {
            return Err(format!("The text must have 1 to {TEXT_MAX} bytes."));
        }
        let when = match &given.schedule {
            Some(given) => Some(when(given, &self.0.timezone, now, self.0.min_interval_minutes)?),
            None => None,
        };
        let changed = job::change(call.files, call.agent, |book| {
            let over: Vec<Job> = book.jobs.iter().filter(|job| job.is_over(now) && job.name != name).cloned().collect();
            book.jobs.retain(|job| !over.contains(job));
            let before = book.job(&name).cloned();
            let job = self.changed(call, book, &name, &given, when.as_ref())?;
            let count = book.jobs.len();
            match book.jobs.iter_mut().find(|job| job.name == name) {
                Some(known) => *known = job.clone(),
                None if count >= self.0.max_jobs => {
                    return Err(format!(
                        "There are {count} schedules already, and no more are allowed (tools.cron.maxJobs): remove one first."
                    ));
                }
                None => book.jobs.push(job.clone()),
            }
            Ok((job, over, before))
        });
        let (job, over, before) = changed.await.map_err(not_changed)?;
        for job in over {
            // What has fired for good is in nobody's way where it cannot be taken away now.
            let _ = self.0.schedules.delete(&job.schedule.name).await;
        }
        if let Err(error) = self.0.schedules.put(&job.schedule).await {
            if matches!(error, ScheduleError::Invalid { .. }) {
                taken_back(call, &job, before.as_ref()).await?;
            }
            return Err(not_scheduled(error));
        }
        if self.0.enabled {
            return Ok(shown(&job));
        }
        Ok(json!({ "made": shown(&job), "note": "no schedule fires: cron.enabled is false" }))
    }

    /// The schedule as it is to be: what is not given is as it was.
    fn changed(
        &self,
        call: &ToolCall<'_>,
        book: &Book,
        name: &str,
        given: &Given,
        when: Option<&When>,
    ) -> Result<Job, String> {
        let known = book.job(name);
        let (expression, timezone, once_at) = match (when, known) {
            (Some(when), _) => (when.expression.clone(), when.timezone.clone(), when.once_at),
            (None, Some(known)) => (known.schedule.expression.clone(), known.schedule.timezone.clone(), known.once_at),
            (None, None) => return Err("When? A new schedule needs schedule.".to_owned()),
        };
        let text = given.text.clone().or_else(|| known.map(|known| known.text.clone()));
        let text = text.ok_or_else(|| "What is to be done? A new schedule needs text.".to_owned())?;
        let scheduled = job::scheduled_name(call.agent, name);
        let session = match (given.session, known) {
            (Some(Place::Own), _) => cron_session_key(&scheduled),
            (None, Some(known)) => known.session.clone(),
            (Some(Place::Here) | None, _) => call.session.clone(),
        };
        let deliver_to = match (given.deliver, known) {
            (Some(false), _) => None,
            (None, Some(known)) => known.deliver_to.clone(),
            (Some(true) | None, _) => here(call.caller),
        };
        let enabled = given.enabled.or_else(|| known.map(|known| known.schedule.enabled)).unwrap_or(true);
        Ok(Job {
            name: name.to_owned(),
            schedule: Schedule { name: scheduled, expression, timezone, enabled },
            text,
            session,
            deliver_to,
            made_for: MadeFor { authority: call.caller.authority, limit: call.caller.limit.clone() },
            made_at: call.clock.now(),
            once_at,
            held: None,
        })
    }

    /// Unscheduled first: what still fires is looked up, and what is not written is nothing.
    async fn remove(&self, call: &ToolCall<'_>, name: &str) -> Result<Value, String> {
        self.0.schedules.delete(&job::scheduled_name(call.agent, name)).await.map_err(not_scheduled)?;
        let change = |book: &mut Book| {
            let before = book.jobs.len();
            book.jobs.retain(|job| job.name != name);
            Ok::<_, String>(book.jobs.len() < before)
        };
        let there = job::change(call.files, call.agent, change).await.map_err(not_changed)?;
        if there || call.again { Ok(json!({ "removed": name })) } else { Err(unknown(name)) }
    }
}

/// What no scheduler takes would stand in the book, take somebody's place and never fire: what was before holds again.
async fn taken_back(call: &ToolCall<'_>, job: &Job, before: Option<&Job>) -> Result<(), String> {
    let change = |book: &mut Book| {
        match (book.jobs.iter_mut().find(|known| *known == job), before) {
            (Some(known), Some(before)) => *known = before.clone(),
            (Some(_), None) => book.jobs.retain(|known| known != job),
            (None, _) => {}
        }
        Ok::<_, String>(())
    };
    job::change(call.files, call.agent, change).await.map_err(not_changed)
}

/// Queues its turn now, once for this call.
async fn run_now(call: &ToolCall<'_>, name: &str) -> Result<Value, String> {
    let book = job::book(call.files, call.agent).await.map_err(|error| error.to_string())?;
    let job = book.job(name).ok_or_else(|| unknown(name))?;
    let (event, now) = (EventKey::of("job", name, call.idempotency_key), call.clock.now());
    let envelope = job.envelope(call.agent, event, now, now);
    call.queue
        .push(Lane::Scheduled, &envelope)
        .await
        .map_err(|error| format!("It could not be begun ({error}). Try again in a moment."))?;
    Ok(json!({ "begun": name }))
}

/// The conversation of the turn, where it is one of a platform. Which message was answered is forgotten by then.
fn here(caller: &Caller) -> Option<ReplyAddress> {
    let to = caller.reply_to.as_ref().filter(|to| to.channel != relay::CHANNEL)?;
    Some(ReplyAddress { message: None, ..to.clone() })
}

fn name_of(given: &Given) -> Result<String, String> {
    let name = given.name.as_deref().unwrap_or_default().trim();
    let chars = name.chars().count();
    if chars == 0 || chars > NAME_CHARS || name.chars().any(char::is_control) {
        return Err(format!("Give the name of the schedule: one line of 1 to {NAME_CHARS} characters."));
    }
    Ok(name.to_owned())
}

fn shown(job: &Job) -> Value {
    let to = job.deliver_to.as_ref().map(|to| format!("{} {}", to.channel, to.to));
    json!({
        "name": job.name, "schedule": job.schedule.expression.0, "timezone": job.schedule.timezone,
        "text": job.text, "session": job.session.as_str(), "answersTo": to, "enabled": job.schedule.enabled,
        "didNotFire": job.held,
    })
}

fn unknown(name: &str) -> String {
    format!("There is no schedule \"{name}\" of yours; list shows them.")
}

fn not_changed(error: BookError<String>) -> String {
    error.to_string()
}

fn not_scheduled(error: ScheduleError) -> String {
    match error {
        ScheduleError::Invalid { reason, .. } => reason,
        ScheduleError::Unavailable(reason) => format!("The scheduler does not answer ({reason}). Call it again."),
    }
}

#[cfg(test)]
mod tests;
