//! `chela mail`: a message from standard input, signed and posted to a gateway. Mail servers run it for each message, so
//! its exit codes are theirs (sysexits.h): what may succeed later is 75, and the server keeps the message.

use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use chela_app::install::account_secrets;
use chela_channel_email::forward::{Delivery, Verdict, authentication_results, sign};
use chela_channel_email::{ADDRESS, DESCRIPTOR, ID, WEBHOOK_SECRET};
use chela_channel_kit::ProofKeys;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions, Request};
use clap::Args;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::gateway;
use crate::place::{Place, variable};
use crate::show::{GOOD, failure, line};

/// Longest wait for the acknowledgement: files are stored before it comes.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Most bytes of it.
const MAX_ANSWER: usize = 64 * 1024;

/// Most bytes of a message: what large mail servers take.
const MAX_MESSAGE: u64 = 40 * 1024 * 1024;

/// The message itself is wrong: the server returns it to its sender.
const DATA_ERROR: u8 = 65;

/// Something else is: the server tries again later.
const TRY_AGAIN: u8 = 75;

const EXAMPLES: &str = "\
The message must come from a server that has judged its author: a message counts as genuine only with --verdict pass, or
with --authserv-id and a header such as

  Authentication-Results: mx.example.org; dmarc=pass header.from=example.com

in it, and that server must remove such headers from what others send it (OpenDMARC and Rspamd do).

Examples:
  Postfix, in /etc/aliases (then run newaliases):
    bot: \"|chela mail --config /etc/chela.json5 --authserv-id mx.example.org\"
  Postfix, for every address of a domain, in master.cf:
    chela unix - n n - 4 pipe flags=DRXhu user=chela
      argv=/usr/bin/chela mail --config /etc/chela.json5 --authserv-id mx.example.org --recipient ${recipient}
  fetchmail, in .fetchmailrc:
    poll imap.example.org proto imap user bot@example.org mda \"chela mail --authserv-id mx.example.org\"
  A Maildir that mbsync has filled:
    for new in Maildir/new/*; do chela mail --authserv-id mx.example.org < \"$new\" && mv \"$new\" Maildir/cur/; done
  A server without the configuration of the gateway:
    EMAIL_WEBHOOK_SECRET=… chela mail --url https://….lambda-url.eu-central-1.on.aws --recipient bot@example.org --authserv-id …
  A file, to see what happens:
    chela mail --verdict pass < message.eml

Exit codes: 0 accepted, 65 the message can never be accepted, 75 try again later.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Mail {
    /// The gateway, or the Function URL of the webhook for e-mail; the local gateway if left out
    #[arg(long, env = "CHELA_URL")]
    url: Option<String>,
    /// The account of channels.email
    #[arg(long, default_value = "default")]
    account: String,
    /// Whom the envelope names; the account's own address if left out
    #[arg(long, env = "ORIGINAL_RECIPIENT", value_name = "ADDRESS")]
    recipient: Option<String>,
    /// Whether the author is the author: pass, fail or none
    #[arg(long, conflicts_with = "authserv_id")]
    verdict: Option<Verdict>,
    /// Read that from the Authentication-Results that this server has written into the message
    #[arg(long, value_name = "SERVER")]
    authserv_id: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Who posts what, and where.
struct Sender {
    secret: Secret,
    recipient: String,
    url: String,
}

/// The gateway says that it will never take this message.
#[derive(Debug, thiserror::Error)]
#[error("the message was refused: {0}")]
struct Hopeless(String);

impl Mail {
    pub(crate) fn run(&self) -> ExitCode {
        let Err(error) = gateway::block_on(self.post()) else { return ExitCode::SUCCESS };
        failure(&error);
        ExitCode::from(if error.is::<Hopeless>() { DATA_ERROR } else { TRY_AGAIN })
    }

    async fn post(&self) -> anyhow::Result<()> {
        let message = read(std::io::stdin().lock())?;
        let Sender { secret, recipient, url } = self.sender().await?;
        let verdict = match (&self.authserv_id, self.verdict) {
            (Some(server), _) => authentication_results(&message, server),
            (None, verdict) => verdict.unwrap_or(Verdict::None),
        };
        let digest = hex::encode(Sha256::digest(&message));
        let delivery = Delivery { id: &digest, recipient: &recipient, verdict };
        let headers = sign(&message, &delivery, &ProofKeys::words(&secret)?, Place::clock().now());

        let http = HttpOptions {
            allow_hosts: vec![HostPort::of_url(&url)?],
            user_agent: concat!("chela/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_roots: None,
        };
        let url = format!("{}/webhook/{ID}/{}", url.trim_end_matches('/'), self.account);
        let mut request = Request::post(url, message, TIMEOUT, MAX_ANSWER);
        request.headers = headers.context("the recipient cannot be written into a header")?;
        let answer = HttpClient::new(http)?.send(request).await?;
        let said = format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body));
        if matches!(answer.status.as_u16(), 400 | 413) {
            return Err(Hopeless(said).into());
        }
        anyhow::ensure!(answer.status.is_success(), "the gateway did not accept the message: {said}");
        line(&format!("{GOOD}{}{GOOD:#} as {verdict}", answer.status));
        Ok(())
    }

    /// What signs, and for whom: told by the options and the environment, or else by the configuration, which a mail
    /// server far from the gateway need not have.
    async fn sender(&self) -> anyhow::Result<Sender> {
        let secret = variable(WEBHOOK_SECRET.env).filter(|secret| !secret.trim().is_empty());
        if let (Some(secret), Some(recipient), Some(url)) = (secret, &self.recipient, &self.url) {
            return Ok(Sender { secret: Secret::new(secret), recipient: recipient.clone(), url: url.clone() });
        }
        let built = self.place.live().await?.current().await;
        let account = built.config.account(ID, &self.account);
        let account =
            account.with_context(|| format!("channels.{ID} (account \"{}\") is not configured", self.account))?;
        let mut secrets =
            account_secrets(&account, &DESCRIPTOR, Place::secrets().as_ref()).await.map_err(anyhow::Error::msg)?;
        let secret = secrets.remove(WEBHOOK_SECRET.key);
        let secret = secret.with_context(|| format!("set {}.{} or {}", ID, WEBHOOK_SECRET.key, WEBHOOK_SECRET.env))?;
        let options = account.own.options(&[]);
        let own = options.get(ADDRESS.key).and_then(Value::as_str).unwrap_or_default();
        Ok(Sender {
            secret,
            recipient: self.recipient.clone().unwrap_or_else(|| own.to_owned()),
            url: self.url.clone().unwrap_or_else(|| format!("http://{}", built.config.gateway.listen)),
        })
    }
}

/// A message, without the line `From … ` that mail servers put before it when they run a command.
fn read(from: impl std::io::Read) -> anyhow::Result<Vec<u8>> {
    let mut message = Vec::new();
    from.take(MAX_MESSAGE.saturating_add(1)).read_to_end(&mut message).context("standard input cannot be read")?;
    if message.len() as u64 > MAX_MESSAGE {
        return Err(Hopeless(format!("it is over {MAX_MESSAGE} bytes")).into());
    }
    if message.starts_with(b"From ")
        && let Some(end) = message.iter().position(|byte| *byte == b'\n')
    {
        message.drain(..=end);
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_line_of_a_mailbox_is_no_part_of_the_message() {
        let read = |text: &[u8]| read(text).unwrap();
        assert_eq!(read(b"From ada@x Thu Jan  1 00:00:00 2026\nFrom: ada@x\n\nhi"), b"From: ada@x\n\nhi");
        assert_eq!(read(b"From: ada@x\n\nFrom here"), b"From: ada@x\n\nFrom here");
        assert_eq!(read(b"From "), b"From ");
    }

    #[test]
    fn a_message_that_is_too_large_is_returned_and_not_tried_again() {
        let endless = std::io::repeat(b'x');
        assert!(read(endless).unwrap_err().is::<Hopeless>());
    }
}
