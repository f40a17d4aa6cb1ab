//! Who may come in.

use chela_core::channel::{Channel, RawRequest, Rejected};
use chela_core::secret::Secret;
use http::{HeaderMap, HeaderValue, Method};

use super::{ARRIVAL, ChannelUnderTest};

/// Longer than any platform's tolerance.
const AN_HOUR_MS: u64 = 60 * 60 * 1000;

fn signed_text(subject: &ChannelUnderTest) -> RawRequest {
    subject.signed(&subject.sample("text").body, ARRIVAL)
}

fn refused(channel: &dyn Channel, request: RawRequest, why: &str) {
    let verdict = channel.verify(request).map(|_| "taken");
    assert!(matches!(verdict, Err(Rejected::Unproven(_))), "{why}: {verdict:?}");
}

/// Fails closed.
pub async fn a_request_without_proof_is_refused(subject: &ChannelUnderTest) {
    let channel = subject.offline();
    assert!(channel.verify(signed_text(subject)).is_ok(), "the control: with its proof it is taken");
    let mut without = signed_text(subject);
    without.headers.remove(subject.proof_header).expect("the simulator sets the proof header");
    refused(&*channel, without, "without proof");
    let mut bare = signed_text(subject);
    bare.headers = HeaderMap::new();
    refused(&*channel, bare, "without any header");
    let mut blank = signed_text(subject);
    blank.headers.insert(subject.proof_header, HeaderValue::from_static(""));
    refused(&*channel, blank, "with a blank proof");
}

/// Not even where both are right: a proxy could show one to us and the other to somebody else.
pub async fn a_proof_that_stands_twice_is_refused(subject: &ChannelUnderTest) {
    let mut twice = signed_text(subject);
    let proof = twice.headers.get(subject.proof_header).unwrap().clone();
    twice.headers.append(subject.proof_header, proof);
    refused(&*subject.offline(), twice, "with its proof twice");
}

/// Every character of the proof counts.
pub async fn a_changed_proof_is_refused(subject: &ChannelUnderTest) {
    let channel = subject.offline();
    let proof = signed_text(subject).headers.get(subject.proof_header).unwrap().clone();
    for at in 0..proof.len() {
        let mut bytes = proof.as_bytes().to_vec();
        // In hexadecimal `a` and `A` are the same.
        bytes[at] = if bytes[at].eq_ignore_ascii_case(&b'A') { b'B' } else { b'A' };
        let mut changed = signed_text(subject);
        changed.headers.insert(subject.proof_header, HeaderValue::from_bytes(&bytes).unwrap());
        refused(&*channel, changed, &format!("with character {at} of the proof changed"));
    }
    let mut longer = signed_text(subject);
    let bytes = [proof.as_bytes(), b"A"].concat();
    longer.headers.insert(subject.proof_header, HeaderValue::from_bytes(&bytes).unwrap());
    refused(&*channel, longer, "with a longer proof");
}

/// Where the platform signs the body, every byte of it counts.
pub async fn a_changed_body_is_refused(subject: &ChannelUnderTest) {
    let channel = subject.offline();
    let body = subject.sample("text").body;
    for at in (0..body.len()).filter(|_| subject.signs_body) {
        let mut changed = signed_text(subject);
        let mut bytes = body.to_vec();
        bytes[at] ^= 1;
        changed.body = bytes.into();
        refused(&*channel, changed, &format!("with byte {at} of the body changed"));
    }
}

/// Where the platform signs a time, what was recorded yesterday is worth nothing today.
pub async fn a_stale_or_future_time_is_refused(subject: &ChannelUnderTest) {
    if !subject.signs_time {
        return;
    }
    let channel = subject.offline();
    for arrival in [ARRIVAL.plus(AN_HOUR_MS), chela_core::clock::Millis(ARRIVAL.0 - AN_HOUR_MS)] {
        let mut recorded = signed_text(subject);
        recorded.received_at = arrival;
        refused(&*channel, recorded, "an hour away");
    }
}

/// Only what is posted is an event.
pub async fn another_method_is_refused(subject: &ChannelUnderTest) {
    let own = &subject.simulator.method;
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS].iter().filter(|method| *method != own) {
        let mut other = signed_text(subject);
        other.method = method.clone();
        let verdict = subject.offline().verify(other).map(|_| "taken");
        assert!(matches!(verdict, Err(Rejected::Method)), "{method}: {verdict:?}");
    }
}

/// The proof is made with the account's own secrets.
pub async fn a_proof_with_another_secret_is_refused(subject: &ChannelUnderTest) {
    let body = subject.sample("text").body;
    let mut secrets = subject.simulator.test_secrets();
    for secret in secrets.values_mut() {
        // Stays Base64 and keeps its length, so that only the comparison can tell.
        let turned = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        let (prefix, rest) = match secret.expose().strip_prefix("whsec_") {
            Some(rest) => ("whsec_", rest),
            None => ("", secret.expose()),
        };
        *secret = Secret::new(format!("{prefix}{}", rest.chars().map(turned).collect::<String>()));
    }
    let mut request = subject.signed(&body, ARRIVAL);
    request.headers = (subject.simulator.sign_sample)(&body, &secrets, ARRIVAL);
    assert!(request.headers.contains_key(subject.proof_header), "the simulator signs with any fit secret");
    refused(&*subject.offline(), request, "signed with another secret");
}

/// A channel without its secret never opens, so it can never be open to everybody.
pub async fn a_missing_secret_is_named_when_the_account_is_opened(subject: &ChannelUnderTest) {
    let url = "http://127.0.0.1:9";
    for spec in subject.descriptor.secrets.iter().filter(|spec| spec.required) {
        for blank in [None, Some(""), Some(" \t\n")] {
            let mut secrets = subject.simulator.test_secrets();
            secrets.remove(spec.key);
            secrets.extend(blank.map(|blank| (spec.key.to_owned(), Secret::new(blank))));
            let opened = subject.descriptor.open(&subject.settings(url, secrets, ARRIVAL));
            let error = opened.map(|_| ()).expect_err("it opens without its secret").to_string();
            assert!(error.contains(spec.key) && error.contains(spec.env), "neither key nor variable in: {error}");
        }
    }
}
