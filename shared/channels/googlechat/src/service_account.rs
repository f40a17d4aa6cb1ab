//! The account that sends for the app.
//! <https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests>

use chela_channel_kit::ConfigProblem;
use chela_channel_kit::jwt::SigningKey;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use serde::Deserialize;
use serde_json::json;

use crate::SERVICE_ACCOUNT;

/// What a Chat app may do in the spaces it is in.
const SCOPE: &str = "https://www.googleapis.com/auth/chat.bot";

/// For whom our token is, wherever it is sent.
const TOKEN_AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// How long our token lives, in seconds: the most that Google takes.
const LIFE: u64 = 3600;

/// A service account's key.
pub(crate) struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    key: SigningKey,
}

#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key_id: Option<String>,
    private_key: String,
}

impl ServiceAccount {
    pub(crate) fn read(secret: &Secret) -> Result<Self, ConfigProblem> {
        let unfit = |what: &str| ConfigProblem::secret(SERVICE_ACCOUNT.key, what, "set it to the whole JSON key file");
        let file: KeyFile = serde_json::from_str(secret.expose())
            .map_err(|_| unfit("it is no JSON with client_email and private_key"))?;
        let key = SigningKey::from_pem(&Secret::new(file.private_key)).map_err(|error| unfit(&error.to_string()))?;
        Ok(Self { email: file.client_email, key_id: file.private_key_id, key })
    }

    /// The token that is exchanged for an access token.
    pub(crate) fn assertion(&self, now: Millis) -> Secret {
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": TOKEN_AUDIENCE,
            "iat": now.seconds(),
            "exp": now.seconds().saturating_add(LIFE),
        });
        self.key.token(self.key_id.as_deref(), &claims)
    }
}
