//! Who sent it: `X-Twilio-Signature` is a MAC over the public URL and the sorted parameters, in Base64. No time is signed:
//! replays are caught by `MessageSid` alone. <https://www.twilio.com/docs/usage/webhooks/webhooks-security>

use chela_channel_kit::proof::{ClaimedMac, ProofKeys, computed_mac};
use chela_core::channel::{RawRequest, Rejected, Verified};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Method;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::form::Form;
use crate::public_url::PublicUrl;

pub(crate) const SIGNATURE_HEADER: &str = "x-twilio-signature";

/// `key=…,algorithm=…`, where a SharedKey signs instead of the auth token.
const SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";

/// The parameter that holds the body's digest, in hexadecimal, where the body is JSON.
const BODY_DIGEST: &str = "bodySHA256";

/// How one account's posts are proved.
pub(crate) struct Proof {
    pub(crate) url: PublicUrl,
    pub(crate) auth_token: ProofKeys,
    /// The SharedKey, where the owner has one.
    pub(crate) shared_key: Option<ProofKeys>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha1,
    Sha256,
}

impl Proof {
    pub(crate) fn verify(&self, request: RawRequest) -> Result<Verified, Rejected> {
        if request.method != Method::POST {
            return Err(Rejected::Method);
        }
        let claimed = ClaimedMac::base64(request.single_header(SIGNATURE_HEADER)?)?;
        let (algorithm, keys) = self.keys(&request)?;
        let parameters = if is_json(&request) {
            check_body(&request)?;
            String::new()
        } else {
            Form::read(&request.body).signed()
        };
        let urls = self.url.signed(&request.path, &request.query);
        let own: Vec<Vec<u8>> = urls
            .iter()
            .map(|url| format!("{url}{parameters}"))
            .flat_map(|text| keys.all().map(move |key| sign(algorithm, key, text.as_bytes())).collect::<Vec<_>>())
            .collect();
        let own: Vec<&[u8]> = own.iter().map(Vec::as_slice).collect();
        computed_mac(request, &own, &[claimed])
    }

    /// With what the request says it is signed. Each way needs a secret of its own, so that nobody gains by choosing.
    fn keys(&self, request: &RawRequest) -> Result<(Algorithm, &ProofKeys), Rejected> {
        if !request.headers.contains_key(SETTINGS_HEADER) {
            return Ok((Algorithm::Sha1, &self.auth_token));
        }
        let settings = request.single_header(SETTINGS_HEADER)?;
        let named = settings.split(',').filter_map(|setting| setting.split_once('='));
        let algorithm = named.filter(|(name, _)| name.trim() == "algorithm").map(|(_, value)| value.trim());
        let algorithm = match algorithm.filter(|value| !value.is_empty()).collect::<Vec<_>>().as_slice() {
            [] => return Ok((Algorithm::Sha1, &self.auth_token)),
            [name] if name.eq_ignore_ascii_case("HMAC_SHA1") => Algorithm::Sha1,
            [name] if name.eq_ignore_ascii_case("HMAC_SHA256") => Algorithm::Sha256,
            _ => return Err(Rejected::Unproven("the signature's algorithm is not known")),
        };
        let keys = self.shared_key.as_ref().ok_or(Rejected::Unproven("no SharedKey is configured"))?;
        Ok((algorithm, keys))
    }
}

/// Whether the body is JSON, which the signed URL tells and no header.
pub(crate) fn is_json(request: &RawRequest) -> bool {
    Form::read(request.query.as_bytes()).has(BODY_DIGEST)
}

/// The signed URL names the body's digest, which is no secret.
fn check_body(request: &RawRequest) -> Result<(), Rejected> {
    let query = Form::read(request.query.as_bytes());
    let unlike = Rejected::Unproven("the body has another digest than the URL names");
    let named = query.one(BODY_DIGEST).map_err(|_| unlike)?;
    if named == Some(hex::encode(Sha256::digest(&request.body)).as_str()) { Ok(()) } else { Err(unlike) }
}

/// The MAC of a text; empty, which proves nothing, if the key were unfit. HMAC takes keys of every length.
pub(crate) fn sign(algorithm: Algorithm, key: &[u8], text: &[u8]) -> Vec<u8> {
    let mac = match algorithm {
        Algorithm::Sha1 => Hmac::<Sha1>::new_from_slice(key).ok().map(|mut mac| {
            mac.update(text);
            mac.finalize().into_bytes().to_vec()
        }),
        Algorithm::Sha256 => Hmac::<Sha256>::new_from_slice(key).ok().map(|mut mac| {
            mac.update(text);
            mac.finalize().into_bytes().to_vec()
        }),
    };
    mac.unwrap_or_default()
}
