//! Who sent it: Telegram repeats the secret that was given to `setWebhook`. It signs neither body nor time, so replays
//! are caught by `update_id` alone. <https://core.telegram.org/bots/api#setwebhook>

use chela_channel_kit::ConfigProblem;
use chela_channel_kit::proof::{ProofKeys, shared_token};
use chela_core::channel::{RawRequest, Rejected, Verified};
use chela_core::secret::Secret;
use http::Method;

use crate::WEBHOOK_SECRET;

pub(crate) const TOKEN_HEADER: &str = "x-telegram-bot-api-secret-token";

/// What Telegram takes as a `secret_token`.
const LONGEST: usize = 256;

/// All accepted secrets, and the one to register.
pub(crate) fn keys(secret: &Secret) -> Result<(ProofKeys, Secret), ConfigProblem> {
    let fit =
        |word: &str| word.len() <= LONGEST && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !secret.expose().split_whitespace().all(fit) {
        let what = "it has other characters than A-Z a-z 0-9 _ -, or more than 256";
        return Err(ConfigProblem::secret(WEBHOOK_SECRET.key, what, "make one with: openssl rand -hex 32"));
    }
    let keys = ProofKeys::words(secret).map_err(|unfit| ConfigProblem::key(&WEBHOOK_SECRET, unfit))?;
    let newest = secret.expose().split_whitespace().next().unwrap_or_default();
    Ok((keys, Secret::new(newest)))
}

pub(crate) fn verify(request: RawRequest, keys: &ProofKeys) -> Result<Verified, Rejected> {
    if request.method != Method::POST {
        return Err(Rejected::Method);
    }
    shared_token(request, TOKEN_HEADER, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_telegram_would_not_take_are_refused() {
        for bad in ["pass word!", "a/b", "é", &"x".repeat(257)] {
            assert!(keys(&Secret::new(bad)).unwrap_err().to_string().contains("webhookSecret"), "{bad}");
        }
        let (_, registered) = keys(&Secret::new(format!("new-{} old_1", "x".repeat(252)))).unwrap();
        assert_eq!(registered.expose(), format!("new-{}", "x".repeat(252)));
    }
}
