//! `chela invoke`: a recorded event, signed afresh with the configured secrets, posted to a running gateway.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chela_app::install::account_secrets;
use chela_app::receive::{Destination, destination};
use chela_http::{HostPort, HttpClient, HttpOptions, Request};
use clap::Args;
use serde_json::Value;

use crate::place::Place;
use crate::show::{BAD, GOOD, line};

/// Longest wait for the acknowledgement: longer than any platform waits.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Most bytes of it.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela invoke events/telegram/text.json\n  chela invoke events/slack/app-mention.json --url https://….lambda-url.eu-central-1.on.aws"
)]
pub(crate) struct Invoke {
    /// A file of `events/`
    event: PathBuf,
    /// The gateway, or the Function URL of a webhook; the local one if left out
    #[arg(long, env = "CHELA_URL")]
    url: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Invoke {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let text =
            std::fs::read_to_string(&self.event).with_context(|| format!("cannot read {}", self.event.display()))?;
        let event: Value =
            serde_json::from_str(&text).with_context(|| format!("{} is not JSON", self.event.display()))?;
        let (path, body) = (part(&event, "rawPath"), part(&event, "body"));
        let body = match event.get("isBase64Encoded") {
            Some(Value::Bool(true)) => BASE64.decode(body).context("the body is not Base64")?,
            _ => body.into_bytes(),
        };
        let target = path.strip_prefix("/webhook/").context("rawPath must be /webhook/<channel>[/<account>]")?;
        let Destination { channel, account, .. } = destination(target);

        let built = self.place.live().await?.current().await;
        let configured = built.config.account(channel, account).with_context(|| {
            format!("channels.{channel} (account \"{account}\") is not configured, so nothing can sign for it")
        })?;
        let unknown = || format!("there is no channel \"{channel}\" here");
        let descriptor = chela_channel_registry::find(channel).with_context(unknown)?;
        let simulator = chela_channel_registry::simulator(channel).with_context(unknown)?;
        let secrets =
            account_secrets(&configured, descriptor, Place::secrets().as_ref()).await.map_err(anyhow::Error::msg)?;

        let url = self.url.clone().unwrap_or_else(|| format!("http://{}", built.config.gateway.listen));
        let options = HttpOptions {
            allow_hosts: vec![HostPort::of_url(&url)?],
            user_agent: concat!("chela/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_roots: None,
        };
        let mut request =
            Request::post(format!("{}{path}", url.trim_end_matches('/')), body.clone(), TIMEOUT, MAX_BYTES);
        request.method = simulator.method.clone();
        request.headers = (simulator.sign_sample)(&body, &secrets, Place::clock().now());
        let answer = HttpClient::new(options)?.send(request).await?;
        let style = if answer.status.is_success() { GOOD } else { BAD };
        line(&format!("{style}{}{style:#} {}", answer.status, String::from_utf8_lossy(&answer.body)));
        anyhow::ensure!(answer.status.is_success(), "the event was not accepted");
        Ok(())
    }
}

fn part(event: &Value, name: &str) -> String {
    event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
