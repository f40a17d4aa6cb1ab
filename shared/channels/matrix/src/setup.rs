//! The registration file, and asking how we are doing.

use std::time::Duration;

use chela_core::channel::{Health, Registration, SendError};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::Matrix;
use crate::client::Failure;
use crate::settings::{AS_TOKEN, HS_TOKEN};

const TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
struct WhoAmI {
    user_id: String,
}

#[derive(Deserialize)]
struct Pong {
    duration_ms: u64,
}

impl Matrix {
    /// Homeservers have no API for it: whoever can read all rooms is named in a file.
    pub(crate) fn registration(&self, url: &str) -> Registration {
        let id = &self.settings.appservice;
        let steps = vec![
            format!(
                "Write this into {id}.yaml where the homeserver can read it, and nobody else. Put the words of your two secrets in:\n\n{}",
                self.registration_file(url)
            ),
            format!(
                "Synapse: add the file's path to app_service_config_files in homeserver.yaml, and restart it. Other homeservers: see their manual for application services; Dendrite has app_service_api.config_files, conduwuit the command \"appservices register\" in its admin room"
            ),
            "`chela channels status`: the homeserver then calls us, and tells whether it got through".to_owned(),
            format!(
                "Give the bot a name, once: curl -X PUT -H \"Authorization: Bearer ${}\" -d '{{\"displayname\":\"Agent\"}}' {}",
                AS_TOKEN.env,
                self.url(&["_matrix", "client", "v3", "profile", &self.settings.me.user_id, "displayname"], &[]),
            ),
        ];
        Registration::Manual { steps }
    }

    /// <https://spec.matrix.org/v1.16/application-service-api/#registration>
    fn registration_file(&self, url: &str) -> String {
        let me = &self.settings.me;
        let (localpart, server) = (literally(&me.localpart), literally(&me.server));
        let quoted = |text: &str| text.replace('\'', "''");
        [
            format!("    id: '{}'", quoted(&self.settings.appservice)),
            format!("    url: '{}'", quoted(url.trim_end_matches('/'))),
            format!("    as_token: '<the value of {}>'", AS_TOKEN.env),
            format!("    hs_token: '<the value of {}>'", HS_TOKEN.env),
            format!("    sender_localpart: '{}'", me.localpart),
            "    rate_limited: false".to_owned(),
            "    receive_ephemeral: false".to_owned(),
            "    io.element.msc4190: true".to_owned(),
            "    namespaces:".to_owned(),
            "      users:".to_owned(),
            "        - exclusive: true".to_owned(),
            format!("          regex: '@{localpart}_.*:{server}'"),
            "      aliases: []".to_owned(),
            "      rooms: []".to_owned(),
        ]
        .join("\n")
    }

    /// Asks who we are, and lets the homeserver call us.
    pub(crate) async fn ask_health(&self) -> Result<Health, SendError> {
        let url = self.url(&["_matrix", "client", "v3", "account", "whoami"], &[]);
        let reply = self.call(chela_channel_kit::ApiCall::get(&url, TIMEOUT)).await?;
        let who: WhoAmI = reply.json().ok_or_else(|| self.api.unknown("the answer does not say who we are"))?;
        let me = &self.settings.me.user_id;
        if who.user_id != *me {
            let summary = format!("the homeserver knows us as {}, and userId is {me}", who.user_id);
            return Ok(Health { ok: false, summary });
        }
        let segments = ["_matrix", "client", "v1", "appservice", &self.settings.appservice, "ping"];
        let ping = json!({ "transaction_id": self.clock.unique() });
        let (ok, heard) = match self.ask(Method::POST, &segments, &ping, TIMEOUT).await {
            Ok(reply) => match reply.json::<Pong>() {
                Some(pong) => (true, format!("the homeserver reaches us in {} ms", pong.duration_ms)),
                None => (false, "the answer to the ping is none".to_owned()),
            },
            // That we can speak is known; whether we are spoken to, such a homeserver cannot tell.
            Err(Failure::Coded(code, error)) => (code == "M_UNRECOGNIZED", explained(&code, &error)),
            Err(Failure::Plain(error)) => return Err(error),
        };
        Ok(Health { ok, summary: format!("{me}; {heard}") })
    }
}

/// A regular expression for this very text, of the characters that user ids have.
fn literally(text: &str) -> String {
    let mut regex = String::new();
    for c in text.chars() {
        if ".+[]".contains(c) {
            regex.push('\\');
        }
        regex.push(c);
    }
    regex
}

/// <https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv1appserviceappserviceidping>
fn explained(code: &str, error: &SendError) -> String {
    match code {
        "M_URL_NOT_SET" => "the registration file has no url".to_owned(),
        "M_FORBIDDEN" => "appserviceId is not the id in the registration file".to_owned(),
        "M_UNRECOGNIZED" => "the homeserver is too old to test whether it reaches us".to_owned(),
        "M_BAD_STATUS" => {
            format!("the homeserver reaches us, but is turned away: is hs_token the newest hsToken? ({error})")
        }
        "M_CONNECTION_FAILED" | "M_CONNECTION_TIMEOUT" => format!("the homeserver does not reach us ({error})"),
        _ => error.to_string(),
    }
}
