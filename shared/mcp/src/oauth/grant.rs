//! What a login leaves: one secret, from which a process can ask for tokens by itself. Tokens that were renewed since are
//! kept in the file store, sealed with a key that stands in the secret, so that the store alone opens nothing.

use chela_core::clock::Millis;
use chela_core::secret::Secret;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What is kept as a secret.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The address of the server that it is for. Sent to no other.
    pub server: String,
    pub(super) resource: String,
    pub(super) issuer: String,
    pub(super) token_endpoint: String,
    pub(super) client_id: String,
    pub(super) client_secret: Option<String>,
    /// Whether the secret goes into a header of its own, and not into the form.
    pub(super) basic: bool,
    /// What seals renewed tokens.
    pub(super) seal: String,
    pub(super) tokens: Tokens,
}

/// What lets in, and for how long.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
    /// Milliseconds since 1970; `None` if nobody said.
    pub(super) expires_at: Option<u64>,
}

impl Grant {
    /// Reads what [`Grant::text`] wrote.
    pub fn read(text: &Secret) -> Option<Self> {
        serde_json::from_str(text.expose()).ok()
    }

    /// As it is kept.
    pub fn text(&self) -> Secret {
        Secret::new(serde_json::to_string(self).unwrap_or_default())
    }

    /// Milliseconds since 1970 at which the token ends that the login brought, if it said.
    pub fn expires_at(&self) -> Option<u64> {
        self.tokens.expires_at
    }

    /// Whether it can be renewed without a person.
    pub fn renews(&self) -> bool {
        self.tokens.refresh.is_some()
    }

    fn key(&self) -> Option<LessSafeKey> {
        let key = Sha256::new().chain_update("chela mcp tokens\0").chain_update(&self.seal).finalize();
        UnboundKey::new(&CHACHA20_POLY1305, &key).ok().map(LessSafeKey::new)
    }

    /// Tokens that nobody reads without the grant. `fresh` is used once only: a name of the clock.
    pub(super) fn sealed(&self, tokens: &Tokens, fresh: &str) -> Option<Vec<u8>> {
        let digest = Sha256::digest(fresh);
        let nonce: [u8; NONCE_LEN] = digest.get(..NONCE_LEN)?.try_into().ok()?;
        let mut bytes = serde_json::to_vec(tokens).ok()?;
        let (nonce_of, aad) = (Nonce::assume_unique_for_key(nonce), Aad::from(self.server.as_bytes()));
        self.key()?.seal_in_place_append_tag(nonce_of, aad, &mut bytes).ok()?;
        Some([nonce.as_slice(), &bytes].concat())
    }

    /// The tokens, if they were sealed with this grant and for this server.
    pub(super) fn opened(&self, sealed: &[u8]) -> Option<Tokens> {
        let (nonce, bytes) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = bytes.to_vec();
        let plain = self.key()?.open_in_place(nonce, Aad::from(self.server.as_bytes()), &mut bytes).ok()?;
        serde_json::from_slice(plain).ok()
    }
}

impl Tokens {
    /// Whether it is better renewed before it is used.
    pub(super) fn ends_soon(&self, now: Millis) -> bool {
        self.expires_at.is_some_and(|at| at <= now.plus(60_000).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(seal: &str, server: &str) -> Grant {
        Grant {
            server: server.into(),
            resource: server.into(),
            issuer: "https://i.example".into(),
            token_endpoint: "https://i.example/token".into(),
            client_id: "c".into(),
            client_secret: None,
            basic: false,
            seal: seal.into(),
            tokens: Tokens { access: "first".into(), refresh: None, expires_at: None },
        }
    }

    #[test]
    fn renewed_tokens_are_read_by_their_grant_alone() {
        let own = grant("one", "https://a.example/mcp");
        let tokens = Tokens { access: "second-token".into(), refresh: Some("r".into()), expires_at: Some(7) };
        let sealed = own.sealed(&tokens, "n1").unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("second"));
        assert!(own.opened(&sealed) == Some(tokens.clone()));
        assert!(grant("two", "https://a.example/mcp").opened(&sealed).is_none(), "after another login");
        assert!(grant("one", "https://b.example/mcp").opened(&sealed).is_none(), "for another server");
        let mut changed = sealed.clone();
        changed[NONCE_LEN] ^= 1;
        assert!(own.opened(&changed).is_none() && own.opened(b"").is_none());
        assert!(Grant::read(&own.text()).is_some_and(|read| read.tokens == own.tokens));
    }

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        let tokens = |at| Tokens { access: String::new(), refresh: None, expires_at: at };
        assert!(tokens(Some(100_000)).ends_soon(Millis(50_000)) && !tokens(Some(100_000)).ends_soon(Millis(10_000)));
        assert!(!tokens(None).ends_soon(Millis(u64::MAX)));
    }
}
