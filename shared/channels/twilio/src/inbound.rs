//! What people write: <https://www.twilio.com/docs/messaging/guides/webhook-request>.

use bytes::Bytes;
use chela_core::channel::{Ack, Delivery, Parsed, RawRequest, Rejected};
use chela_core::message::{Inbound, InboundKind, Media, ReplyAddress, Sender};
use chela_core::session_key::{Peer, PeerKind};
use http::StatusCode;

use crate::form::Form;
use crate::outbound::PART;
use crate::verify::is_json;
use crate::{ID, cut, error, is_whatsapp};

/// Most files of one message: <https://www.twilio.com/docs/messaging/guides/webhook-request#media-related-parameters>.
const MOST_MEDIA: usize = 10;

/// Words that Twilio answers itself when they are all that somebody sends by SMS: after the first kind it refuses to send
/// anything more. YES is one too, and left out: it is the answer to a question more often than a wish to opt in.
/// <https://help.twilio.com/articles/223134027>
const ANSWERED_BY_TWILIO: [&str; 12] =
    ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "START", "UNSTOP", "HELP", "INFO"];

pub(crate) fn parse(request: &RawRequest, account: &str) -> Result<Parsed, Rejected> {
    // Event Streams and the like: nothing that somebody wrote.
    if is_json(request) {
        return Ok(Parsed::answered(ack()));
    }
    let form = Form::read(&request.body);
    if form.one("AccountSid")?.is_none() {
        return Err(Rejected::Malformed("the form has no AccountSid"));
    }
    let status = match form.one("MessageStatus")? {
        None => form.one("SmsStatus")?,
        status => status,
    };
    if let Some(status) = status.filter(|status| !matches!(*status, "received" | "receiving")) {
        let deliveries = delivery(request, &form, status)?.into_iter().collect();
        return Ok(Parsed { deliveries, ..Parsed::answered(ack()) });
    }
    let said = said(request, &form, account)?;
    Ok(Parsed::said(said.into_iter().collect(), ack()))
}

/// Says nothing back: the answer is sent when it is ready. <https://www.twilio.com/docs/messaging/twiml>
fn ack() -> Ack {
    Ack { status: StatusCode::OK, content_type: "text/xml", body: Bytes::from_static(b"<Response/>") }
}

/// What became of a part: the URL that we gave with it names it, and is part of what was verified.
/// <https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>
fn delivery(request: &RawRequest, form: &Form, status: &str) -> Result<Option<Delivery>, Rejected> {
    let query = Form::read(request.query.as_bytes());
    let Some(key) = query.one(PART)?.map(str::to_owned) else { return Ok(None) };
    let failed = match status {
        "delivered" | "read" => None,
        "failed" | "undelivered" => {
            let code = form.one("ErrorCode")?.and_then(|code| code.parse().ok()).unwrap_or_default();
            let message = form.one("ChannelStatusMessage")?.or(form.one("ErrorMessage")?).unwrap_or_default();
            Some(format!("{status} {}", error::words(code, message)).trim_end().to_owned())
        }
        // On its way.
        _ => return Ok(None),
    };
    Ok(Some(Delivery { idempotency_key: key, failed }))
}

/// A message; `None` for calls and whatever else is posted, and for what Twilio answers itself.
fn said(request: &RawRequest, form: &Form, account: &str) -> Result<Option<Inbound>, Rejected> {
    let sid = match form.one("MessageSid")? {
        None => form.one("SmsSid")?,
        sid => sid,
    };
    let (Some(sid), Some(from), Some(to)) = (sid, form.one("From")?, form.one("To")?) else { return Ok(None) };
    if !cut::is_unambiguous(&format!("{}{}", request.query, form.signed()), from, sid) {
        return Err(Rejected::Malformed("the signed text names another sender or message, too"));
    }
    let body = form.one("Body")?.unwrap_or_default();
    if is_answered_by_twilio(form, from, body)? {
        return Ok(None);
    }
    let media = media(form)?;
    // Buttons of a template, items of a list: https://www.twilio.com/docs/content/twilio-quick-reply
    let pressed = form.one("ButtonPayload")?.or(form.one("ListId")?);
    let (text, kind) = match pressed {
        Some(value) => (value.to_owned(), InboundKind::Button),
        None => (with_location(form, body)?, InboundKind::Message),
    };
    if text.is_empty() && media.is_empty() {
        return Ok(None);
    }
    Ok(Some(Inbound {
        channel: ID.to_owned(),
        account: account.to_owned(),
        event_id: sid.to_owned(),
        peer: Peer { kind: PeerKind::Direct, id: from.to_owned() },
        parent_peer: None,
        thread: None,
        sender: Sender { id: from.to_owned(), name: form.one("ProfileName")?.map(str::to_owned) },
        message_id: Some(sid.to_owned()),
        text,
        kind,
        addressed: true,
        media,
        guild: None,
        team: None,
        roles: Vec::new(),
        // Twilio does not say when it was written.
        sent_at: request.received_at,
        reply_to: ReplyAddress {
            channel: ID.to_owned(),
            account: account.to_owned(),
            to: from.to_owned(),
            // The number that was written to is the one that answers.
            thread: Some(to.to_owned()),
            message: Some(sid.to_owned()),
        },
    }))
}

/// Whether Twilio answers it: by the account's own list of words, which also covers WhatsApp, or by the usual one.
fn is_answered_by_twilio(form: &Form, from: &str, body: &str) -> Result<bool, Rejected> {
    let usual = |word: &str| ANSWERED_BY_TWILIO.iter().any(|known| known.eq_ignore_ascii_case(word));
    Ok(form.one("OptOutType")?.is_some() || (!is_whatsapp(from) && usual(body.trim())))
}

fn media(form: &Form) -> Result<Vec<Media>, Rejected> {
    let count = form.one("NumMedia")?.and_then(|count| count.parse::<usize>().ok()).unwrap_or_default();
    let mut media = Vec::new();
    for at in 0..count.min(MOST_MEDIA) {
        let Some(url) = form.one(&format!("MediaUrl{at}"))? else { continue };
        let content_type = form.one(&format!("MediaContentType{at}"))?.map(str::to_owned);
        media.push(Media { missing: None, reference: url.to_owned(), content_type, name: None, size: None });
    }
    Ok(media)
}

/// The text, and the place that somebody shared.
fn with_location(form: &Form, body: &str) -> Result<String, Rejected> {
    let (Some(latitude), Some(longitude)) = (form.one("Latitude")?, form.one("Longitude")?) else {
        return Ok(body.to_owned());
    };
    let at = format!("{latitude}, {longitude}");
    let words = [form.one("Label")?, form.one("Address")?, Some(at.as_str())];
    let location = format!("[location: {}]", words.into_iter().flatten().collect::<Vec<_>>().join("; "));
    Ok(if body.is_empty() { location } else { format!("{body}\n{location}") })
}
