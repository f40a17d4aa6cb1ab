//! Tokens of our own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chela_core::secret::Secret;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// An RSA key that signs tokens.
pub struct SigningKey {
    pub(super) pair: RsaKeyPair,
}

/// Why a text cannot be a key that signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitPem {
    /// There is no private key in it.
    #[error("it has no -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----")]
    NoKey,
    /// The key is of another kind, too short, or damaged.
    #[error("it is no RSA key of 2048 bits or more")]
    NotRsa,
}

impl SigningKey {
    /// Reads a private key in PEM, PKCS#8 or PKCS#1. Line breaks may be written as `\n`, as they end up in environment
    /// variables.
    pub fn from_pem(pem: &Secret) -> Result<Self, UnfitPem> {
        let pem = pem.expose().replace("\\n", "\n");
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| UnfitPem::NoKey)?;
        let pair = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(UnfitPem::NotRsa),
        };
        pair.map(|pair| Self { pair }).map_err(|_| UnfitPem::NotRsa)
    }

    /// A token with these claims, signed with RS256. The same claims make the same token.
    pub fn token(&self, kid: Option<&str>, claims: &Value) -> Secret {
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let (Some(kid), Some(header)) = (kid, header.as_object_mut()) {
            header.insert("kid".to_owned(), json!(kid));
        }
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.pair.public().modulus_len()];
        // It fails for a buffer of another length and where the system has no randomness left to blind with; a token
        // without a signature is refused by whoever gets it.
        let done = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
        let signature = if done.is_ok() { signature } else { Vec::new() };
        Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "SigningKey({} bits)", 8 * self.pair.public().modulus_len())
    }
}
