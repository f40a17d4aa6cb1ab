//! Telling Microsoft where we are, and asking how we are doing.

use std::time::Duration;

use chela_core::channel::{Health, SendError};

use crate::Teams;

const TIMEOUT: Duration = Duration::from_secs(15);

/// What an owner does in the Azure portal. Setting the endpoint by API would take an owner's own sign-in to Azure's
/// resource manager, which this account does not have.
pub(crate) fn steps(url: &str) -> Vec<String> {
    [
        "1. Open https://portal.azure.com, then the resource of the kind Azure Bot (or create one: Create a resource, Azure Bot, type of app Single Tenant).".to_owned(),
        format!("2. Under Settings, Configuration set Messaging endpoint to {url} and press Apply."),
        "3. Under Settings, Channels add Microsoft Teams, and accept its terms.".to_owned(),
        "4. Under Configuration copy Microsoft App ID to channels.teams.appId, and App Tenant ID to channels.teams.tenantId.".to_owned(),
        "5. There press Manage Password, then New client secret, and copy its Value to channels.teams.appPassword.".to_owned(),
        "6. At https://dev.teams.microsoft.com/apps make an app with a bot: enter the bot's App ID and choose the scopes personal, team and groupChat; then Publish, or Preview in Teams.".to_owned(),
        "7. With the shell instead of steps 1 and 2: az bot update --resource-group <group> --name <bot> --endpoint <the URL of step 2>".to_owned(),
    ]
    .to_vec()
}

impl Teams {
    pub(crate) async fn ask_health(&self) -> Result<Health, SendError> {
        self.token(TIMEOUT).await?;
        let place = self.tenant.as_ref().map_or("for all organisations", |_| "for one organisation");
        let summary =
            format!("Microsoft gives the bot access tokens, {place}; where it posts is seen in the Azure portal only");
        Ok(Health { ok: true, summary })
    }
}
