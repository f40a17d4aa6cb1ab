//! The proof.

use std::time::Duration;

use chela_core::channel::{RawRequest, Rejected, Verified};

use super::keys::{PublishedKey, PublishedKeys};
use super::token::{Claims, Token};

/// How far the platform's clock and ours may differ: what Microsoft asks for and Google allows.
/// <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication>
const LEEWAY: Duration = Duration::from_secs(5 * 60);

/// Who must have signed a token, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Spellings of the issuer, any of which will do.
    pub issuers: &'a [&'a str],
    /// Spellings of ourselves, any of which will do. An audience that is a list is refused: such a token works
    /// elsewhere too.
    pub audiences: &'a [&'a str],
}

/// Proves a request by its bearer token: RS256, signed with a published key, by the issuer, for us, now. `also` checks
/// what the platform promises beside that, before anything counts as proved.
pub fn verify(
    request: RawRequest,
    keys: &PublishedKeys,
    expected: &Expected<'_>,
    also: impl FnOnce(&Claims, &PublishedKey) -> Result<(), Rejected>,
) -> Result<Verified, Rejected> {
    let token = Token::of(&request)?;
    let key = keys.get(&token.kid, request.received_at).ok_or(Rejected::Unproven("the key is not published"))?;
    key.check(token.signed.as_bytes(), &token.signature)?;
    let claims = token.claims()?;
    if !expected.issuers.contains(&claims.text("iss")?) {
        return Err(Rejected::Unproven("the token is from another issuer"));
    }
    if !expected.audiences.contains(&claims.text("aud")?) {
        return Err(Rejected::Unproven("the token is for somebody else"));
    }
    timely(&claims, request.received_at.seconds())?;
    also(&claims, &key)?;
    Ok(request.prove())
}

/// The claims of a token that [`verify`] let through, for checks against the body.
pub fn claims(verified: &Verified) -> Result<Claims, Rejected> {
    Token::of(verified.request())?.claims()
}

/// `exp` must be there; `nbf` and `iat` must be right where they are.
fn timely(claims: &Claims, now: u64) -> Result<(), Rejected> {
    let expires = claims.time("exp")?.ok_or(Rejected::Unproven("the token never expires"))?;
    if expires.saturating_add(LEEWAY.as_secs()) <= now {
        return Err(Rejected::Unproven("the token has expired"));
    }
    for begin in ["nbf", "iat"] {
        if claims.time(begin)?.is_some_and(|begin| begin > now.saturating_add(LEEWAY.as_secs())) {
            return Err(Rejected::Unproven("the token is not valid yet"));
        }
    }
    Ok(())
}
