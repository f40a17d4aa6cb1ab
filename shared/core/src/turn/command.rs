//! What a [`super::Machine`] asks for, and what it is told.

use std::collections::BTreeMap;

use crate::channel::{SendError, Unconfirmed};
use crate::clock::Millis;
use crate::event::EventName;
use crate::message::{EventKey, ReplyAddress};
use crate::model::{Block, Usage};
use crate::queue::Envelope;
use crate::session::{Accepted, AssistantEntry, Choices, Claimed, Control, Entry, Head, Put, StoreError};
use crate::tool::{Effect, ToolAnswer};

use super::PlannedCall;

/// One thing to be done. Each is answered with exactly one [`Input`]; [`Input::Failed`] answers any that concerns the
/// store.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Claim the session for an event; answered with [`Input::Claimed`].
    Claim {
        /// The event.
        event: EventKey,
        /// Now.
        now: Millis,
        /// The end of the lease.
        until: Millis,
    },
    /// Look up a stored event; answered with [`Input::Found`].
    Find(EventKey),
    /// Store an event; answered with [`Input::Accepted`].
    Accept(Box<Accepted>),
    /// Read the entries of turns after this one; answered with [`Input::Loaded`].
    Load {
        /// The turn before the first that is wanted.
        after_turn: u64,
    },
    /// Replace the head, fenced by its epoch and this attempt's name; answered with [`Input::Saved`].
    Save {
        /// The new head.
        head: Box<Head>,
        /// How far the stored lease must reach.
        lease_reaches: Millis,
    },
    /// Store an entry; answered with [`Input::Appended`].
    Append(Box<Entry>),
    /// Note a part for the owner; answered with [`Input::Flagged`].
    Flag {
        /// The part.
        part: u16,
        /// Why.
        reason: String,
    },
    /// See whether the turn needs no model: a command, a stranger; answered with [`Input::Consulted`].
    Consult,
    /// See what came while the turn ran: a stop, messages to be steered by; answered with [`Input::Looked`].
    Look,
    /// Ask the model; answered with [`Input::Answered`] or [`Input::Unanswered`]. Meanwhile [`Input::Tick`],
    /// [`Input::Draft`] and [`Input::Block`] may come.
    Ask {
        /// The step.
        step: u16,
    },
    /// The model is still being asked: go on waiting.
    KeepAsking,
    /// Send the message that shows the answer while it grows; answered with [`Input::PreviewSent`].
    SendPreview {
        /// When the request must have ended.
        until: Millis,
    },
    /// Send the empty message that a part will take the place of; answered with [`Input::PreviewSent`].
    SendPlaceholder {
        /// Where to.
        to: ReplyAddress,
        /// The place of the part in the outbox.
        part: u16,
        /// When the request must have ended.
        until: Millis,
    },
    /// Renew that message; answered with [`Input::PreviewRenewed`].
    RenewPreview {
        /// The platform's id of it.
        message: String,
    },
    /// See which of these calls may be begun; answered with [`Input::Admitted`]. Nothing is marked yet, so that a call that
    /// waits for consent is never taken for one that was begun.
    Admit {
        /// The calls of the step.
        calls: Vec<PlannedCall>,
    },
    /// Run a tool; answered with [`Input::ToolReturned`].
    Run {
        /// The call.
        call: PlannedCall,
        /// The same for every attempt of this call.
        idempotency_key: String,
        /// When it must have ended.
        until: Millis,
    },
    /// Send a part; answered with [`Input::Sent`].
    Send(Part),
    /// Put a part in the place of a message; answered with [`Input::Edited`].
    Edit {
        /// The platform's id of the message.
        message: String,
        /// The part.
        part: Part,
    },
    /// Wait here; answered with [`Input::Tick`].
    Wait {
        /// Milliseconds.
        ms: u64,
    },
    /// Publish a lifecycle event; answered with [`Input::Announced`] whether it could be published or not.
    Announce(EventName),
    /// The attempt is over.
    End(Outcome),
}

/// A part of a reply on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Where to.
    pub to: ReplyAddress,
    /// Its place in the outbox.
    pub part: u16,
    /// Its markdown.
    pub markdown: String,
    /// The same for every attempt to send it.
    pub idempotency_key: String,
    /// When the request must have ended: before anybody else may take the session over. A request that would begin
    /// later must not leave.
    pub until: Millis,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// Answers [`Command::Claim`].
    Claimed(Claimed),
    /// Answers [`Command::Find`]: the stored event, and where its answer goes.
    Found(Option<(Accepted, Way)>),
    /// Answers [`Command::Accept`], with where the answer goes.
    Accepted(Put<Accepted>, Way),
    /// Answers [`Command::Load`].
    Loaded(Vec<Entry>),
    /// Answers [`Command::Save`].
    Saved,
    /// Answers [`Command::Append`].
    Appended(Put<Entry>),
    /// Answers [`Command::Flag`].
    Flagged,
    /// Answers [`Command::Consult`].
    Consulted(Option<Reply>),
    /// Answers [`Command::Look`].
    Looked {
        /// The mark left for the running turn.
        control: Option<Control>,
        /// What is sent in the place of an answer if the mark ends it; nothing where the reader is who said stop.
        last_words: Vec<String>,
        /// Messages that came meanwhile and are to be seen by it.
        steering: Vec<Envelope>,
    },
    /// A model answered.
    Answered(Box<Answer>),
    /// None did.
    Unanswered(Unanswered),
    /// There is text to show.
    Draft,
    /// A block of the answer can be sent: its parts. The model goes on as long as [`super::Machine::is_asking`]; the answer
    /// holds the words of the block, and its own parts do not.
    Block(Vec<String>),
    /// Answers [`Command::SendPreview`] and [`Command::SendPlaceholder`]: its id, if the platform confirmed it.
    PreviewSent(Option<String>),
    /// Answers [`Command::RenewPreview`], whether it worked or not.
    PreviewRenewed,
    /// Answers [`Command::Admit`]: the results of those that are not to be begun now.
    Admitted(Vec<Block>),
    /// Answers [`Command::Run`].
    ToolReturned(ToolAnswer),
    /// Answers [`Command::Send`]: the platform's id of the message.
    Sent(Result<String, SendError>),
    /// Answers [`Command::Edit`].
    Edited(Result<(), SendError>),
    /// Time has passed.
    Tick,
    /// Answers [`Command::Announce`].
    Announced,
    /// The store refused or did not answer.
    Failed(StoreError),
}

/// A model's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What it said, cut for the channel; `user` is left empty.
    pub entry: AssistantEntry,
    /// What was spent on it, failed calls included.
    pub spent: Spent,
    /// The provider refused the transcript and took it as plain text.
    pub plain: bool,
}

/// No model answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Unanswered {
    /// Seconds after which asking again makes sense; `None` if it never does.
    pub again_after_s: Option<u64>,
    /// Why, for the log.
    pub reason: String,
    /// Why, for the sender.
    pub apology: String,
    /// What was spent.
    pub spent: Spent,
    /// It waits for something that is known to come back: waiting takes nothing from the attempts a turn has.
    pub parked: bool,
}

/// What asking cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls.
    pub calls: u16,
    /// Tokens.
    pub usage: Usage,
}

impl Spent {
    /// Adds the tokens of one call.
    pub fn add(&mut self, usage: &Usage) {
        let sum = &mut self.usage;
        sum.input = sum.input.saturating_add(usage.input);
        sum.output = sum.output.saturating_add(usage.output);
        sum.cache_read = sum.cache_read.saturating_add(usage.cache_read);
        sum.cache_write = sum.cache_write.saturating_add(usage.cache_write);
    }
}

/// An answer no model gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Its parts; none is silence.
    pub parts: Vec<String>,
    /// Whether a new conversation begins.
    pub forget: bool,
    /// What is chosen for the conversation from now on; as before if `None`.
    pub choices: Option<Choices>,
}

/// Where the parts of a reply go, and what can be promised there.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// Nowhere: whoever asked reads the answer from the session.
    Collected,
    /// The account is not configured any more.
    Gone {
        /// In words.
        reason: String,
    },
    /// There.
    To {
        /// The address.
        address: ReplyAddress,
        /// What becomes of a part whose fate is unknown.
        unconfirmed: Unconfirmed,
    },
}

/// What configuration says about the turns of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What running each tool twice does, by its name.
    pub tools: BTreeMap<String, Effect>,
    /// Whether every finished turn is announced.
    pub announce: bool,
}

/// What became of an envelope.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Acknowledge it.
    Done(Report),
    /// Leave it in the queue and show it again after so many seconds.
    Again {
        /// Seconds; 0 is at once.
        after_s: u32,
        /// Why, for the log.
        reason: String,
    },
}

/// What a turn did, for the one log line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Model calls.
    pub steps: u16,
    /// Parts settled.
    pub parts: u16,
    /// Tokens.
    pub usage: Usage,
    /// The event had been answered before.
    pub duplicate: bool,
    /// Further events this turn answered: acknowledge them too.
    pub also: Vec<EventKey>,
    /// Why there is no answer but an apology, if so.
    pub failed: Option<String>,
    /// Every attempt got nowhere: keep the envelope for the owner.
    pub given_up: bool,
}
