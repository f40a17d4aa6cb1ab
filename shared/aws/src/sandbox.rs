//! The sandbox function, invoked and waited for: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>. One
//! request does not earn an SDK, which would weigh a megabyte; it is signed by AWS's own crate and sent like all others.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chela_core::clock::Clock;
use chela_core::sandbox::{CommandRequest, CommandResult, Sandbox, SandboxError, check_request};
use chela_core::secret::Secret;
use chela_http::{HttpClient, HttpError, Request};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::environment::{AwsEnvironment, MissingVariable};

/// Most bytes that Lambda takes and gives for one invocation.
const PAYLOAD: usize = 6 * 1024 * 1024;

/// Beyond the command's own time: a cold start, unpacking, packing.
const MARGIN: Duration = Duration::from_secs(4);

/// Says that the function failed, with its error as the body.
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");

/// The sandbox function of the stack. Files travel by value: the function has no right to fetch them from anywhere.
#[derive(Clone)]
pub struct SandboxFunction {
    http: HttpClient,
    clock: Arc<dyn Clock>,
    credentials: Credentials,
    region: String,
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
        let credentials = Credentials::new(
            environment.access_key_id()?,
            environment.secret_access_key()?.expose(),
            environment.session_token.as_ref().map(|token| Secret::expose(token).to_owned()),
            None,
            "environment",
        );
        let url = format!("{endpoint}/2015-03-31/functions/{name}/invocations");
        Ok(Self { http, clock, credentials, region: region.to_owned(), url })
    }

    fn signed(&self, mut request: Request) -> Option<Request> {
        let identity = self.credentials.clone().into();
        let now = Duration::from_secs(self.clock.now().seconds());
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("lambda")
            .time(SystemTime::UNIX_EPOCH.checked_add(now)?)
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let content_type = [(CONTENT_TYPE.as_str(), "application/json")];
        let body = SignableBody::Bytes(&request.body);
        let signable = SignableRequest::new("POST", &request.url, content_type.into_iter(), body).ok()?;
        let (instructions, _) = sign(signable, &params).ok()?.into_parts();
        request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in instructions.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            request = request.header(name, HeaderValue::from_str(value).ok()?);
        }
        Some(request)
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
