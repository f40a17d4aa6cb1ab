//! Schedules in a group of EventBridge Scheduler; each invokes the heartbeat function.

use async_trait::async_trait;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, ScheduleState, Target,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use chela_core::clock::Millis;
use chela_core::schedule::{Firing, MADE, Schedule, ScheduleError, ScheduleExpression, Schedules};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{AwsClients, reason};
use crate::environment::{AwsEnvironment, MissingVariable};

/// Replaced by the service with the time the firing was due:
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html>
const SCHEDULED_TIME: &str = "<aws.scheduler.scheduled-time>";

/// A firing that could not be delivered for an hour is stale. As in infra/template.yaml.
const RETRIES: i32 = 10;
const RETRY_FOR_S: i32 = 3600;

/// The schedules of one stage: the group `chela-<stage>` of EventBridge Scheduler.
#[derive(Clone, Debug)]
pub struct ScheduleGroup {
    client: Client,
    group: String,
    heartbeat_arn: String,
    role_arn: String,
}

/// What a firing hands to the heartbeat function, here and in infra/template.yaml.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    name: String,
    scheduled_time: String,
}

/// Reads what a firing handed to the heartbeat function. An emulator that leaves the time to be filled in gets `now`,
/// cut to the minute, because no schedule fires twice within one.
pub fn firing(event: &Value, now: Millis) -> Result<Firing, ScheduleError> {
    let invalid = |name: &str, reason: String| ScheduleError::Invalid { name: name.to_owned(), reason };
    let expected = format!(r#"the schedule's input must be {{"name":"…","scheduledTime":"{SCHEDULED_TIME}"}}"#);
    let Input { name, scheduled_time } = Input::deserialize(event).map_err(|_| invalid("", expected.clone()))?;
    if scheduled_time == SCHEDULED_TIME {
        let minute = now.0.saturating_sub(now.0 % 60_000);
        return Ok(Firing { name, scheduled_at: Millis(minute) });
    }
    let time: Option<jiff::Timestamp> = scheduled_time.parse().ok();
    let time =
        time.and_then(|time| u64::try_from(time.as_millisecond()).ok()).ok_or_else(|| invalid(&name, expected))?;
    Ok(Firing { name, scheduled_at: Millis(time) })
}

impl ScheduleGroup {
    /// Needs `CHELA_STAGE`, `CHELA_HEARTBEAT_ARN` and `CHELA_SCHEDULER_ROLE_ARN`. Does no I/O.
    pub fn new(clients: &AwsClients, environment: &AwsEnvironment) -> Result<Self, MissingVariable> {
        Ok(Self {
            client: Client::new(clients.config()),
            group: format!("chela-{}", environment.stage()?),
            heartbeat_arn: environment.heartbeat_arn()?.to_owned(),
            role_arn: environment.scheduler_role_arn()?.to_owned(),
        })
    }

    fn target(&self, name: &str) -> Result<Target, ScheduleError> {
        let input = Input { name: name.to_owned(), scheduled_time: SCHEDULED_TIME.to_owned() };
        let input = serde_json::to_string(&input).map_err(unavailable)?;
        let retries =
            RetryPolicy::builder().maximum_retry_attempts(RETRIES).maximum_event_age_in_seconds(RETRY_FOR_S).build();
        Target::builder()
            .arn(&self.heartbeat_arn)
            .role_arn(&self.role_arn)
            .input(input)
            .retry_policy(retries)
            .build()
            .map_err(unavailable)
    }

    async fn replace(&self, schedule: &Schedule) -> Result<(), ScheduleError> {
        let update = self
            .client
            .update_schedule()
            .group_name(&self.group)
            .name(&schedule.name)
            .schedule_expression(&schedule.expression.0)
            .schedule_expression_timezone(&schedule.timezone)
            .state(state(schedule))
            .action_after_completion(after(schedule))
            .flexible_time_window(on_time()?)
            .target(self.target(&schedule.name)?);
        update.send().await.map(drop).map_err(|error| self.failed(&schedule.name, &error))
    }

    /// One schedule; `None` if it was deleted since it was listed.
    async fn get(&self, name: &str) -> Result<Option<Schedule>, ScheduleError> {
        let answer = match self.client.get_schedule().group_name(&self.group).name(name).send().await {
            Ok(answer) => answer,
            Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) => return Err(self.failed(name, &error)),
        };
        Ok(Some(Schedule {
            name: name.to_owned(),
            expression: ScheduleExpression(answer.schedule_expression.unwrap_or_default()),
            timezone: answer.schedule_expression_timezone.unwrap_or_else(|| "UTC".to_owned()),
            enabled: answer.state != Some(ScheduleState::Disabled),
        }))
    }

    fn failed<E: ProvideErrorMetadata>(&self, name: &str, error: &SdkError<E, HttpResponse>) -> ScheduleError {
        let reason = reason(error);
        match code(error) {
            Some("ValidationException") => ScheduleError::Invalid { name: name.to_owned(), reason },
            Some("ResourceNotFoundException") => ScheduleError::Unavailable(format!(
                "there is no schedule group \"{}\"; deploy the stack, or correct CHELA_STAGE ({reason})",
                self.group
            )),
            _ => ScheduleError::Unavailable(reason),
        }
    }
}

#[async_trait]
impl Schedules for ScheduleGroup {
    async fn put(&self, schedule: &Schedule) -> Result<(), ScheduleError> {
        schedule.check()?;
        let create = self
            .client
            .create_schedule()
            .group_name(&self.group)
            .name(&schedule.name)
            .schedule_expression(&schedule.expression.0)
            .schedule_expression_timezone(&schedule.timezone)
            .state(state(schedule))
            .action_after_completion(after(schedule))
            .flexible_time_window(on_time()?)
            .target(self.target(&schedule.name)?);
        match create.send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some("ConflictException") => self.replace(schedule).await,
            Err(error) => Err(self.failed(&schedule.name, &error)),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), ScheduleError> {
        match self.client.delete_schedule().group_name(&self.group).name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(()),
            Err(error) => Err(self.failed(name, &error)),
        }
    }

    async fn list(&self) -> Result<Vec<Schedule>, ScheduleError> {
        let mut schedules = Vec::new();
        let mut token = None;
        loop {
            let list = self.client.list_schedules().group_name(&self.group).set_next_token(token);
            let page = list.send().await.map_err(|error| self.failed("", &error))?;
            // A listing has no expressions.
            for summary in page.schedules() {
                schedules.extend(self.get(summary.name().unwrap_or_default()).await?);
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        schedules.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(schedules)
    }
}

fn state(schedule: &Schedule) -> ScheduleState {
    if schedule.enabled { ScheduleState::Enabled } else { ScheduleState::Disabled }
}

/// What fired for good and is of an agent's making goes: nobody else takes it away.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-delete.html>
fn after(schedule: &Schedule) -> ActionAfterCompletion {
    if schedule.name.starts_with(MADE) { ActionAfterCompletion::Delete } else { ActionAfterCompletion::None }
}

fn on_time() -> Result<FlexibleTimeWindow, ScheduleError> {
    FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().map_err(unavailable)
}

fn unavailable(error: impl std::error::Error) -> ScheduleError {
    ScheduleError::Unavailable(error.to_string())
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Millis = Millis(1_795_219_261_234);

    #[test]
    fn a_firing_carries_the_time_it_was_due() {
        let event = json!({"name": "daily", "scheduledTime": "2026-11-21T09:00:00Z"});
        let due = Firing { name: "daily".into(), scheduled_at: Millis(1_795_251_600_000) };
        assert_eq!(firing(&event, NOW).unwrap(), due);
    }

    #[test]
    fn two_firings_within_a_minute_are_one_where_the_time_is_not_filled_in() {
        let event = json!({"name": "daily", "scheduledTime": "<aws.scheduler.scheduled-time>"});
        let first = firing(&event, NOW).unwrap();
        assert_eq!(first, firing(&event, NOW.plus(5_000)).unwrap());
        assert_ne!(first, firing(&event, NOW.plus(60_000)).unwrap());
    }

    #[test]
    fn anything_else_is_refused_with_what_is_expected() {
        for event in
            [json!(null), json!({}), json!({"name": "a"}), json!({"name": "a", "scheduledTime": "soon"}), json!([])]
        {
            let error = firing(&event, NOW).unwrap_err().to_string();
            assert!(error.contains("scheduledTime"), "{event}: {error}");
        }
    }
}
