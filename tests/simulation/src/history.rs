//! What happened, in order. Most of it is what the outside saw; faults and the lives of processes are there for the
//! reader and mean nothing to the checker.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::fault::Fault;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// The queue took a message for the first time.
    Accepted {
        /// The message.
        message: u32,
        /// Its session.
        session: u32,
    },
    /// The model was asked to answer a message.
    Asked {
        /// The message.
        message: u32,
        /// The messages the transcript shows, oldest first.
        shown: Vec<u32>,
        /// What a provider would find wrong with the transcript.
        wrong: Option<String>,
    },
    /// The model's final answer was silence.
    Silence {
        /// The message.
        message: u32,
    },
    /// A platform shows a part.
    Shown {
        /// The message it answers.
        message: u32,
        /// What it shows.
        text: String,
    },
    /// A tool changed something.
    Effect {
        /// The one call it was made for.
        call: String,
    },
    /// The owner was told that a reply is in doubt.
    Flagged {
        /// The message.
        message: u32,
        /// Its turn.
        turn: u64,
    },
    /// The owner's list shows this reply in the end.
    Listed {
        /// The session.
        session: u32,
        /// The turn.
        turn: u64,
        /// The part.
        part: u16,
    },
    /// The queue gave a message up.
    Dead {
        /// The message.
        message: u32,
    },
    /// A session's transcript as it is stored in the end.
    AtRest {
        /// The session.
        session: u32,
        /// What a provider would find wrong with it.
        wrong: Option<String>,
    },
    /// From here on nothing goes wrong any more.
    Calm,
    /// Messages were left in the queue when everything should long have been settled.
    Stuck {
        /// How many.
        messages: usize,
    },
    /// A process panicked.
    Panic {
        /// What it said.
        said: String,
    },
    /// Something went wrong. For the reader.
    Fault {
        /// What.
        fault: Fault,
        /// Whom it met.
        process: String,
        /// During which message's turn.
        message: Option<u32>,
    },
    /// Anything else a reader wants to know.
    Note(String),
}

/// One happening and its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Milliseconds since the world began.
    pub at_ms: u64,
    /// What happened.
    pub happening: Happening,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10}.{:03} s  ", self.at_ms / 1000, self.at_ms % 1000)?;
        match &self.happening {
            Happening::Accepted { message, session } => write!(f, "m{message} accepted in session {session}"),
            Happening::Asked { message, wrong: None, .. } => write!(f, "model asked for m{message}"),
            Happening::Asked { message, wrong: Some(wrong), .. } => {
                write!(f, "model asked for m{message} with an invalid transcript: {wrong}")
            }
            Happening::Silence { message } => write!(f, "model answers m{message} with silence"),
            Happening::Shown { message, text } => {
                let mut words = text.split(' ');
                let (first, last) = (words.next().unwrap_or_default(), words.next_back());
                write!(f, "SHOWN to m{message}: {first}{}", last.map(|w| format!(" … {w}")).unwrap_or_default())
            }
            Happening::Effect { call } => write!(f, "EFFECT of {call}"),
            Happening::Flagged { message, turn } => write!(f, "FLAGGED m{message} (turn {turn})"),
            Happening::Listed { session, turn, part } => {
                write!(f, "in the owner's list: session {session}, turn {turn}, part {part}")
            }
            Happening::Dead { message } => write!(f, "DEAD LETTER m{message}"),
            Happening::AtRest { session, wrong } => {
                write!(f, "session {session} at rest: {}", wrong.as_deref().unwrap_or("valid"))
            }
            Happening::Calm => write!(f, "nothing goes wrong any more"),
            Happening::Stuck { messages } => write!(f, "STUCK with {messages} messages"),
            Happening::Panic { said } => write!(f, "PANIC {said}"),
            Happening::Fault { fault, process, message } => {
                write!(f, "  fault {fault:?} at {process}")?;
                message.map_or(Ok(()), |message| write!(f, " for m{message}"))
            }
            Happening::Note(note) => write!(f, "  {note}"),
        }
    }
}

/// All that happened in one world.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// In order.
    pub events: Vec<Event>,
}

impl History {
    pub(crate) fn push(&mut self, at_ms: u64, happening: Happening) {
        self.events.push(Event { at_ms, happening });
    }

    /// The same for the same history.
    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.events.iter().for_each(|event| format!("{event:?}").hash(&mut hasher));
        hasher.finish()
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}
