//! The sandbox function, invoked and waited for: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>. One
//! request does not earn an SDK; it is signed and sent like all others.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_core::clock::Clock;
use chela_core::sandbox::{CommandRequest, CommandResult, Sandbox, SandboxError, check_request};
use chela_http::{HttpClient, HttpError, Request};
use chela_sigv4::{AwsKeys, Signer, Unsigned};
use http::Method;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::environment::{AwsEnvironment, MissingVariable};

/// Most bytes that Lambda takes and gives for one invocation.
const PAYLOAD: usize = 6 * 1024 * 1024;

/// Beyond the command's own time: a cold start, unpacking, packing.
const MARGIN: Duration = Duration::from_secs(4);

const JSON: &str = "application/json";

/// Says that the function failed, with its error as the body.
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");

/// Says which error it was.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The sandbox function of the stack. Files travel by value: the function has no right to fetch them from anywhere.
#[derive(Clone)]
pub struct SandboxFunction {
    http: HttpClient,
    clock: Arc<dyn Clock>,
    signer: Signer,
    url: String,
}

/// What Lambda says of a function that failed.
#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "errorMessage", default)]
    message: String,
}

impl SandboxFunction {
    /// Needs `CHELA_SANDBOX`. Does no I/O. `http` must allow the endpoint that stands in for AWS, if there is one.
    pub fn new(environment: &AwsEnvironment, http: HttpClient, clock: Arc<dyn Clock>) -> Result<Self, MissingVariable> {
        let (name, region) = (environment.sandbox()?, environment.region()?);
        let endpoint = match &environment.endpoint_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("https://lambda.{region}.amazonaws.com"),
        };
        let keys = AwsKeys {
            id: environment.access_key_id()?.to_owned(),
            secret: environment.secret_access_key()?.clone(),
            session: environment.session_token.clone(),
        };
        let url = format!("{endpoint}/2015-03-31/functions/{name}/invocations");
        Ok(Self { http, clock, signer: Signer::new(&keys, region, "lambda"), url })
    }

    fn signed(&self, request: Request) -> Option<Request> {
        let (url, body) = (request.url.as_str(), request.body.as_ref());
        let unsigned = Unsigned { method: &Method::POST, url, content_type: Some(JSON), body };
        let headers = self.signer.headers(&unsigned, self.clock.now())?;
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static(JSON));
        Some(headers.into_iter().fold(request, |request, (name, value)| request.header(name, value)))
    }
}

#[async_trait]
impl Sandbox for SandboxFunction {
    async fn run(&self, request: &CommandRequest) -> Result<CommandResult, SandboxError> {
        check_request(request)?;
        let broken = |reason: String| SandboxError::Unavailable(reason);
        let payload = serde_json::to_vec(request).map_err(|error| broken(error.to_string()))?;
        if payload.len() > PAYLOAD {
            let bytes = payload.len();
            return Err(SandboxError::Invalid(format!(
                "files and input are {bytes} bytes as they travel, and a function takes {PAYLOAD}: bring fewer"
            )));
        }
        let timeout = Duration::from_millis(request.timeout_ms).saturating_add(MARGIN);
        let request = self.signed(Request::post(&self.url, payload, timeout, PAYLOAD + 1024));
        let request = request.ok_or_else(|| broken("the request cannot be signed".to_owned()))?;
        let response = self.http.send(request).await.map_err(|error| match error {
            HttpError::BadUrl { .. } => broken(format!("CHELA_SANDBOX names no function: {error}")),
            error => broken(error.to_string()),
        })?;
        if !response.status.is_success() {
            // Lambda takes the interface of a function back that nobody asked for 30 days, and makes another when asked:
            // https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
            let kind = response.headers.get(ERROR_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            if kind.starts_with("ResourceNotReadyException") {
                let asleep = "the function that runs commands was asleep and wakes up: try again in two minutes";
                return Err(SandboxError::Invalid(asleep.to_owned()));
            }
            // The body may repeat the request; its status says enough: 403 a right that lacks, 404 no such function, 429
            // all its environments busy.
            return Err(broken(format!("Lambda answered {}", response.status.as_u16())));
        }
        if response.headers.contains_key(FUNCTION_ERROR) {
            let failure: Failure = serde_json::from_slice(&response.body)
                .unwrap_or_else(|_| Failure { message: "it ended without saying why".to_owned() });
            return Err(broken(failure.message));
        }
        serde_json::from_slice(&response.body).map_err(|error| broken(format!("its answer is none: {error}")))
    }
}
