//! What all AWS clients of a process share: region, credentials, the HTTP client, patience.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpClient as SdkHttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use chela_core::secret::Secret;
use chela_http::{HttpClient, HttpError};

use crate::environment::{AwsEnvironment, MissingVariable};

/// One try. The services answer in milliseconds; what has not come after this long is lost, and a turn's lease runs.
const ATTEMPT: Duration = Duration::from_secs(4);

/// All tries together, with the pauses between them. A caller with work left gives its message back to the queue.
const OPERATION: Duration = Duration::from_secs(10);

/// Tries: a throttled or lost request is repeated twice, then the queue repeats the whole turn.
const ATTEMPTS: u32 = 3;

/// The first pause before a repetition, and the longest; the SDK draws from 0 up to these.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Most bytes of an answer: the largest file the agent takes; everything else is far smaller.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A service's client, made when it is first used (about half a millisecond): a function pays at start only for the
/// services it calls then.
pub(crate) type Lazy<C> = Arc<LazyLock<C, Box<dyn FnOnce() -> C + Send>>>;

/// What the adapters are made from. Cheap to clone; all clones share connections and credentials.
#[derive(Clone, Debug)]
pub struct AwsClients {
    config: SdkConfig,
    emulated: bool,
}

impl AwsClients {
    /// The client of one service.
    pub(crate) fn lazily<C: 'static>(&self, make: fn(&SdkConfig) -> C) -> Lazy<C> {
        let config = self.config.clone();
        Arc::new(LazyLock::new(Box::new(move || make(&config))))
    }

    /// Takes region and credentials from `environment` and nowhere else: no files, no metadata service, no network.
    ///
    /// Where `environment.endpoint_url` is set, `http` must allow its host and port if they are private.
    pub fn new(environment: &AwsEnvironment, http: HttpClient) -> Result<Self, MissingVariable> {
        Self::over(environment, SharedHttpClient::new(House(http)))
    }

    /// The same over any HTTP client of the SDK; a test counts requests with it.
    pub fn over(environment: &AwsEnvironment, http: SharedHttpClient) -> Result<Self, MissingVariable> {
        let credentials = Credentials::new(
            environment.access_key_id()?,
            environment.secret_access_key()?.expose(),
            environment.session_token.as_ref().map(|token| Secret::expose(token).to_owned()),
            // An environment's credentials live as long as the environment.
            None,
            "environment",
        );
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION);
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(FIRST_PAUSE)
            .with_max_backoff(LONGEST_PAUSE);
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(environment.region()?.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http)
            .sleep_impl(TokioSleep::new())
            .timeout_config(timeouts.build())
            .retry_config(retries)
            // Bodies are whole before they are handed over; the timeouts cover them.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(environment.endpoint_url.clone());
        Ok(Self { config: config.build(), emulated: environment.endpoint_url.is_some() })
    }

    /// The SDK's configuration, for services that have no adapter here.
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Whether requests go to one endpoint for all services instead of AWS.
    pub(crate) fn emulated(&self) -> bool {
        self.emulated
    }
}

/// The SDK's view of the house's HTTP client.
#[derive(Clone)]
struct House(HttpClient);

impl fmt::Debug for House {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("House")
    }
}

impl SdkHttpClient for House {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for House {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.0.clone();
        HttpConnectorFuture::new(async move { exchange(&http, request).await })
    }
}

async fn exchange(http: &HttpClient, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let body = ByteStream::new(body).collect().await.map_err(|error| ConnectorError::user(error.into()))?;
    let request = http::Request::from_parts(parts, body.into_bytes());
    let response = http.http_request(request, ATTEMPT, ANSWER_BYTES).await.map_err(connector_error)?;
    HttpResponse::try_from(response.map(SdkBody::from)).map_err(|error| ConnectorError::other(error.into(), None))
}

/// `Io` errors are tried again, `user` errors are not.
fn connector_error(error: HttpError) -> ConnectorError {
    match error {
        HttpError::NotSent { .. } | HttpError::Unknown { .. } => ConnectorError::io(error.into()),
        _ => ConnectorError::user(error.into()),
    }
}

/// What the service or the network said, in one line without any header or body.
pub(crate) fn reason<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> String {
    match error {
        SdkError::ServiceError(refused) => {
            let (code, message) = (refused.err().code(), refused.err().message());
            format!("{}: {}", code.unwrap_or("unknown error"), message.unwrap_or("no message"))
        }
        SdkError::TimeoutError(_) => format!("no answer within {} s", OPERATION.as_secs()),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error().and_then(Error::source) {
            Some(cause) => cause.to_string(),
            None => "the request could not be sent".to_owned(),
        },
        SdkError::ConstructionFailure(_) => "the request could not be made of its parameters".to_owned(),
        _ => "the answer could not be understood".to_owned(),
    }
}
