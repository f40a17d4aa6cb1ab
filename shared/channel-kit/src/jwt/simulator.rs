//! A platform that signs tokens, as tests and `chela invoke` play it. The private key is public: it lies in this
//! repository. An account believes it only if its owner writes the public half into `publicKeys`.

use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chela_core::secret::Secret;
use http::HeaderValue;
use ring::signature::RsaPublicKeyComponents;
use serde_json::{Value, json};

use super::sign::SigningKey;

/// The test key in PEM.
pub const TEST_KEY: &str = include_str!("test-key.pem");

/// Its name.
pub const TEST_KID: &str = "public-test-key";

/// The key set that the platform would publish, as its JWKS URL or the option `publicKeys` has it. `None` only if the
/// test key is no key.
pub fn test_key_set() -> Option<Value> {
    let mut jwk = SigningKey::from_pem(&Secret::new(TEST_KEY)).ok()?.public_jwk();
    let fields = jwk.as_object_mut()?;
    fields.insert("kid".to_owned(), json!(TEST_KID));
    fields.insert("endorsements".to_owned(), json!(["msteams"]));
    Some(json!({ "keys": [jwk] }))
}

/// The authorization a platform with the test key puts on a post.
pub fn test_bearer(claims: &Value) -> Option<HeaderValue> {
    static KEY: LazyLock<Option<SigningKey>> = LazyLock::new(|| SigningKey::from_pem(&Secret::new(TEST_KEY)).ok());
    // The same claims make the same token, and tests post thousands of bodies under one.
    static LAST: Mutex<Option<(Value, HeaderValue)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, bearer)) = last.as_ref().filter(|(known, _)| known == claims) {
        return Some(bearer.clone());
    }
    let token = KEY.as_ref()?.token(Some(TEST_KID), claims);
    let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
    *last = Some((claims.clone(), bearer.clone()));
    Some(bearer)
}

impl SigningKey {
    /// The public half as a JSON Web Key without a name.
    pub fn public_jwk(&self) -> Value {
        let public: RsaPublicKeyComponents<Vec<u8>> = self.pair.public().into();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "n": number(&public.n),
            "e": number(&public.e),
        })
    }
}
