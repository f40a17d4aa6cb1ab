//! Telling Google where we are, and asking how we are doing.

use std::time::Duration;

use chela_channel_kit::ApiCall;
use chela_core::channel::{Health, MenuEntry, SendError};

use crate::GoogleChat;

const TIMEOUT: Duration = Duration::from_secs(15);

/// What an owner does in the console: there is no API for an app's configuration.
/// <https://developers.google.com/workspace/chat/configure-chat-api>
pub(crate) fn steps(url: &str, menu: &[MenuEntry]) -> Vec<String> {
    let mut steps: Vec<String> = [
        "1. Open https://console.cloud.google.com, choose a project, and enable the Google Chat API (APIs & Services, Library).".to_owned(),
        "2. Under IAM & Admin, Service Accounts make a service account (it needs no roles); there under Keys press Add key, Create new key, JSON, and set channels.googlechat.serviceAccount to the whole file.".to_owned(),
        "3. Under APIs & Services, Google Chat API, Configuration fill in App name, Avatar URL and Description; switch on Interactive features, Receive 1:1 messages and Join spaces and group conversations.".to_owned(),
        format!("4. Under Connection settings choose HTTP endpoint URL, enter {url} for all triggers, and under Authentication audience choose HTTP endpoint URL."),
        "5. Set channels.googlechat.audience to that very URL. (For Project Number set it to the number, and audienceType to \"project-number\".)".to_owned(),
        "6. Under Visibility enter who may use the app, then press Save.".to_owned(),
        "7. If Build this Chat app as a Google Workspace add-on is switched on: set channels.googlechat.appPrincipal to the Service account email shown under Connection settings.".to_owned(),
    ]
    .to_vec();
    for (id, entry) in (1..).zip(menu) {
        steps.push(format!(
            "Command {id}: under Commands press Add a command, Slash command, id {id}, name /{}, description \"{}\".",
            entry.name, entry.description
        ));
    }
    steps
}

impl GoogleChat {
    pub(crate) async fn ask_health(&self) -> Result<Health, SendError> {
        let url = format!("{}/v1/spaces?pageSize=1", self.api_url);
        let (reply, why) = self.call(ApiCall::get(&url, TIMEOUT)).await?;
        self.api.judge(&reply, &why)?;
        let summary = "the Chat API answers the app's service account; where it posts is seen in the console only";
        Ok(Health { ok: true, summary: summary.to_owned() })
    }
}
