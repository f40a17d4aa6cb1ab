//! What only Instagram has: its kinds of files, its menu, its dashboard.

use chela_core::channel::MenuEntry;
use chela_meta::choices::cut;
use serde_json::{Value, json};

/// Most of a menu entry's words.
const MOST_TITLE: usize = 30;

/// Most entries of the menu.
/// <https://developers.facebook.com/docs/messenger-platform/instagram/features/persistent-menu>
const MOST_ENTRIES: usize = 20;

/// <https://developers.facebook.com/docs/messenger-platform/instagram/features/send-message#limitations>
pub(crate) fn attachment(content_type: &str) -> Option<&'static str> {
    let bare = content_type.split(';').next().unwrap_or_default().trim();
    Some(match bare {
        "image/jpeg" | "image/png" | "image/gif" => "image",
        "audio/aac" | "audio/mp4" | "audio/wav" | "audio/x-m4a" => "audio",
        "video/mp4" | "video/ogg" | "video/quicktime" | "video/webm" | "video/x-msvideo" => "video",
        "application/pdf" => "file",
        _ => return None,
    })
}

/// Each command is an entry of the menu, which comes back as the command.
pub(crate) fn menu(menu: &[MenuEntry]) -> (&'static str, Value) {
    let entries: Vec<Value> = menu
        .iter()
        .take(MOST_ENTRIES)
        .map(|entry| {
            let title = cut(entry.description, MOST_TITLE);
            json!({ "type": "postback", "title": title, "payload": format!("/{}", entry.name) })
        })
        .collect();
    let menu = json!({ "persistent_menu": [{ "locale": "default", "call_to_actions": entries }] });
    ("me/messenger_profile?platform=instagram", menu)
}

pub(crate) fn steps(url: &str) -> Vec<String> {
    vec![
        "Open https://developers.facebook.com/apps, choose the app, then Instagram → API setup with Instagram login."
            .to_owned(),
        format!("Under Configure webhooks set Callback URL to {url} and Verify token to the value of verifyToken."),
        "Press Verify and save: chela must be running at that URL.".to_owned(),
        "Under Webhook fields subscribe to messages and messaging_postbacks.".to_owned(),
        "In the Instagram app switch on Settings → Messages and story replies → Message controls → Connected tools → \
         Allow access to messages."
            .to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_instagram_does_not_take_have_no_kind() {
        let kinds = ["image/png", "image/webp", "audio/wav", "video/mp4", "application/pdf", "application/zip"];
        assert_eq!(kinds.map(attachment), [Some("image"), None, Some("audio"), Some("video"), Some("file"), None]);
    }
}
