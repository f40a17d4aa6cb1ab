//! Who sent it: `X-Plivo-Signature-V3` is an HMAC-SHA256 over the public URL, the sorted parameters and a nonce, in Base64;
//! `X-Plivo-Signature-Ma-V3` is the same by the main account's token, where a subaccount owns the number. No time is signed.
//! V2 signs neither query nor body, so that one captured post would prove every other: it is not accepted.
//! <https://www.plivo.com/docs/voice/concepts/signature-validation>

use chela_channel_kit::proof::{ClaimedMac, ProofKeys, computed_mac};
use chela_core::channel::{RawRequest, Rejected, Verified};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Method;
use sha2::Sha256;

use crate::form::Form;
use crate::public_url::PublicUrl;

/// By the token of the account that owns the number, and by the main account's; in each one signature, or several with
/// commas between them while a token is being changed.
pub(crate) const SIGNATURE_HEADERS: [&str; 2] = ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"];

pub(crate) const NONCE_HEADER: &str = "x-plivo-signature-v3-nonce";

/// How one account's posts are proved.
pub(crate) struct Proof {
    pub(crate) url: PublicUrl,
    pub(crate) auth_token: ProofKeys,
}

impl Proof {
    pub(crate) fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        if request.method != Method::POST {
            return Err(Rejected::Method);
        }
        let claimed = claimed(&request)?;
        let nonce = request.single_header(NONCE_HEADER)?;
        let (query, body) = (Form::read(request.query.as_bytes()), Form::read(&request.body));
        let text = format!("{}.{nonce}", self.url.signed(&query, &body));
        let own: Vec<Vec<u8>> = self.auth_token.all().map(|key| sign(key, &text)).collect();
        let own: Vec<&[u8]> = own.iter().map(Vec::as_slice).collect();
        computed_mac(request, &own, &claimed)
    }
}

/// All signatures of both headers. What is no Base64 is a signature of nobody's.
fn claimed(request: &RawRequest) -> Result<Vec<ClaimedMac>, Rejected> {
    let mut claimed = Vec::new();
    for header in SIGNATURE_HEADERS.into_iter().filter(|header| request.headers.contains_key(*header)) {
        claimed.extend(request.single_header(header)?.split(',').filter_map(|one| ClaimedMac::base64(one).ok()));
    }
    if claimed.is_empty() {
        return Err(Rejected::Unproven("there is no V3 signature"));
    }
    Ok(claimed)
}

/// The MAC of a text; empty, which proves nothing, if the key were unfit. HMAC takes keys of every length.
pub(crate) fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).ok().map(|mut mac| {
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    });
    mac.unwrap_or_default()
}
