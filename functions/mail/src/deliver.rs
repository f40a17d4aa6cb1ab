//! A stored message on its way to the accounts it is for.

use std::sync::Arc;

use anyhow::Context as _;
use chela_app::install::account_secrets;
use chela_app::live::Live;
use chela_app::receive::Receiver;
use chela_channel_email::forward::{Delivery, is_for, sign};
use chela_channel_email::{ADDRESS, DESCRIPTOR, ID, WEBHOOK_SECRET};
use chela_channel_kit::ProofKeys;
use chela_core::blob::BlobStore;
use chela_core::channel::RawRequest;
use chela_core::clock::Clock;
use chela_core::secret::SecretStore;
use http::{Method, StatusCode};

use crate::event::Mail;

/// Where the receipt rule of infra/base.yaml stores messages.
const FOLDER: &str = "mail";

/// Hands stored messages to the receiver, which believes only what is signed.
pub(crate) struct Postman {
    pub(crate) files: Arc<dyn BlobStore>,
    pub(crate) secrets: Arc<dyn SecretStore>,
    pub(crate) live: Arc<Live>,
    pub(crate) receiver: Receiver,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Postman {
    /// Hands on one message, and again if need be: whoever has it already ignores it. An error means that it shall be
    /// tried again.
    pub(crate) async fn deliver(&self, mail: &Mail) -> anyhow::Result<()> {
        let built = self.live.current().await;
        let key = format!("{FOLDER}/{}", mail.id);
        let accounts =
            built.config.accounts().into_iter().filter(|account| account.channel == ID && account.gate.enabled);
        let mut known = false;
        for account in accounts {
            let options = account.own.options(&[]);
            let own = options.get(ADDRESS.key).and_then(|own| own.as_str()).unwrap_or_default();
            let Some(recipient) = mail.recipients.iter().find(|recipient| is_for(recipient, own)) else { continue };
            known = true;
            let stored = self.files.get(&key).await?.with_context(|| format!("{key} is not in the bucket"))?;
            let secrets = account_secrets(&account, &DESCRIPTOR, self.secrets.as_ref()).await;
            let secrets = secrets.map_err(anyhow::Error::msg)?;
            let secret = secrets.get(WEBHOOK_SECRET.key).context("the account has no webhookSecret")?;
            let (keys, now) = (ProofKeys::words(secret)?, self.clock.now());
            let delivery = Delivery { id: &mail.id, recipient, verdict: mail.verdict };
            let headers = sign(&stored.bytes, &delivery, &keys, now).context("no header can hold this delivery")?;
            let (path, query) = (String::new(), String::new());
            let request =
                RawRequest { method: Method::POST, path, query, headers, body: stored.bytes, received_at: now };
            let (ack, received) = self.receiver.receive(ID, &account.id, request).await;
            let (status, rejected) = (ack.status, received.rejected.unwrap_or_default());
            let (account, accepted, ignored) = (&account.id, received.accepted, received.ignored);
            let verdict = mail.verdict.as_str();
            tracing::info!(
                mail = mail.id,
                account,
                verdict,
                status = status.as_u16(),
                accepted,
                ?ignored,
                rejected,
                "mail"
            );
            // These are the same tomorrow.
            let hopeless = matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE);
            anyhow::ensure!(status.is_success() || hopeless, "{key} was not received: {status} {rejected}");
        }
        if !known {
            tracing::warn!(mail = mail.id, "mail for no account");
        }
        Ok(())
    }
}
