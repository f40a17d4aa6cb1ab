//! A token taken apart. Nothing here is proved.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chela_core::channel::{RawRequest, Rejected};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::proof::bearer;

/// Longest token that is looked at, in bytes. Those of Microsoft and Google have one to two thousand.
const LONGEST: usize = 16 * 1024;

/// The three parts of a token, decoded.
pub(super) struct Token<'a> {
    /// What the signature is over: the first two parts as they were sent.
    pub(super) signed: &'a str,
    /// The name of the key.
    pub(super) kid: String,
    /// The claims, as bytes.
    payload: Vec<u8>,
    /// The signature.
    pub(super) signature: Vec<u8>,
}

/// What a token says of itself. `alg` is checked and never chosen by: a token cannot pick its own proof.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    /// Extensions that must be understood: none is. <https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11>
    crit: Option<serde::de::IgnoredAny>,
}

impl<'a> Token<'a> {
    /// Reads the bearer token of a request.
    pub(super) fn of(request: &'a RawRequest) -> Result<Self, Rejected> {
        Self::read(bearer(request)?)
    }

    fn read(text: &'a str) -> Result<Self, Rejected> {
        let odd = Rejected::Unproven("the authorization is no signed token");
        if text.len() > LONGEST {
            return Err(Rejected::Unproven("the token is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(odd)?;
        let (header, payload) = signed.split_once('.').ok_or(odd)?;
        // A dot that is left over is not in the alphabet. Neither are padding and white space, and stray bits at the end
        // of a part are refused: a token has one spelling.
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| odd);
        let (header, payload, signature) = (decoded(header)?, decoded(payload)?, decoded(signature)?);
        let header: Header = serde_json::from_slice(&header).map_err(|_| odd)?;
        if header.alg != "RS256" {
            return Err(Rejected::Unproven("the token is not signed with RS256"));
        }
        if header.crit.is_some() {
            return Err(Rejected::Unproven("the token wants something unknown to be understood"));
        }
        Ok(Self { signed, kid: header.kid, payload, signature })
    }

    /// What the token claims.
    pub(super) fn claims(&self) -> Result<Claims, Rejected> {
        let claims = serde_json::from_slice(&self.payload);
        claims.map(Claims).map_err(|_| Rejected::Unproven("the token's claims are no JSON object"))
    }
}

/// What a token says. A claim of another type than it should have is as bad as a wrong one (CVE-2026-25537).
#[derive(Clone, PartialEq)]
pub struct Claims(Map<String, Value>);

impl std::fmt::Debug for Claims {
    /// Only the number: claims name people.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Claims({})", self.0.len())
    }
}

impl Claims {
    /// A claim that must be a text.
    pub fn text(&self, name: &str) -> Result<&str, Rejected> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.ok_or(Rejected::Unproven("a claim that must be a text is none"))
    }

    /// A claim that must be true or false.
    pub fn flag(&self, name: &str) -> Result<bool, Rejected> {
        let flag = self.0.get(name).and_then(Value::as_bool);
        flag.ok_or(Rejected::Unproven("a claim that must be true or false is neither"))
    }

    /// A claim that must be a time, in whole Unix seconds, if it is there.
    pub fn time(&self, name: &str) -> Result<Option<u64>, Rejected> {
        let time = |value: &Value| value.as_u64().ok_or(Rejected::Unproven("a claim that must be a time is none"));
        self.0.get(name).map(time).transpose()
    }
}
