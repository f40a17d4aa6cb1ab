//! Calls of the Graph API with one account's token. <https://developers.facebook.com/docs/graph-api/overview>

use std::time::Duration;

use chela_channel_kit::multipart::Form;
use chela_channel_kit::{AccountSettings, Api, ApiCall, ApiReply, ConfigProblem, SecretSpec};
use chela_core::channel::{Fetched, SendError};
use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::{Failure, judge};
use crate::hosts::is_metas;
use crate::options::graph_api_version;

/// For calls that nobody waits for.
pub const ADMINISTRATION: Duration = Duration::from_secs(15);

/// A typing signal that comes later than this is worth nothing.
pub const TYPING: Duration = Duration::from_secs(3);

/// The way to the Graph API.
pub struct Graph {
    api: Api,
    /// Without a slash at its end.
    base_url: String,
    version: String,
    authorization: HeaderValue,
}

impl Graph {
    /// The way of `channel` with the account's token; `hidden` are the account's other secrets, for errors.
    pub fn new(
        channel: &'static str,
        settings: &AccountSettings,
        default_base_url: &str,
        access_token: &SecretSpec,
        hidden: &[&SecretSpec],
    ) -> Result<Self, ConfigProblem> {
        let token = settings.secret(access_token)?;
        let unfit =
            |what: &str| ConfigProblem::secret(access_token.key, what, format!("copy it again: {}", access_token.doc));
        if token.expose().split_whitespace().count() != 1 {
            return Err(unfit("it is not one word"));
        }
        let authorization = format!("Bearer {}", token.expose().trim());
        let mut authorization =
            HeaderValue::from_str(&authorization).map_err(|_| unfit("it cannot stand in a header"))?;
        authorization.set_sensitive(true);
        let others = hidden.iter().filter_map(|spec| settings.optional_secret(spec)).cloned();
        Ok(Self {
            api: Api::new(channel, settings.http.clone(), std::iter::once(token.clone()).chain(others).collect()),
            base_url: settings.base_url(default_base_url)?,
            version: graph_api_version(settings)?,
            authorization,
        })
    }

    /// Makes errors in the channel's name.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Where the API is, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// GET of a node or an edge, with its query.
    pub async fn get(&self, path: &str, timeout: Duration) -> Result<ApiReply, Failure> {
        let url = self.url(path);
        self.authorized(ApiCall::get(&url, timeout)).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value, timeout: Duration) -> Result<ApiReply, Failure> {
        let url = self.url(path);
        self.authorized(ApiCall::json(&url, body, timeout)).await
    }

    /// POST of a file. Nobody sees a file that was only uploaded, so a missing answer means that nothing was sent.
    pub async fn upload(&self, path: &str, form: Form, timeout: Duration) -> Result<ApiReply, Failure> {
        let url = self.url(path);
        let call = form.into_call(ApiCall::get(&url, timeout).method(Method::POST));
        match self.authorized(call).await {
            Err(Failure::Other(SendError::Unknown { channel, reason })) => {
                Err(Failure::Other(SendError::NotSent { channel, reason }))
            }
            other => other,
        }
    }

    /// POST of a form that carries a token of its own.
    pub(crate) async fn post_form(&self, path: &str, form: String) -> Result<ApiReply, Failure> {
        let url = self.url(path);
        let call = ApiCall::post(&url, "application/x-www-form-urlencoded", form.into(), ADMINISTRATION);
        self.judged(call).await
    }

    /// The answer's JSON; an answer that is none leaves open what was done.
    pub fn read<T: DeserializeOwned>(&self, reply: &ApiReply, what: &str) -> Result<T, SendError> {
        reply.json().ok_or_else(|| self.api.unknown(&format!("the answer has no {what}")))
    }

    /// Fetches a file from one of Meta's hosts, with the token where the platform asks for it.
    pub async fn download(
        &self,
        url: &str,
        with_token: bool,
        most: usize,
        timeout: Duration,
    ) -> Result<Fetched, SendError> {
        if !is_metas(url, &self.base_url) {
            return Err(self.api.refused("the file is on a host that is not Meta's"));
        }
        let mut headers = HeaderMap::new();
        if with_token {
            headers.insert(AUTHORIZATION, self.authorization.clone());
        }
        self.api.download(url, headers, most, timeout).await
    }

    async fn authorized(&self, call: ApiCall<'_>) -> Result<ApiReply, Failure> {
        self.judged(call.header(AUTHORIZATION, self.authorization.clone())).await
    }

    async fn judged(&self, call: ApiCall<'_>) -> Result<ApiReply, Failure> {
        let reply = self.api.call(call).await.map_err(Failure::Other)?;
        judge(&self.api, &reply)?;
        Ok(reply)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{}/{path}", self.base_url, self.version)
    }
}
