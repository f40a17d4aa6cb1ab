//! Who posted it: the Bot Framework, for our app, with a key that may sign for Teams.
//! <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication#connector-to-bot>

use chela_channel_kit::jwt::{Claims, Expected, PublishedKeys, verify as verify_token};
use chela_core::channel::{RawRequest, Rejected, Verified};
use http::Method;

/// The name of Teams among the channels of the Bot Framework.
pub(crate) const CHANNEL: &str = "msteams";

/// Who signs. Tokens of the emulator, of skills and of other clouds come from elsewhere, and are refused.
pub(crate) const ISSUER: &str = "https://api.botframework.com";

/// The claim with the service's URL, in the spelling of the documentation and in that of the older SDKs.
pub(crate) const SERVICE_URL_CLAIMS: [&str; 2] = ["serviceurl", "serviceUrl"];

pub(crate) fn verify(request: RawRequest, keys: &PublishedKeys, app_id: &str) -> Result<Verified, Rejected> {
    if request.method != Method::POST {
        return Err(Rejected::Method);
    }
    let expected = Expected { issuers: &[ISSUER], audiences: &[app_id] };
    verify_token(request, keys, &expected, |claims, key| {
        // Another channel of the Bot Framework could else speak for everybody in Teams.
        if !key.endorsements.iter().any(|endorsement| endorsement == CHANNEL) {
            return Err(Rejected::Unproven("the key is not endorsed for Teams"));
        }
        service_url(claims).map(drop)
    })
}

/// The service that the token speaks for. Without it the service's URL in the body, to which our token goes, would be
/// anybody's.
pub(crate) fn service_url(claims: &Claims) -> Result<&str, Rejected> {
    let [one, other] = SERVICE_URL_CLAIMS;
    claims.text(one).or_else(|_| claims.text(other))
}
