//! What the adapters are told by the environment of the process.

use chela_core::queue::Lane;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpOptions};

/// The variables of AWS deployments. Each function of the system has only those it needs; an adapter that misses one
/// names it.
#[derive(Clone, Debug, Default)]
pub struct AwsEnvironment {
    /// `CHELA_STAGE`: the deployment's name.
    pub stage: Option<String>,
    /// `CHELA_TABLE`: the name of the DynamoDB table.
    pub table: Option<String>,
    /// `CHELA_BUCKET`: the name of the S3 bucket.
    pub bucket: Option<String>,
    /// `CHELA_QUEUE_LIVE`, the URL of the queue.
    pub queue_live: Option<String>,
    /// `CHELA_QUEUE_SCHEDULED`, the URL of the queue.
    pub queue_scheduled: Option<String>,
    /// `CHELA_QUEUE_BACKGROUND`, the URL of the queue.
    pub queue_background: Option<String>,
    /// `CHELA_BUS`: the name or ARN of the EventBridge bus.
    pub bus: Option<String>,
    /// `CHELA_SANDBOX`: the name of the function that runs commands.
    pub sandbox: Option<String>,
    /// `CHELA_HEARTBEAT_ARN`: the function that schedules invoke.
    pub heartbeat_arn: Option<String>,
    /// `CHELA_SCHEDULER_ROLE_ARN`: the role that may invoke it.
    pub scheduler_role_arn: Option<String>,
    /// `AWS_REGION`; set by Lambda.
    pub region: Option<String>,
    /// `AWS_ACCESS_KEY_ID`; set by Lambda.
    pub access_key_id: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`; set by Lambda.
    pub secret_access_key: Option<Secret>,
    /// `AWS_SESSION_TOKEN`; set by Lambda, absent for a user's long-lived key.
    pub session_token: Option<Secret>,
    /// `AWS_ENDPOINT_URL`: where to find an emulator or a VPC endpoint instead of AWS.
    pub endpoint_url: Option<String>,
}

/// A variable of the process: the one place where functions read it.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// An adapter was asked for whose variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} is not set: {fix}")]
pub struct MissingVariable {
    /// The variable.
    pub name: &'static str,
    /// What its value must be and who sets it.
    pub fix: &'static str,
}

const FROM_LAMBDA: &str = "Lambda sets it; elsewhere export it, for an emulator any value does";

impl AwsEnvironment {
    /// Reads all variables through `lookup` ([`variable`] in a function). An empty value is none.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name| lookup(name).filter(|value| !value.is_empty());
        Self {
            stage: text("CHELA_STAGE"),
            table: text("CHELA_TABLE"),
            bucket: text("CHELA_BUCKET"),
            queue_live: text("CHELA_QUEUE_LIVE"),
            queue_scheduled: text("CHELA_QUEUE_SCHEDULED"),
            queue_background: text("CHELA_QUEUE_BACKGROUND"),
            bus: text("CHELA_BUS"),
            sandbox: text("CHELA_SANDBOX"),
            heartbeat_arn: text("CHELA_HEARTBEAT_ARN"),
            scheduler_role_arn: text("CHELA_SCHEDULER_ROLE_ARN"),
            region: text("AWS_REGION"),
            access_key_id: text("AWS_ACCESS_KEY_ID"),
            secret_access_key: text("AWS_SECRET_ACCESS_KEY").map(Secret::new),
            session_token: text("AWS_SESSION_TOKEN").map(Secret::new),
            endpoint_url: text("AWS_ENDPOINT_URL"),
        }
    }

    /// What [`crate::AwsClients`] needs of its HTTP client: the way to the endpoint that stands in for AWS, private or
    /// not. Where that is no URL, the first request says so.
    pub fn http_options(&self) -> HttpOptions {
        let endpoint = self.endpoint_url.as_deref().and_then(|url| HostPort::of_url(url).ok());
        HttpOptions {
            allow_hosts: endpoint.into_iter().collect(),
            user_agent: concat!("chela/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_roots: None,
        }
    }

    /// The lane whose queue has this ARN, as an SQS event names its source; `None` if it is none of ours.
    pub fn lane_of(&self, queue_arn: &str) -> Option<Lane> {
        let name = queue_arn.rsplit(':').next()?;
        Lane::ALL.into_iter().find(|lane| self.queue(*lane).is_ok_and(|url| url.rsplit('/').next() == Some(name)))
    }

    pub(crate) fn stage(&self) -> Result<&str, MissingVariable> {
        needed(&self.stage, "CHELA_STAGE", "the stage of the stack; infra/template.yaml sets it for each function")
    }

    pub(crate) fn table(&self) -> Result<&str, MissingVariable> {
        needed(&self.table, "CHELA_TABLE", "the table's name; give it to the function in infra/template.yaml")
    }

    pub(crate) fn bucket(&self) -> Result<&str, MissingVariable> {
        needed(&self.bucket, "CHELA_BUCKET", "the bucket's name; give it to the function in infra/template.yaml")
    }

    pub(crate) fn queue(&self, lane: Lane) -> Result<&str, MissingVariable> {
        let fix = "the queue's URL; give it to the function in infra/template.yaml";
        match lane {
            Lane::Live => needed(&self.queue_live, "CHELA_QUEUE_LIVE", fix),
            Lane::Scheduled => needed(&self.queue_scheduled, "CHELA_QUEUE_SCHEDULED", fix),
            Lane::Background => needed(&self.queue_background, "CHELA_QUEUE_BACKGROUND", fix),
        }
    }

    pub(crate) fn bus(&self) -> Result<&str, MissingVariable> {
        needed(&self.bus, "CHELA_BUS", "the bus's name; give it to the function in infra/template.yaml")
    }

    pub(crate) fn sandbox(&self) -> Result<&str, MissingVariable> {
        needed(
            &self.sandbox,
            "CHELA_SANDBOX",
            "the sandbox function's name; give it to the function in infra/template.yaml",
        )
    }

    pub(crate) fn heartbeat_arn(&self) -> Result<&str, MissingVariable> {
        needed(&self.heartbeat_arn, "CHELA_HEARTBEAT_ARN", "the ARN of the heartbeat function of the stack")
    }

    pub(crate) fn scheduler_role_arn(&self) -> Result<&str, MissingVariable> {
        let fix = "the ARN of the role of the stack that lets the scheduler invoke the heartbeat function";
        needed(&self.scheduler_role_arn, "CHELA_SCHEDULER_ROLE_ARN", fix)
    }

    pub(crate) fn region(&self) -> Result<&str, MissingVariable> {
        needed(&self.region, "AWS_REGION", FROM_LAMBDA)
    }

    pub(crate) fn access_key_id(&self) -> Result<&str, MissingVariable> {
        needed(&self.access_key_id, "AWS_ACCESS_KEY_ID", FROM_LAMBDA)
    }

    pub(crate) fn secret_access_key(&self) -> Result<&Secret, MissingVariable> {
        let missing = MissingVariable { name: "AWS_SECRET_ACCESS_KEY", fix: FROM_LAMBDA };
        self.secret_access_key.as_ref().ok_or(missing)
    }
}

fn needed<'a>(value: &'a Option<String>, name: &'static str, fix: &'static str) -> Result<&'a str, MissingVariable> {
    value.as_deref().ok_or(MissingVariable { name, fix })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_read_under_its_own_name() {
        let echo = AwsEnvironment::from_env(|name| Some(format!("value of {name}")));
        assert_eq!(echo.stage(), Ok("value of CHELA_STAGE"));
        assert_eq!(echo.table(), Ok("value of CHELA_TABLE"));
        assert_eq!(echo.bucket(), Ok("value of CHELA_BUCKET"));
        assert_eq!(echo.queue(Lane::Live), Ok("value of CHELA_QUEUE_LIVE"));
        assert_eq!(echo.queue(Lane::Scheduled), Ok("value of CHELA_QUEUE_SCHEDULED"));
        assert_eq!(echo.queue(Lane::Background), Ok("value of CHELA_QUEUE_BACKGROUND"));
        assert_eq!(echo.bus(), Ok("value of CHELA_BUS"));
        assert_eq!(echo.sandbox(), Ok("value of CHELA_SANDBOX"));
        assert_eq!(echo.heartbeat_arn(), Ok("value of CHELA_HEARTBEAT_ARN"));
        assert_eq!(echo.scheduler_role_arn(), Ok("value of CHELA_SCHEDULER_ROLE_ARN"));
        assert_eq!(echo.region(), Ok("value of AWS_REGION"));
        assert_eq!(echo.access_key_id(), Ok("value of AWS_ACCESS_KEY_ID"));
        assert_eq!(echo.secret_access_key().map(Secret::expose), Ok("value of AWS_SECRET_ACCESS_KEY"));
        assert_eq!(echo.session_token.as_ref().map(Secret::expose), Some("value of AWS_SESSION_TOKEN"));
        assert_eq!(echo.endpoint_url.as_deref(), Some("value of AWS_ENDPOINT_URL"));
    }

    #[test]
    fn a_missing_or_empty_variable_is_named() {
        for nothing in [None, Some(String::new())] {
            let environment = AwsEnvironment::from_env(|_| nothing.clone());
            let message = environment.table().unwrap_err().to_string();
            assert!(message.contains("CHELA_TABLE") && message.contains("infra/template.yaml"), "{message}");
            assert_eq!(environment.queue(Lane::Background).unwrap_err().name, "CHELA_QUEUE_BACKGROUND");
            assert_eq!(environment.secret_access_key().unwrap_err().name, "AWS_SECRET_ACCESS_KEY");
        }
    }

    #[test]
    fn an_event_source_is_a_lane_by_the_whole_name_of_its_queue() {
        let url = |name: &str| Some(format!("https://sqs.eu-west-1.amazonaws.com/1/{name}"));
        let environment = AwsEnvironment {
            queue_live: url("chela-dev-live.fifo"),
            queue_background: url("live.fifo"),
            ..AwsEnvironment::default()
        };
        let lane_of = |name: &str| environment.lane_of(&format!("arn:aws:sqs:eu-west-1:1:{name}"));
        assert_eq!(lane_of("chela-dev-live.fifo"), Some(Lane::Live));
        assert_eq!(lane_of("live.fifo"), Some(Lane::Background));
        assert_eq!(lane_of("chela-dev-scheduled.fifo"), None);
        assert_eq!(environment.lane_of(""), None);
    }

    #[test]
    fn only_the_endpoint_that_stands_in_for_aws_may_be_private() {
        let endpoint_url = Some("http://127.0.0.1:4566".to_owned());
        let emulated = AwsEnvironment { endpoint_url, ..AwsEnvironment::default() };
        assert_eq!(emulated.http_options().allow_hosts, [HostPort::of_url("http://127.0.0.1:4566/x").unwrap()]);
        assert_eq!(AwsEnvironment::default().http_options().allow_hosts, []);
    }

    #[test]
    fn credentials_are_not_shown() {
        let environment = AwsEnvironment::from_env(|name| Some(format!("hidden {name}")));
        let shown = format!("{environment:?}");
        assert!(!shown.contains("hidden AWS_SECRET_ACCESS_KEY") && !shown.contains("hidden AWS_SESSION_TOKEN"));
    }
}
