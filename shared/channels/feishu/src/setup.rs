//! Set-up, which Feishu has no API for, and how the app is doing.

use std::time::Duration;

use chela_channel_kit::ApiCall;
use chela_core::channel::{Health, Registration, SendError};
use serde::Deserialize;

use crate::openapi::OpenApi;

/// For calls that no lease waits for.
const ADMINISTRATION: Duration = Duration::from_secs(15);

/// `activate_status` of an app that works. <https://open.feishu.cn/document/client-docs/bot-v3/obtain-bot-info>
const ENABLED: i64 = 2;

#[derive(Deserialize)]
struct Info {
    bot: Bot,
}

#[derive(Deserialize)]
struct Bot {
    activate_status: Option<i64>,
    app_name: Option<String>,
    open_id: Option<String>,
}

/// The steps in the console.
pub(crate) fn register(app_id: &str, base_url: &str, url: &str) -> Registration {
    Registration::Manual {
        steps: vec![
            format!("Open {base_url}/app/{app_id} → Add Features and add the feature Bot."),
            "Under Permissions & Scopes add im:message, im:message.p2p_msg:readonly, im:message.group_at_msg:readonly, \
             im:message:send_as_bot, im:message.reactions:write_only and im:resource; add im:message.group_msg too if \
             the agent shall read group messages that do not mention it."
                .to_owned(),
            "Under Events & Callbacks → Encryption Strategy copy the Encrypt Key and the Verification Token into \
             channels.feishu.encryptKey and channels.feishu.verificationToken, and deploy."
                .to_owned(),
            format!("Under Events & Callbacks → Event Configuration choose \"Send to developer's server\" and enter {url}"),
            "There press Add Event and add im.message.receive_v1 (Receive messages).".to_owned(),
            format!("Under Events & Callbacks → Callback Configuration enter the same address, {url}"),
            "There press Add Callback and add card.action.trigger (Card callback).".to_owned(),
            "Under Version Management & Release create a version and publish it; an administrator may have to agree."
                .to_owned(),
            "Add the bot to the groups it shall be in, or write to it directly.".to_owned(),
        ],
    }
}

impl OpenApi {
    /// Asks who we are.
    pub(crate) async fn health(&self, configured: Option<&str>) -> Result<Health, SendError> {
        match self.bot().await {
            Ok(bot) => Ok(told(&bot, configured)),
            Err(SendError::Refused { reason, .. }) => Ok(Health { ok: false, summary: reason }),
            Err(other) => Err(other),
        }
    }

    async fn bot(&self) -> Result<Bot, SendError> {
        let url = format!("{}/open-apis/bot/v3/info", self.base_url);
        let until = self.until(ADMINISTRATION);
        let reply = self.answer(until, &|left| ApiCall::get(&url, left)).await?;
        self.judge("the bot", &reply)?;
        reply.json::<Info>().map(|info| info.bot).ok_or_else(|| self.api.unknown("the answer has no bot"))
    }
}

fn told(bot: &Bot, configured: Option<&str>) -> Health {
    let name = bot.app_name.as_deref().unwrap_or("?");
    let id = bot.open_id.as_deref().unwrap_or("?");
    let mut summary = format!("{name} ({id})");
    let active = bot.activate_status.is_none_or(|status| status == ENABLED);
    if !active {
        summary.push_str("; the app is not enabled: publish a version of it");
    }
    let known = configured.is_none_or(|configured| bot.open_id.as_deref() == Some(configured));
    if !known {
        summary.push_str(&format!("; mentions are not recognised until botOpenId is \"{id}\""));
    } else if configured.is_none() {
        summary.push_str(&format!("; a mention of any bot is taken as one of us until botOpenId is \"{id}\""));
    }
    Health { ok: active && known, summary }
}
