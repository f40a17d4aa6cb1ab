//! Who sent it: `X-Line-Signature` is the HMAC-SHA256 of the body by the channel secret, in Base64. No time is signed:
//! replays are caught by `webhookEventId` alone.
//! <https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/>

use chela_channel_kit::proof::{ClaimedMac, ProofKeys, hmac_sha256};
use chela_core::channel::{RawRequest, Rejected, Verified};
use http::Method;

pub(crate) const SIGNATURE_HEADER: &str = "x-line-signature";

pub(crate) fn verify(request: RawRequest, keys: &ProofKeys) -> Result<Verified, Rejected> {
    if request.method != Method::POST {
        return Err(Rejected::Method);
    }
    let claimed = ClaimedMac::base64(request.single_header(SIGNATURE_HEADER)?)?;
    hmac_sha256(request, keys, "", &[claimed])
}
