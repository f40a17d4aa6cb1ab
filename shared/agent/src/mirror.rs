//! What was written to another place stands in that place's conversation, too, so that its reader's answer is understood.
//!
//! Which conversation that is routing decided when somebody wrote there last, and turns note it ([`Home`]); no word of
//! a model has a part in it. What was written is an event in that conversation's line: a turn without a model, which waits
//! for the lease like any other, is known by its name, and whose one entry every provider takes.

use chela_core::directory::{Home, place_mark};
use chela_core::message::{EventKey, ReplyAddress};
use chela_core::model::Block;
use chela_core::post::Errand;
use chela_core::queue::{ENVELOPE_VERSION, Envelope, Lane, Task};
use chela_core::session::{Accepted, AssistantEntry, Put};

use crate::answer::{Agent, Attempt};

/// Turns from one note of a conversation's home to the next.
const NOTED_EVERY: u64 = 256;

/// The model that is said to have written what was written from elsewhere.
const TOOL: &str = "message";

impl Agent {
    /// Notes which conversation answers at the place a message came from, in its first turn and then now and again: a
    /// plain turn is not to pay for it. Without it what is written there from elsewhere stands only where it was written.
    pub(crate) async fn note_home(&self, attempt: &Attempt<'_>, task: Option<&Task>, put: &Put<Accepted>) {
        let Some(Task::Message { inbound, .. }) = task else { return };
        let head = attempt.machine.head();
        let turns = head.last_turn.saturating_sub(head.before_first());
        if !turns.is_multiple_of(NOTED_EVERY)
            || !matches!(put, Put::Stored)
            || attempt.outlet(&inbound.reply_to).is_none()
        {
            return;
        }
        let home = Home { session: attempt.machine.session().clone(), agent: attempt.agent.clone() };
        let _ = self.directory.note_home(&place_mark(&inbound.reply_to), &home, self.clock.now()).await;
    }

    /// Has what was sent to a place stand in its conversation. `key` is that of the call that sent it.
    pub(crate) async fn mirror(&self, attempt: &Attempt<'_>, to: &ReplyAddress, errand: &Errand, key: &str) {
        let Some(text) = words(errand) else { return };
        let from = attempt.machine.session();
        let Ok(Some(Home { session, agent })) = self.directory.home(&place_mark(to)).await else { return };
        if session == *from {
            return; // There it stands as the call that wrote it.
        }
        let task = Task::Wrote { from: from.clone(), text, authority: attempt.caller().authority };
        let (event, accepted_at) = (EventKey::of("post", "wrote", key), self.clock.now());
        let envelope = Envelope { version: ENVELOPE_VERSION, event, session, agent, accepted_at, task };
        // A queue that does not take it now is no reason to say that the message was not sent.
        let _ = self.queue.push(Lane::Live, &envelope).await;
    }
}

/// The entry that stands for what was written from elsewhere.
pub(crate) fn written(text: &str) -> AssistantEntry {
    let blocks = vec![Block::Text { text: text.to_owned() }];
    AssistantEntry { blocks, model: TOOL.to_owned(), outbox: Some(Vec::new()), ..AssistantEntry::default() }
}

/// What its reader sees; `None` of what is no message.
fn words(errand: &Errand) -> Option<String> {
    match errand {
        Errand::Say { text, file: None } => Some(text.clone()),
        Errand::Say { text, file: Some(file) } => Some(format!("{text}\n\n(With the file {file}.)").trim().to_owned()),
        Errand::Ask(poll) => {
            let options = poll.options.iter().map(|option| format!("\n- {option}"));
            Some(format!("(A poll:) {}{}", poll.question, options.collect::<String>()))
        }
        Errand::Open { .. }
        | Errand::React { .. }
        | Errand::Edit { .. }
        | Errand::Delete { .. }
        | Errand::Pin { .. } => None,
    }
}
