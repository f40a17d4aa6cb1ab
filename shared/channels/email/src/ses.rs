//! Amazon SES, version 2 of its API, by plain HTTPS with requests signed as AWS wants it.
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/>

use std::time::Duration;

use bytes::Bytes;
use chela_channel_kit::{AccountSettings, ApiCall, ApiReply, ConfigProblem};
use chela_core::channel::SendError;
use chela_sigv4::{AwsKeys, Signer, Unsigned};
use serde::Deserialize;

use crate::Email;
use crate::settings::{ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN};

/// The name of the service in signatures.
const SERVICE: &str = "ses";

const JSON: &str = "application/json";

/// Waited when the day's quota is used up: it is counted over the 24 hours before each message.
const QUOTA_DELAY: Duration = Duration::from_secs(60 * 60);

/// How SES explains itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Explanation {
    // Errors of the service write it small, errors of the front end large.
    #[serde(alias = "Message")]
    message: String,
}

/// Signs what is sent to SES in a region.
pub(crate) fn signer(settings: &AccountSettings, region: &str) -> Result<Signer, ConfigProblem> {
    let keys = AwsKeys {
        id: settings.secret(&ACCESS_KEY_ID)?.expose().to_owned(),
        secret: settings.secret(&SECRET_ACCESS_KEY)?.clone(),
        session: settings.optional_secret(&SESSION_TOKEN).cloned(),
    };
    Ok(Signer::new(&keys, region, SERVICE))
}

impl Email {
    /// POSTs JSON to a path of the API.
    pub(crate) async fn post(&self, path: &str, body: Bytes, timeout: Duration) -> Result<ApiReply, SendError> {
        let url = format!("{}{path}", self.base);
        self.signed(ApiCall::post(&url, JSON, body, timeout)).await
    }

    /// GETs a path of the API.
    pub(crate) async fn get(&self, path: &str, timeout: Duration) -> Result<ApiReply, SendError> {
        let url = format!("{}{path}", self.base);
        self.signed(ApiCall::get(&url, timeout)).await
    }

    async fn signed(&self, mut call: ApiCall<'_>) -> Result<ApiReply, SendError> {
        let content_type = call.body.as_ref().map(|_| JSON);
        let body = call.body.as_ref().map(|(_, body)| body.as_ref()).unwrap_or_default();
        let unsigned = Unsigned { method: &call.method, url: call.url, content_type, body };
        let headers = self.signer.headers(&unsigned, self.clock.now());
        call.headers.extend(headers.ok_or_else(|| self.api.refused("the request cannot be signed"))?);
        self.api.call(call).await
    }

    /// What an answer of SES means.
    /// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors>
    pub(crate) fn judge(&self, reply: &ApiReply) -> Result<(), SendError> {
        let reason = reply.json::<Explanation>().unwrap_or_default().message;
        let said = |words: &[&str]| words.iter().any(|word| reason.to_ascii_lowercase().contains(word));
        let status = reply.status.as_u16();
        // Throttling comes with 429, and with 400 from the parts of AWS in front of SES.
        if (400..500).contains(&status) && said(&["quota exceeded", "sending quota"]) {
            return Err(self.api.rate_limited(Some(QUOTA_DELAY)));
        }
        if status == 400 && said(&["rate exceeded", "throttl"]) {
            return Err(self.api.rate_limited(reply.retry_after));
        }
        // Whoever tries again does so with new keys, or at a better time.
        if status == 403 && said(&["token included in the request is expired", "signature expired", "not yet current"])
        {
            return Err(self.api.not_sent(&reason));
        }
        self.api.judge(reply, &reason)
    }
}
