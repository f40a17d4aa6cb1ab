//! The channel contract: verify → parse → render → send, edit, typing; limits; set-up.
//!
//! One folder per channel implements [`Channel`] for one account. Verification is a type: only
//! [`RawRequest::prove`], called by the proofs of `chela-channel-kit`, makes a [`Verified`], and only a
//! [`Verified`] can be parsed.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::clock::Millis;
use crate::message::{Inbound, ReplyAddress};

/// A request as it came off the wire. The body is exactly the bytes that were signed.
#[derive(Clone, Debug)]
pub struct RawRequest {
    /// GET for handshakes, POST for everything else.
    pub method: Method,
    /// The query string without `?`; empty if there is none.
    pub query: String,
    /// Names compare without case; duplicates are kept, and refused by the proofs.
    pub headers: HeaderMap,
    /// The body, already under the size cap.
    pub body: Bytes,
    /// When it arrived.
    pub received_at: Millis,
}

impl RawRequest {
    /// Declares the request genuine. Call it only right after a comparison in constant time.
    pub fn prove(self) -> Verified {
        Verified(self)
    }

    /// A header that must be there exactly once. Two signatures in one request are an attempt to be verified by one
    /// and parsed by another.
    pub fn single_header(&self, name: &'static str) -> Result<&str, Rejected> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().ok_or(Rejected::Unproven("a signature header is missing"))?;
        if values.next().is_some() {
            return Err(Rejected::Unproven("a signature header stands twice"));
        }
        value.to_str().map_err(|_| Rejected::Unproven("a signature header is not text"))
    }
}

/// A request the platform proved to have sent.
#[derive(Clone, Debug)]
pub struct Verified(RawRequest);

impl Verified {
    /// The request.
    pub fn request(&self) -> &RawRequest {
        &self.0
    }
}

/// Why a request was turned away. Never says more than its sender may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Not proven to come from the platform: answered 401 without details.
    #[error("not proven: {0}")]
    Unproven(&'static str),
    /// Proven, but not what the platform documents: answered 400.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// Only POST (and the platform's handshake) is served: answered 405.
    #[error("method not allowed")]
    Method,
}

/// What a verified request contains.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// Messages, in the platform's order; none for events we do not handle (they are acknowledged all the same).
    pub messages: Vec<Inbound>,
    /// The acknowledgement, in the platform's format; sent only after everything is queued.
    pub ack: Ack,
}

impl Parsed {
    /// Nothing to do: acknowledge.
    pub fn nothing() -> Self {
        Self { messages: Vec::new(), ack: Ack::empty() }
    }
}

/// An HTTP answer to the platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Ack {
    /// The status.
    pub status: StatusCode,
    /// The media type of `body`.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl Ack {
    /// 200 without a body.
    pub fn empty() -> Self {
        Self { status: StatusCode::OK, content_type: "text/plain", body: Bytes::new() }
    }

    /// 200 with JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        Self { status: StatusCode::OK, content_type: "application/json", body: Bytes::from(value.to_string()) }
    }
}

/// How long a part may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most UTF-16 code units of markdown per part, so that the rendered part stays under the platform's own limit.
    pub text: usize,
    /// Least time between two edits of one message; `None` if the platform cannot edit.
    pub edit_every: Option<Duration>,
    /// How long one typing signal is shown; `None` if there is none.
    pub typing_for: Option<Duration>,
}

/// What becomes of a part whose sending was begun and never confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// The platform knows the idempotency key: send again with the same key.
    ResendWithKey,
    /// Nobody can know: flag it for the owner, never guess.
    Flag,
    /// Nobody can know, and its owner would rather have it twice than not at all.
    Resend,
}

/// One part of a reply.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboundPart<'a> {
    /// Where to.
    pub to: &'a ReplyAddress,
    /// Markdown, at most [`Limits::text`] long; the channel renders it to its dialect.
    pub markdown: &'a str,
    /// The same for every attempt to send this part.
    pub idempotency_key: &'a str,
    /// Give up after this long: the lease ends then.
    pub timeout: Duration,
}

/// Proof of sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The platform's id of the new message: what [`Channel::edit`] takes.
    pub message_id: String,
}

/// Why a part was not sent, by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nothing was sent; send again after the delay.
    #[error("{channel} asks to wait {} s", after.as_secs())]
    RateLimited {
        /// The channel.
        channel: &'static str,
        /// How long.
        after: Duration,
    },
    /// The request never left, or the platform said that it did nothing: send again.
    #[error("{channel} could not be reached: {reason}")]
    NotSent {
        /// The channel.
        channel: &'static str,
        /// What was seen.
        reason: String,
    },
    /// The request left and no answer came: it may have been sent.
    #[error("{channel} did not confirm: {reason}")]
    Unknown {
        /// The channel.
        channel: &'static str,
        /// What was seen.
        reason: String,
    },
    /// The platform refused for good: blocked, chat gone, token revoked. Never try again.
    #[error("{channel} refused: {reason}")]
    Refused {
        /// The channel.
        channel: &'static str,
        /// The platform's words, free of secrets.
        reason: String,
    },
}

/// What [`Channel::register`] did or asks the owner to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// The platform now posts to us.
    Done {
        /// What was set, for the owner to read.
        summary: String,
    },
    /// The platform has no API for it: the exact steps.
    Manual {
        /// One step a line.
        steps: Vec<String>,
    },
}

/// How an account is doing, as the platform tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether messages can flow both ways.
    pub ok: bool,
    /// One sentence.
    pub summary: String,
}

/// One account of one platform.
#[async_trait]
pub trait Channel: Send + Sync {
    /// The channel's name.
    fn id(&self) -> &'static str;

    /// The account's name in our configuration.
    fn account(&self) -> &str;

    /// What the platform takes.
    fn limits(&self) -> Limits;

    /// What an unconfirmed part becomes.
    fn unconfirmed(&self) -> Unconfirmed {
        Unconfirmed::Flag
    }

    /// Checks over the raw bytes, in constant time, that the platform sent this, before anything is parsed.
    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected>;

    /// Reads a verified request. Unknown fields and event types never fail; own echoes and other bots are dropped.
    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected>;

    /// Sends one part. Sending twice shows it twice unless [`Unconfirmed::ResendWithKey`].
    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError>;

    /// Replaces the text of a message we sent; the same text again is no error.
    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError>;

    /// Shows that an answer is being made. Failing is harmless.
    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError>;

    /// Points the platform's webhook at `url`. Doing it twice changes nothing.
    async fn register(&self, url: &str) -> Result<Registration, SendError>;

    /// Asks the platform how the account is doing.
    async fn health(&self) -> Result<Health, SendError>;
}
