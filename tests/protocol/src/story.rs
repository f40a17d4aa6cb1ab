//! The shortest way to something wrong, in English.

use std::fmt;

use crate::explore::{Action, Finding};
use crate::step::Outcome;

/// What happened, action by action, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// One sentence for each action, without number and full stop.
    pub steps: Vec<String>,
    /// What is wrong now.
    pub end: &'static str,
}

impl Story {
    pub(crate) fn new(actions: &[Action], finding: Finding) -> Story {
        let mut delivered = Vec::new();
        let steps = actions.iter().map(|action| {
            let again = match action {
                Action::Deliver { inbound, .. } => {
                    let again = delivered.contains(inbound);
                    delivered.push(*inbound);
                    again
                }
                _ => false,
            };
            sentence(action, again)
        });
        Story { steps: steps.collect(), end: end(finding) }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(f, "{number:>2}. {step}.")?;
        }
        writeln!(f, "    {}.", self.end)
    }
}

fn sentence(action: &Action, again: bool) -> String {
    match action {
        Action::Deliver { attempt, inbound } if again => {
            format!("The queue delivers {inbound} again, to attempt {attempt}")
        }
        Action::Deliver { attempt, inbound } => format!("The queue delivers {inbound} to attempt {attempt}"),
        Action::Operate { attempt, inbound, operation, outcome } => {
            let (verb, object) = (operation.verb(), operation.object(*inbound));
            match outcome {
                Outcome::Done => format!("Attempt {attempt} {verb}s {object}"),
                Outcome::AlreadyOver => format!("Attempt {attempt} finds {inbound} finished and acknowledges it"),
                Outcome::Fenced => {
                    format!(
                        "Attempt {attempt} may not {verb} {object}, because another has claimed the session, and ends"
                    )
                }
                Outcome::LeaseLost => {
                    format!("Attempt {attempt} may not {verb} {object}, because its lease is over, and ends")
                }
            }
        }
        Action::Crash { attempt, inbound, before } => {
            format!("Attempt {attempt} dies before it can {} {}", before.verb(), before.object(*inbound))
        }
        Action::VisibilityExpires { attempt, inbound } => {
            format!("The visibility timeout of {inbound} runs out while attempt {attempt} still works on it")
        }
        Action::LeaseExpires { attempt, running: true } => {
            format!("The lease of attempt {attempt} runs out while it still runs")
        }
        Action::LeaseExpires { attempt, running: false } => {
            format!("The lease of attempt {attempt}, which has ended, runs out")
        }
        Action::PostAgain { inbound } => {
            format!("The platform posts {inbound} again, too late for the queue to recognise it")
        }
    }
}

fn end(finding: Finding) -> &'static str {
    match finding {
        Finding::DuplicateReply => "The user sees a reply twice",
        Finding::DuplicateToolEffect => "The tool's effect has happened twice",
        Finding::DuplicateUserEntry => "A message of the user is in the transcript twice",
        Finding::ReplyLost => "A reply is never sent, and nobody is told",
        Finding::ToolLost => "A tool never runs, and nobody is told",
        Finding::ReplyOrder => "The user sees the reply to message 1 after the reply to message 2",
        Finding::TranscriptOrder => "Message 2 is in the transcript before message 1",
        Finding::InvalidAtModelCall => "The model is now asked with a transcript that it refuses",
        Finding::InvalidAtRest => "The transcript stays one that the model refuses",
        Finding::Stuck => "Nothing can happen any more, and the work is not done",
        Finding::ReplyFlagged => "A reply may not have been sent; it is flagged",
        Finding::ToolFlagged => "A tool may not have run; it is flagged",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation;
    use crate::state::Inbound;

    /// The shortest stories have no refusals and no duplicates in them: what breaks a design is what is not refused.
    #[test]
    fn what_is_refused_is_told_with_its_reason() {
        let told = |operation, outcome| {
            sentence(&Action::Operate { attempt: 1, inbound: Inbound::First, operation, outcome }, false)
        };
        assert_eq!(
            told(Operation::StoreReply, Outcome::Fenced),
            "Attempt 1 may not write the reply to message 1, because another has claimed the session, and ends"
        );
        assert_eq!(
            told(Operation::StoreSendIntent, Outcome::LeaseLost),
            "Attempt 1 may not write the send intent for message 1, because its lease is over, and ends"
        );
        assert_eq!(
            told(Operation::Claim, Outcome::AlreadyOver),
            "Attempt 1 finds message 1 finished and acknowledges it"
        );
        assert_eq!(
            sentence(&Action::PostAgain { inbound: Inbound::Second }, false),
            "The platform posts message 2 again, too late for the queue to recognise it"
        );
    }
}
