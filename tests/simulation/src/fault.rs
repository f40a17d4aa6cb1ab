//! What can go wrong, and where.

use std::fmt;

use clap::ValueEnum;
use fastrand::Rng;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Fault {
    /// The process dies; the request never left.
    DiesBefore,
    /// The request left and takes effect a while later; the process is dead.
    DiesInFlight,
    /// The process dies after the effect and before it learns of it.
    DiesAfter,
    /// The process stands still before its request leaves, then goes on as if nothing had been.
    PausedBefore,
    /// The process stands still between the effect and the answer.
    PausedAfter,
    /// The answer takes seconds.
    Slow,
    /// The store refuses; nothing was written.
    Throttled,
    /// The store fails after it wrote.
    ThrottledAfter,
    /// The store fails now and writes later.
    ThrottledLate,
    /// The store takes up to two minutes.
    Stalled,
    /// The client repeated a request whose answer it missed: the condition is checked a second time.
    Retried,
    /// Of two copies of a request the second arrives long after the first was answered.
    Echoed,
    /// The model asks to wait.
    RateLimited,
    /// The model is down.
    Unavailable,
    /// The model says nothing until the call is abandoned.
    Hangs,
    /// The model answers without a word.
    Silent,
    /// The model calls a tool that does not exist.
    UnknownTool,
    /// The model gives two calls one id.
    DuplicateIds,
    /// The model calls tools at once that take a repetition and tools that do not.
    MixedCalls,
    /// The model wants forty tools at once.
    ManyCalls,
    /// The request never reached the platform.
    NotSent,
    /// The platform showed the part and its answer was lost.
    UnknownShown,
    /// The platform did not show the part, and its answer was lost.
    UnknownLost,
    /// The platform asks to wait.
    Throttles,
    /// The platform refuses for good.
    Refused,
    /// The tool fails and has done nothing.
    ToolFails,
    /// The tool does what it should and never ends.
    ToolHangs,
    /// The process is killed at some instant, whatever it is waiting for.
    Killed,
    /// The process stands still at some instant, whatever it is waiting for.
    Stopped,
    /// The function ran out of time.
    TimedOut,
    /// The invocation succeeded and its messages could not be deleted.
    DeleteLost,
    /// The queue could not be asked to hide a message.
    HideLost,
    /// The webhook died before it queued the message; the platform sends it again.
    WebhookDied,
    /// The platform sends an event again within five minutes.
    Repeated,
    /// The platform sends an event again after the queue has forgotten it.
    RepeatedLate,
    /// The platform sends an event again after days.
    RepeatedDaysLater,
}

impl Fault {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied()
    }
}

impl fmt::Display for Fault {
    /// As it is written on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

/// Where a turn meets the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A write to the session store.
    Write,
    /// A read from it.
    Read,
    /// A model call.
    Model,
    /// A part being sent.
    Send,
    /// A tool run.
    Tool,
}

impl Place {
    /// What can go wrong here.
    pub fn faults(self) -> &'static [Fault] {
        use Fault::*;
        match self {
            Self::Write => &[
                DiesBefore,
                DiesInFlight,
                DiesAfter,
                PausedBefore,
                PausedAfter,
                Slow,
                Throttled,
                ThrottledAfter,
                ThrottledLate,
                Stalled,
                Retried,
                Echoed,
            ],
            Self::Read => &[DiesBefore, PausedBefore, PausedAfter, Slow, Throttled, Stalled],
            Self::Model => &[
                DiesBefore,
                DiesAfter,
                PausedAfter,
                Slow,
                RateLimited,
                Unavailable,
                Hangs,
                Silent,
                UnknownTool,
                DuplicateIds,
                MixedCalls,
                ManyCalls,
            ],
            Self::Send => &[
                DiesBefore,
                DiesInFlight,
                DiesAfter,
                PausedBefore,
                PausedAfter,
                Slow,
                NotSent,
                UnknownShown,
                UnknownLost,
                Throttles,
                Refused,
            ],
            Self::Tool => &[DiesBefore, DiesAfter, PausedBefore, PausedAfter, Slow, ToolFails, ToolHangs],
        }
    }

    /// One of them, unless it is ruled out.
    pub(crate) fn draw(self, rng: &mut Rng, ruled_out: &[Fault]) -> Option<Fault> {
        let faults = self.faults();
        Some(faults[rng.usize(..faults.len())]).filter(|fault| !ruled_out.contains(fault))
    }
}
