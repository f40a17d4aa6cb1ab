//! Sending: one message for each part.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use chela_core::channel::{OutboundFile, OutboundPart, Receipt, SendError};
use serde::Deserialize;
use serde_json::json;

use crate::compose::{Draft, write};
use crate::thread::Conversation;
use crate::{Email, address};

/// The largest file: SES takes 40 MB of message, in which a file is a third longer.
/// <https://docs.aws.amazon.com/ses/latest/dg/quotas.html>
const LARGEST_FILE: usize = 25 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sent {
    message_id: String,
}

impl Email {
    pub(crate) async fn deliver(
        &self,
        part: &OutboundPart<'_>,
        file: Option<&OutboundFile<'_>>,
    ) -> Result<Receipt, SendError> {
        if file.is_some_and(|file| file.bytes.len() > LARGEST_FILE) {
            return Err(self.api.refused(&format!("the file is over {LARGEST_FILE} bytes")));
        }
        let to = address::normal(&part.to.to).ok_or_else(|| self.api.refused("the recipient is no address"))?;
        let draft = Draft {
            to: &to,
            conversation: Conversation::from_text(part.to.message.as_deref()),
            root: part.to.thread.as_deref(),
            markdown: part.markdown,
            file,
            key: part.idempotency_key,
            at: self.clock.now(),
        };
        let message = write(&draft, &self.settings).ok_or_else(|| self.api.refused("the message cannot be written"))?;
        let body = json!({
            "FromEmailAddress": self.settings.address,
            "Destination": { "ToAddresses": [to] },
            "Content": { "Raw": { "Data": BASE64.encode(&message) } },
        });
        let reply = self.post("/v2/email/outbound-emails", Bytes::from(body.to_string()), part.timeout).await?;
        self.judge(&reply)?;
        let sent = reply.json::<Sent>().filter(|sent| !sent.message_id.is_empty());
        let sent = sent.ok_or_else(|| self.api.unknown("the answer has no MessageId"))?;
        Ok(Receipt { message_id: sent.message_id })
    }
}
