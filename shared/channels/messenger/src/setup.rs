//! What only Messenger has: its kinds of files, its menu of commands, its dashboard.

use chela_core::channel::MenuEntry;
use serde_json::{Value, json};

/// A `file` may be anything; the other kinds are shown or played in the chat.
/// <https://developers.facebook.com/docs/messenger-platform/reference/attachment-upload-api>
pub(crate) fn attachment(content_type: &str) -> Option<&'static str> {
    let bare = content_type.split(';').next().unwrap_or_default().trim();
    Some(match bare {
        "image/jpeg" | "image/png" | "image/gif" => "image",
        "audio/aac" | "audio/mp4" | "audio/mpeg" | "audio/ogg" | "audio/wav" | "audio/x-m4a" => "audio",
        "video/mp4" | "video/ogg" | "video/quicktime" | "video/webm" | "video/x-msvideo" => "video",
        _ => "file",
    })
}

/// The page's commands: the app offers them, and sends them as text.
/// <https://developers.facebook.com/docs/messenger-platform/reference/messenger-profile-api>
pub(crate) fn menu(menu: &[MenuEntry]) -> (&'static str, Value) {
    let commands: Vec<Value> =
        menu.iter().map(|entry| json!({ "name": entry.name, "description": entry.description })).collect();
    ("me/messenger_profile", json!({ "commands": [{ "locale": "default", "commands": commands }] }))
}

pub(crate) fn steps(url: &str) -> Vec<String> {
    vec![
        "Open https://developers.facebook.com/apps, choose the app, then Messenger → Messenger API Settings."
            .to_owned(),
        format!("Under Configure webhooks set Callback URL to {url} and Verify token to the value of verifyToken."),
        "Press Verify and save: chela must be running at that URL.".to_owned(),
        "Under Webhook fields subscribe to messages, messaging_postbacks and message_edits.".to_owned(),
        "To have `chela channels register messenger` do all this, set channels.messenger.appId to the app's id."
            .to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_kind() {
        let kinds = ["image/png", "image/svg+xml", "audio/ogg; codecs=opus", "video/mp4", "application/pdf", ""];
        let kinds = kinds.map(|content_type| attachment(content_type).unwrap());
        assert_eq!(kinds, ["image", "file", "audio", "video", "file", "file"]);
    }
}
