//! How an agent's answers begin, so that people know who speaks.

use std::collections::BTreeSet;

use chela_core::queue::Task;

/// What answers of one agent begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voice {
    /// Before every answer to a person.
    pub prefix: Option<String>,
    /// Before answers where several agents answer the same message.
    pub signature: String,
    /// Those places: ids of peers, bare or as `channel:id`.
    pub shared: BTreeSet<String>,
}

impl Voice {
    /// What the answer to this begins with.
    pub(crate) fn opening<'v>(&'v self, task: Option<&Task>) -> Option<&'v str> {
        let opening = if self.is_shared(task) { Some(&self.signature) } else { self.prefix.as_ref() };
        opening.map(|opening| opening.trim()).filter(|opening| !opening.is_empty())
    }

    fn is_shared(&self, task: Option<&Task>) -> bool {
        let Some(Task::Message { inbound, .. }) = task else { return false };
        let peer = &inbound.peer.id;
        self.shared.contains(peer) || self.shared.contains(&format!("{}:{peer}", inbound.channel))
    }
}

/// The answer as people read it.
pub(crate) fn opened(opening: Option<&str>, text: String) -> String {
    match opening {
        Some(opening) if !text.trim_start().starts_with(opening) => format!("{opening} {text}"),
        _ => text,
    }
}
