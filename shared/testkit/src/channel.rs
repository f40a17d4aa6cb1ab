//! A channel that keeps what it was told to send.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chela_core::channel::{
    Channel, Choice, Fetched, Health, Limits, MenuEntry, OutboundFile, OutboundPart, Parsed, Poll, RawRequest, Receipt,
    Registration, Rejected, SendError, Unconfirmed, Verified,
};
use chela_core::message::{Media, ReplyAddress};

/// What happens to the next sending.
pub enum Fate {
    /// It fails like this, and nothing is shown.
    Fails(fn() -> SendError),
    /// It is shown, and the answer is lost.
    ShownButLost,
}

/// An account on a platform that exists in memory only.
pub struct RecordingChannel {
    /// What an unconfirmed part becomes.
    pub unconfirmed: Unconfirmed,
    /// What the platform takes.
    pub limits: Limits,
    /// Files that can be fetched, by reference.
    pub files: BTreeMap<String, Bytes>,
    /// Whether files can be sent.
    pub uploads: bool,
    fates: Mutex<VecDeque<Fate>>,
    reactions: Mutex<Vec<String>>,
    choices: Mutex<Vec<Choice>>,
    shown: Mutex<Vec<(String, String)>>,
    places: Mutex<Vec<String>>,
    done: Mutex<Vec<String>>,
    sends: Mutex<Vec<String>>,
    typed: Mutex<u32>,
}

impl Default for RecordingChannel {
    fn default() -> Self {
        Self {
            unconfirmed: Unconfirmed::Flag,
            limits: Limits { text: 2000, edit_every: None, typing_for: None, choices: 0 },
            files: BTreeMap::new(),
            uploads: false,
            fates: Mutex::default(),
            reactions: Mutex::default(),
            choices: Mutex::default(),
            shown: Mutex::default(),
            places: Mutex::default(),
            done: Mutex::default(),
            sends: Mutex::default(),
            typed: Mutex::default(),
        }
    }
}

impl RecordingChannel {
    /// With this in place of what an ordinary platform does.
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut channel = Self::default();
        change(&mut channel);
        channel
    }

    /// What the next sendings meet.
    pub fn will(&self, fates: impl IntoIterator<Item = Fate>) {
        self.fates.lock().unwrap().extend(fates);
    }

    /// What the person sees, message by message.
    pub fn shown(&self) -> Vec<String> {
        self.shown.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }

    /// Idempotency keys of all sendings, in order.
    pub fn keys(&self) -> Vec<String> {
        self.sends.lock().unwrap().clone()
    }

    /// Where each message that is shown went.
    pub fn places(&self) -> Vec<String> {
        self.places.lock().unwrap().clone()
    }

    /// What was done to messages that stood there, as `delete id` or `pin id`.
    pub fn done(&self) -> Vec<String> {
        self.done.lock().unwrap().clone()
    }

    /// What was put under messages, as `id emoji`.
    pub fn reactions(&self) -> Vec<String> {
        self.reactions.lock().unwrap().clone()
    }

    /// What can be chosen under the last message.
    pub fn choices(&self) -> Vec<Choice> {
        self.choices.lock().unwrap().clone()
    }

    /// How often typing was shown.
    pub fn typed(&self) -> u32 {
        *self.typed.lock().unwrap()
    }
}

#[async_trait]
impl Channel for RecordingChannel {
    fn id(&self) -> &'static str {
        "recording"
    }

    fn account(&self) -> &str {
        "default"
    }

    fn limits(&self, _: &ReplyAddress) -> Limits {
        self.limits
    }

    fn unconfirmed(&self, _: &ReplyAddress) -> Unconfirmed {
        self.unconfirmed
    }

    fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        Ok(request.prove())
    }

    fn parse(&self, _: &Verified) -> Result<Parsed, Rejected> {
        Ok(Parsed::nothing())
    }

    async fn send(&self, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        self.sends.lock().unwrap().push(part.idempotency_key.to_owned());
        *self.choices.lock().unwrap() = part.choices.to_vec();
        let fate = self.fates.lock().unwrap().pop_front();
        if let Some(Fate::Fails(error)) = fate {
            return Err(error());
        }
        let mut shown = self.shown.lock().unwrap();
        let id = shown.len().to_string();
        // A platform that knows the key shows the same part once.
        let known = shown.iter().any(|(key, _)| key == part.idempotency_key);
        if !(known && self.unconfirmed == Unconfirmed::ResendWithKey) {
            shown.push((part.idempotency_key.to_owned(), part.markdown.to_owned()));
            self.places.lock().unwrap().push(part.to.to.clone());
        }
        match fate {
            Some(Fate::ShownButLost) => Err(SendError::Unknown { channel: "recording", reason: "no answer".into() }),
            _ => Ok(Receipt { message_id: id }),
        }
    }

    async fn edit(&self, message_id: &str, part: &OutboundPart<'_>) -> Result<(), SendError> {
        let mut shown = self.shown.lock().unwrap();
        match message_id.parse::<usize>().ok().and_then(|index| shown.get_mut(index)) {
            Some(message) => {
                message.1 = part.markdown.to_owned();
                Ok(())
            }
            None => Err(SendError::Refused { channel: "recording", reason: "no such message".into() }),
        }
    }

    async fn typing(&self, _: &ReplyAddress) -> Result<(), SendError> {
        *self.typed.lock().unwrap() += 1;
        Ok(())
    }

    /// Shown as `name: type, length`.
    async fn attach(&self, file: &OutboundFile<'_>, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        if !self.uploads {
            return Err(SendError::Refused { channel: "recording", reason: "no files".into() });
        }
        let shown = format!("{}: {}, {}", file.name, file.content_type, file.bytes.len());
        self.send(&OutboundPart { markdown: &shown, ..part.clone() }).await
    }

    async fn react(&self, _: &ReplyAddress, message_id: &str, emoji: &str) -> Result<(), SendError> {
        self.reactions.lock().unwrap().push(format!("{message_id} {emoji}"));
        Ok(())
    }

    async fn delete(&self, _: &ReplyAddress, message_id: &str) -> Result<(), SendError> {
        self.done.lock().unwrap().push(format!("delete {message_id}"));
        Ok(())
    }

    async fn pin(&self, _: &ReplyAddress, message_id: &str, pinned: bool) -> Result<(), SendError> {
        let what = if pinned { "pin" } else { "unpin" };
        self.done.lock().unwrap().push(format!("{what} {message_id}"));
        Ok(())
    }

    /// Shown as `question (option, option)`.
    async fn poll(&self, poll: &Poll, part: &OutboundPart<'_>) -> Result<Receipt, SendError> {
        let shown = format!("{} ({})", poll.question, poll.options.join(", "));
        self.send(&OutboundPart { markdown: &shown, ..part.clone() }).await
    }

    async fn fetch(&self, media: &Media, most: usize, _: Duration) -> Result<Fetched, SendError> {
        match self.files.get(&media.reference) {
            Some(bytes) if bytes.len() <= most => Ok(Fetched { content_type: None, bytes: bytes.clone() }),
            Some(_) => Err(SendError::Refused { channel: "recording", reason: "too large".into() }),
            None => Err(SendError::NotSent { channel: "recording", reason: "down".into() }),
        }
    }

    async fn register(&self, _: &str, _: &[MenuEntry]) -> Result<Registration, SendError> {
        Ok(Registration::Done { summary: "nothing to register".into() })
    }

    async fn health(&self) -> Result<Health, SendError> {
        Ok(Health { ok: true, summary: Duration::ZERO.as_secs().to_string() })
    }
}
