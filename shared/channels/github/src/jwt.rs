//! The token by which a GitHub App says who it is.
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>

use chela_channel_kit::ConfigProblem;
use chela_channel_kit::jwt::SigningKey;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use serde_json::json;

use crate::settings::PRIVATE_KEY;

/// GitHub advises to begin a minute ago, for clocks that differ.
const BACKDATED_S: u64 = 60;

/// GitHub takes at most ten minutes.
const LIVES_S: u64 = 9 * 60;

/// The app's key.
pub(crate) struct AppKey(SigningKey);

impl AppKey {
    /// Reads PEM as GitHub gives it.
    pub(crate) fn read(secret: &Secret) -> Result<Self, ConfigProblem> {
        SigningKey::from_pem(secret).map(Self).map_err(|unfit| {
            ConfigProblem::secret(PRIVATE_KEY.key, unfit.to_string(), format!("copy it again: {}", PRIVATE_KEY.doc))
        })
    }

    /// The token of the app `app_id` at this time.
    pub(crate) fn token(&self, app_id: &str, now: Millis) -> Secret {
        let now = now.seconds();
        let claims =
            json!({ "iat": now.saturating_sub(BACKDATED_S), "exp": now.saturating_add(LIVES_S), "iss": app_id });
        self.0.token(None, &claims)
    }
}
