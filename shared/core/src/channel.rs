//! The channel contract: verify → attend → parse → render → send, edit, attach, react, typing; files; limits; set-up.
//!
//! One folder per channel implements [`Channel`] for one account. Verification is a type: only
//! [`RawRequest::prove`], called by the proofs of `chela-channel-kit`, makes a [`Verified`], and only a
//! [`Verified`] can be parsed.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::clock::Millis;
use crate::message::{Inbound, Media, ReplyAddress};

/// A request as it came off the wire. The body is exactly the bytes that were signed.
#[derive(Clone, Debug)]
pub struct RawRequest {
    /// GET for handshakes, POST for nearly everything else.
    pub method: Method,
    /// What follows the account in the URL's path, without a slash at either end; empty on most platforms.
    pub path: String,
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
    /// Only the platform's own methods are served: answered 405.
    #[error("method not allowed")]
    Method,
}

/// What a verified request contains.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// Messages, in the platform's order; none for events we do not handle (they are acknowledged all the same).
    pub messages: Vec<Inbound>,
    /// Files whose bytes came along, for the messages that refer to them; stored before anything is queued.
    pub files: Vec<InlineFile>,
    /// What became of parts we sent, where the platform tells later.
    pub deliveries: Vec<Delivery>,
    /// The acknowledgement, in the platform's format; sent only after everything is queued.
    pub ack: Ack,
    /// The acknowledgement where no message was let in, if it differs: a promise to answer must not be made then.
    pub ack_if_ignored: Option<Ack>,
}

impl Parsed {
    /// Nothing to do: acknowledge.
    pub fn nothing() -> Self {
        Self::answered(Ack::empty())
    }

    /// Nothing to do but to answer this.
    pub fn answered(ack: Ack) -> Self {
        Self { messages: Vec::new(), files: Vec::new(), deliveries: Vec::new(), ack, ack_if_ignored: None }
    }

    /// Messages, acknowledged like this.
    pub fn said(messages: Vec<Inbound>, ack: Ack) -> Self {
        Self { messages, ..Self::answered(ack) }
    }
}

/// A file that a platform posts with the message itself.
#[derive(Clone, Debug, PartialEq)]
pub struct InlineFile {
    /// The [`crate::message::Media::reference`] that means it: unguessable or unique within the account, for it names
    /// the stored file.
    pub reference: String,
    /// Its content.
    pub bytes: Bytes,
}

/// What a platform tells about a part after it took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The part's [`OutboundPart::idempotency_key`], which the platform gives back.
    pub idempotency_key: String,
    /// The platform's words where it could not deliver; `None` where the part was sent.
    pub failed: Option<String>,
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
    /// Most buttons under one message; 0 where there are none, and choices become a numbered list.
    pub choices: usize,
}

/// What becomes of a part whose sending was begun and never confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// The platform knows the idempotency key: send again with the same key.
    ResendWithKey,
    /// The platform can edit: an empty message is sent first and becomes the part, and editing twice is editing once.
    /// What may remain is an empty message, never a part twice. Where that message cannot be had either, `Flag`.
    Placeholder,
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
    /// Its place among the parts of the answer, from 0: a token that works once belongs to the first.
    pub number: u16,
    /// Markdown, at most [`Limits::text`] long; the channel renders it to its dialect.
    pub markdown: &'a str,
    /// What the reader may choose from, at most [`Limits::choices`]: shown as buttons under the text.
    pub choices: &'a [Choice],
    /// The same for every attempt to send this part.
    pub idempotency_key: &'a str,
    /// Give up after this long: the lease ends then.
    pub timeout: Duration,
}

/// Something to press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is written on the button.
    pub label: String,
    /// What comes back as the text of an [`crate::message::InboundKind::Button`].
    pub value: String,
}

/// A question that readers vote on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The question.
    pub question: String,
    /// What can be voted for, at least two.
    pub options: Vec<String>,
    /// Whether a reader may choose several.
    pub multiple: bool,
}

/// A file to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboundFile<'a> {
    /// What the reader sees; safe as the name of a file.
    pub name: &'a str,
    /// The type of the content, sniffed and not only claimed.
    pub content_type: &'a str,
    /// The content.
    pub bytes: Bytes,
    /// Where the platform itself can fetch it for a while, where there is such a place: some take files no other way.
    pub url: Option<&'a str>,
}

/// A file of a message, fetched from its platform.
#[derive(Clone, PartialEq)]
pub struct Fetched {
    /// What the platform says it is; not to be trusted before sniffing.
    pub content_type: Option<String>,
    /// The content.
    pub bytes: Bytes,
}

impl std::fmt::Debug for Fetched {
    /// Only the length: the content is somebody's.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Fetched({} bytes)", self.bytes.len())
    }
}

/// A command the platform can offer in a menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// Its word, without a slash: lower-case letters and `_`.
    pub name: &'static str,
    /// What it does: at most 100 characters.
    pub description: &'static str,
    /// Whether words may follow it.
    pub takes_text: bool,
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

    /// What the platform takes at this address.
    fn limits(&self, to: &ReplyAddress) -> Limits;

    /// What a part for this address becomes that is unconfirmed.
    fn unconfirmed(&self, _to: &ReplyAddress) -> Unconfirmed {
        Unconfirmed::Flag
    }

    /// Whether the platform calls paths under the account's own, which the channel then tells apart. Elsewhere only the
    /// account's own path is a place: 404.
    fn has_paths(&self) -> bool {
        false
    }

    /// Fetches what [`Channel::verify`] needs of the platform to check this request and does not have yet: public keys.
    /// Costs nothing once they are there. Nothing in the request may be believed here.
    async fn fetch_keys(&self, _request: &RawRequest) -> Result<(), SendError> {
        Ok(())
    }

    /// Checks over the raw bytes, in constant time, that the platform sent this, before anything is parsed.
    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected>;

    /// Does what a proven request asks of us before it can be read: accepts an invitation, asks who is in a room. Called
    /// after [`Channel::verify`] and before [`Channel::parse`], which uses what was learnt here. The same request may come
    /// again, and doing it twice changes nothing. An error means that the platform had better post it again: 503.
    async fn attend(&self, _verified: &Verified) -> Result<(), SendError> {
        Ok(())
    }

    /// Reads a verified request. Unknown fields and event types never fail; own echoes and other bots are dropped.
    fn parse(&self, verified: &Verified) -> Result<Parsed, Rejected>;

    /// Sends one part. Sending twice shows it twice unless [`Unconfirmed::ResendWithKey`].
    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError>;

    /// Replaces the text of a message we sent; the same text again is no error.
    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError>;

    /// Shows that an answer is being made. Failing is harmless.
    async fn typing(&self, to: &ReplyAddress) -> Result<(), SendError>;

    /// Sends a file with `part.markdown`, which may be empty, as its caption. Sending twice shows it twice unless
    /// [`Unconfirmed::ResendWithKey`].
    async fn attach(&self, _file: &OutboundFile<'_>, _part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        Err(SendError::Refused { channel: self.id(), reason: "files cannot be sent here".to_owned() })
    }

    /// Puts an emoji under a message somebody wrote ([`Inbound::message_id`]). The same again is no error.
    async fn react(&self, _to: &ReplyAddress, _message_id: &str, _emoji: &str) -> Result<(), SendError> {
        Err(SendError::Refused { channel: self.id(), reason: "there are no reactions here".to_owned() })
    }

    /// Takes away a message; one that is gone already is no error.
    async fn delete(&self, _to: &ReplyAddress, _message_id: &str) -> Result<(), SendError> {
        Err(SendError::Refused { channel: self.id(), reason: "messages cannot be deleted here".to_owned() })
    }

    /// Pins a message to the place it stands in, or unpins it; the same again is no error.
    async fn pin(&self, _to: &ReplyAddress, _message_id: &str, _pinned: bool) -> Result<(), SendError> {
        Err(SendError::Refused { channel: self.id(), reason: "messages cannot be pinned here".to_owned() })
    }

    /// Asks for votes; of `part` only the address, the key and the time count. Asking twice shows it twice unless
    /// [`Unconfirmed::ResendWithKey`].
    async fn poll(&self, _poll: &Poll, _part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        Err(SendError::Refused { channel: self.id(), reason: "there are no polls here".to_owned() })
    }

    /// Begins a thread, under `message_id` where one is named, and gives what [`ReplyAddress::thread`] says of it. Twice is
    /// two threads.
    async fn open_thread(
        &self,
        _to: &ReplyAddress,
        _name: &str,
        _message_id: Option<&str>,
    ) -> Result<String, SendError> {
        Err(SendError::Refused { channel: self.id(), reason: "threads cannot be begun here".to_owned() })
    }

    /// Fetches a file of a message; one over `most` bytes is refused.
    async fn fetch(&self, _media: &Media, _most: usize, _timeout: Duration) -> Result<Fetched, SendError> {
        Err(SendError::Refused { channel: self.id(), reason: "files cannot be fetched here".to_owned() })
    }

    /// Points the platform's webhook at `url`, and its menu of commands at `menu`. Doing it twice changes nothing.
    async fn register(&self, url: &str, menu: &[MenuEntry]) -> Result<Registration, SendError>;

    /// Asks the platform how the account is doing.
    async fn health(&self) -> Result<Health, SendError>;
}
