//! What an occasion says, and where its answer goes.

use crate::message::{EventKey, Inbound, Media, ReplyAddress};
use crate::queue::Task;
use crate::session::{StoredFile, UserFragment};
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
    let said = |name: Option<String>, sender: &str, text: String| UserFragment {
        event: event.cloned(),
        sender: sender.to_owned(),
        name,
        text,
        authority: task.authority(),
        files: Vec::new(),
    };
    match task {
        Task::Message { inbound, .. } => {
            let direct = inbound.peer.kind == PeerKind::Direct;
            let name =
                if direct { None } else { inbound.sender.name.clone().or_else(|| Some(inbound.sender.id.clone())) };
            let files = inbound.media.iter().filter_map(stored).collect();
            UserFragment { files, ..said(name, &inbound.sender.id, with_files(inbound)) }
        }
        Task::Heartbeat { prompt, .. } => said(None, "", prompt.clone()),
        Task::Relay { text, .. } => said(None, "", text.clone()),
        // Of this no turn is made.
        Task::Redeliver { .. } => said(None, "", String::new()),
    }
}

/// A file that was fetched and stored.
fn stored(media: &Media) -> Option<StoredFile> {
    let key = media.reference.strip_prefix("stored:").filter(|_| media.missing.is_none())?.to_owned();
    Some(StoredFile { key, content_type: media.content_type.clone()? })
}

/// Longest name of a file that is told.
const NAME_CHARS: usize = 100;

/// The words, and a line for each file that came with them. What its sender called a file is quoted: it is data.
fn with_files(inbound: &Inbound) -> String {
    let mut text = inbound.text.clone();
    for media in &inbound.media {
        let kind = media.content_type.as_deref().unwrap_or("unknown type");
        let kind: String = kind.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect();
        let name = media.name.as_deref().map(|name| {
            let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect();
            format!(", called {}", serde_json::Value::String(name))
        });
        let size = media.size.map_or_else(String::new, |size| format!(", {size} bytes"));
        let place = match (&media.missing, media.reference.strip_prefix("stored:")) {
            (Some(reason), _) => format!("not available: {reason}"),
            (None, Some(key)) => format!("stored as {key}"),
            (None, None) => "not fetched".to_owned(),
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("[attached file: {kind}{size}{}; {place}]", name.unwrap_or_default()));
    }
    text
}
