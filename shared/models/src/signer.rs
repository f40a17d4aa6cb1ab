//! Requests as AWS wants them signed: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use http::{HeaderName, HeaderValue};

/// Keys of AWS, as `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsKeys {
    /// The name of the key.
    pub id: String,
    /// The key.
    pub secret: Secret,
    /// What goes with keys that expire.
    pub session: Option<Secret>,
}

/// Signs for one service in one region.
pub(crate) struct Signer {
    credentials: Credentials,
    region: String,
    service: &'static str,
}

impl Signer {
    pub(crate) fn new(keys: &AwsKeys, region: String, service: &'static str) -> Self {
        let session = keys.session.as_ref().map(|session| session.expose().trim().to_owned());
        let credentials =
            Credentials::new(keys.id.trim(), keys.secret.expose().trim(), session, None, "models.providers");
        Self { credentials, region, service }
    }

    /// The headers that make a request ours; `None` if it cannot be written as a request at all.
    pub(crate) fn headers(&self, url: &str, body: &[u8], now: Millis) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let identity = self.credentials.clone().into();
        let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(now.0))?;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let headers = [("content-type", "application/json")];
        let request = SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body)).ok()?;
        let (instructions, _) = sign(request, &params).ok()?.into_parts();
        let headers = instructions.headers().map(|(name, value)| {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        });
        headers.collect()
    }
}
