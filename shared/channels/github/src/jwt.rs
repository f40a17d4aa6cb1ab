//! The token by which a GitHub App says who it is: a JWT signed with RS256.
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chela_channel_kit::ConfigProblem;
use chela_core::clock::Millis;
use chela_core::secret::Secret;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::settings::PRIVATE_KEY;

/// GitHub advises to begin a minute ago, for clocks that differ.
const BACKDATED_S: u64 = 60;

/// GitHub takes at most ten minutes.
const LIVES_S: u64 = 9 * 60;

/// The app's key.
pub(crate) struct AppKey(RsaKeyPair);

impl AppKey {
    /// Reads PEM as GitHub gives it (PKCS #1) or as other tools write it (PKCS #8); `\n` may stand for line breaks.
    pub(crate) fn read(secret: &Secret) -> Result<Self, ConfigProblem> {
        let unfit =
            |what: String| ConfigProblem::secret(PRIVATE_KEY.key, what, format!("copy it again: {}", PRIVATE_KEY.doc));
        let pem = secret.expose().replace("\\n", "\n");
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unfit("it is no PEM".to_owned()))?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(unfit("it is no RSA key".to_owned())),
        };
        key.map(Self).map_err(|rejected| unfit(format!("it is no RSA key: {rejected}")))
    }

    /// The token of the app `app_id` at this time. `None` if the machine has no randomness.
    pub(crate) fn token(&self, app_id: &str, now: Millis) -> Option<String> {
        let now = now.seconds();
        let claims = json!({ "iat": now.saturating_sub(BACKDATED_S), "exp": now + LIVES_S, "iss": app_id });
        sign_rs256(&self.0, &claims)
    }
}

/// The claims as a JWT. This is all that is known here of RS256.
fn sign_rs256(key: &RsaKeyPair, claims: &Value) -> Option<String> {
    let header = json!({ "alg": "RS256", "typ": "JWT" });
    let parts = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = parts.join(".");
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
