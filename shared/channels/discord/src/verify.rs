//! Who sent it. Discord signs timestamp and body with Ed25519, and tries with wrong signatures whether they are checked.
//! <https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint>
//!
//! A bridge posts to the same URL, and is told apart by its own headers.

use std::time::Duration;

use chela_channel_kit::proof::{ed25519, fresh};
use chela_channel_kit::{ConfigProblem, ProofKeys, bridge};
use chela_core::channel::{RawRequest, Rejected, Verified};
use chela_core::secret::Secret;
use ed25519_dalek::VerifyingKey;
use http::Method;

use crate::PUBLIC_KEY;

/// The signature: 64 bytes in hexadecimal digits.
pub(crate) const SIGNATURE: &str = "x-signature-ed25519";

/// The Unix seconds that are signed before the body.
pub(crate) const TIMESTAMP: &str = "x-signature-timestamp";

/// Discord names no tolerance. An interaction is answered within three seconds or not at all, so five minutes are
/// clocks that differ.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The application's public key: several, separated by white space, where an application is being replaced.
pub(crate) fn public_keys(secret: &Secret) -> Result<Vec<VerifyingKey>, ConfigProblem> {
    let unfit = || {
        let what = "it is not the 64 hexadecimal digits of an Ed25519 key";
        ConfigProblem::secret(PUBLIC_KEY.key, what, format!("copy it again: {}", PUBLIC_KEY.doc))
    };
    let key = |word: &str| {
        let bytes = hex::decode(word).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).ok_or_else(unfit)?;
        VerifyingKey::from_bytes(&bytes).map_err(|_| unfit())
    };
    secret.expose().split_whitespace().map(key).collect()
}

/// Checks the signature of Discord, or of a bridge where there is a secret for one.
pub(crate) fn verify(
    request: RawRequest,
    discord: &[VerifyingKey],
    bridged: Option<&ProofKeys>,
) -> Result<Verified, Rejected> {
    if request.method != Method::POST {
        return Err(Rejected::Method);
    }
    if bridge::is_bridged(&request) {
        let keys = bridged.ok_or(Rejected::Unproven("there is no secret for bridges"))?;
        return bridge::verify(request, keys);
    }
    let timestamp = request.single_header(TIMESTAMP)?.to_owned();
    let signature = hex::decode(request.single_header(SIGNATURE)?)
        .map_err(|_| Rejected::Unproven("a signature is not hexadecimal"))?;
    fresh(&timestamp, request.received_at, TOLERANCE)?;
    ed25519(request, discord, &timestamp, &signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_public_key_is_refused() {
        let key = "78d5aa3f16dd49d24acb4a1b60b05d9d96e6ee1b9a5cbcc53ab57b98b4b5e91a";
        for bad in ["hunter2", key.trim_end_matches("1a"), &format!("{key}00"), &format!("02{}", "0".repeat(62))] {
            let problem = public_keys(&Secret::new(bad)).unwrap_err().to_string();
            assert!(problem.contains("publicKey") && !problem.contains(bad), "{problem}");
        }
    }
}
