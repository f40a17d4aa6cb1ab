//! What people write: <https://www.plivo.com/docs/messaging/api/message/handling-incoming>.

use bytes::Bytes;
use chela_core::channel::{Ack, Delivery, Parsed, RawRequest, Rejected};
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use http::StatusCode;
use sha2::{Digest as _, Sha256};

use crate::form::Form;
use crate::outbound::PART;
use crate::public_url::PublicUrl;
use crate::{ID, error};

/// Files are numbered from 0 or from 1, depending on the page, and there are at most ten:
/// <https://support.plivo.com/hc/en-us/articles/360041856452>.
const LAST_MEDIA: usize = 10;

/// What is shorter is a short code, which has no `+`.
const SHORTEST_NUMBER: usize = 7;

pub(crate) fn parse(request: &RawRequest, url: &PublicUrl, account: &str) -> Result<Parsed, Rejected> {
    let (query, form) = (Form::read(request.query.as_bytes()), Form::read(&request.body));
    if form.one("MessageUUID")?.or(form.one("CallUUID")?).is_none() {
        return Err(Rejected::Malformed("the form is about no message and no call"));
    }
    if let Some(status) = form.one("Status")? {
        let deliveries = delivery(&query, &form, status)?.into_iter().collect();
        return Ok(Parsed { deliveries, ..Parsed::answered(ack()) });
    }
    let said = match Said::read(&query, &form)? {
        // Whoever takes part in a conversation cannot post twice by ordering a post otherwise, or by cutting it otherwise:
        // the event is all that was signed, but for the nonce. A retry says the same again.
        Some(said) => vec![said.inbound(request, account, hex::encode(Sha256::digest(url.signed(&query, &form))))],
        None => vec![],
    };
    Ok(Parsed::said(said, ack()))
}

/// Says nothing back: the answer is sent when it is ready. <https://www.plivo.com/docs/messaging/xml/request>
fn ack() -> Ack {
    Ack { status: StatusCode::OK, content_type: "application/xml", body: Bytes::from_static(b"<Response/>") }
}

/// What became of a part: the URL that we gave with it names it, and is part of what was verified.
/// <https://www.plivo.com/docs/messaging/api/message/message-status-callbacks>
fn delivery(query: &Form, form: &Form, status: &str) -> Result<Option<Delivery>, Rejected> {
    let Some(key) = query.one(PART)?.map(str::to_owned) else { return Ok(None) };
    let failed = match status {
        "delivered" => None,
        "failed" | "undelivered" | "rejected" => {
            let code = form.one("ErrorCode")?.and_then(|code| code.parse().ok()).unwrap_or_default();
            Some(format!("{status} {}", error::words(code)).trim_end().to_owned())
        }
        // On its way: in the United States and Canada nothing follows "sent".
        _ => return Ok(None),
    };
    Ok(Some(Delivery { idempotency_key: key, failed }))
}

/// A message.
struct Said<'f> {
    uuid: &'f str,
    from: String,
    to: String,
    text: &'f str,
    media: Vec<Media>,
}

impl<'f> Said<'f> {
    /// `None` for calls, WhatsApp and whatever else is posted, and for what Plivo answers itself.
    fn read(query: &Form, form: &'f Form) -> Result<Option<Self>, Rejected> {
        let words = match form.one("Type")? {
            Some("sms") => "Text",
            Some("mms") => "Body",
            _ => return Ok(None),
        };
        let (Some(uuid), Some(from), Some(to)) = (form.one("MessageUUID")?, form.one("From")?, form.one("To")?) else {
            return Ok(None);
        };
        // A name instead of a number cannot be answered.
        let (Some(from), Some(to)) = (number(from), number(to)) else { return Ok(None) };
        // Plivo answers these, and sends nothing more after the first. What opts in, such as YES, may answer a question.
        if matches!(form.one("MessageIntent")?, Some("optout" | "help")) {
            return Ok(None);
        }
        if senders(query, &form.without(words)) != 1 {
            return Err(Rejected::Malformed("the signed text names two senders"));
        }
        let (text, media) = (form.one(words)?.unwrap_or_default(), media(form)?);
        let said = !text.is_empty() || !media.is_empty();
        Ok(said.then_some(Self { uuid, from, to, text, media }))
    }

    fn inbound(self, request: &RawRequest, account: &str, event_id: String) -> Inbound {
        let Self { uuid, from, to, text, media } = self;
        Inbound {
            channel: ID.to_owned(),
            account: account.to_owned(),
            event_id,
            peer: Peer { kind: PeerKind::Direct, id: from.clone() },
            parent_peer: None,
            thread: None,
            sender: Sender { id: from.clone(), name: None },
            message_id: Some(uuid.to_owned()),
            text: text.to_owned(),
            kind: InboundKind::Message,
            addressed: true,
            media,
            guild: None,
            team: None,
            roles: Vec::new(),
            // Plivo does not say when it was written.
            sent_at: request.received_at,
            reply_to: ReplyAddress {
                channel: ID.to_owned(),
                account: account.to_owned(),
                to: from,
                // The number that was written to is the one that answers.
                thread: Some(to),
                message: Some(uuid.to_owned()),
            },
        }
    }
}

/// How many senders the signed text names beside the words of the message. The signature does not say where a name ends and
/// its value begins: who has one post with `From15550001` in it, and wrote `From19990009` into its words, could cut it so
/// that the second one is the sender. The first one then stands in some other place, but it stands there.
fn senders(query: &Form, form: &Form) -> usize {
    let text = format!("{}.{}", query.as_query(), form.run_together());
    text.split("From")
        .skip(1)
        .filter(|rest| rest.starts_with(|next: char| next == '+' || next.is_ascii_digit()))
        .count()
}

/// A number as everybody else writes it, with the `+` that Plivo leaves out.
fn number(text: &str) -> Option<String> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let fit = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let plus = if digits.len() < SHORTEST_NUMBER { "" } else { "+" };
    fit.then(|| format!("{plus}{digits}"))
}

fn media(form: &Form) -> Result<Vec<Media>, Rejected> {
    let mut media = Vec::new();
    for at in 0..=LAST_MEDIA {
        let Some(url) = form.one(&format!("Media{at}"))? else { continue };
        media.push(Media { missing: None, reference: url.to_owned(), content_type: None, name: None, size: None });
    }
    Ok(media)
}
