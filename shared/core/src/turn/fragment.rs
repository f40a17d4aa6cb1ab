//! What an occasion says, and where its answer goes.

use crate::message::{EventKey, ReplyAddress};
use crate::queue::Task;
use crate::session::UserFragment;
use crate::session_key::PeerKind;

/// The channel of `POST /message`: its answers are read from the session, not sent.
pub const COLLECTED: &str = "api";

/// Where the answer of a task goes; `None` if nowhere.
pub fn deliver_to(task: &Task) -> Option<&ReplyAddress> {
    match task {
        Task::Message { inbound, .. } if inbound.channel == COLLECTED => None,
        task => task.reply_to(),
    }
}

/// What a task says to the model, in rooms with the name of who says it. The event is given for all but the first of a
/// turn.
pub fn fragment(event: Option<&EventKey>, task: &Task) -> UserFragment {
    let event = event.cloned();
    match task {
        Task::Message { inbound, .. } => {
            let direct = inbound.peer.kind == PeerKind::Direct;
            let name =
                if direct { None } else { inbound.sender.name.clone().or_else(|| Some(inbound.sender.id.clone())) };
            UserFragment { event, sender: inbound.sender.id.clone(), name, text: inbound.text.clone() }
        }
        Task::Heartbeat { prompt, .. } => {
            UserFragment { event, sender: String::new(), name: None, text: prompt.clone() }
        }
        // Of this no turn is made.
        Task::Redeliver { .. } => UserFragment { event, sender: String::new(), name: None, text: String::new() },
    }
}
