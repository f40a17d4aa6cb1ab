//! The HTTP server and its key.

use chela_config::{KEY_CHARS, SecretInput};
use serde_json::json;

use crate::checks::{EXPOSED, NO_RATE_LIMIT, PLAIN_ORIGIN, SHORT_TOKEN};
use crate::{Finding, Repair, Subject};

/// Fewest different characters of a key: fewer are a word or a pattern.
const DIFFERENT_CHARS: usize = 8;

/// Whether a secret that somebody thought of themselves could be guessed.
pub(crate) fn is_guessable(secret: &str) -> bool {
    let different: std::collections::BTreeSet<char> = secret.chars().collect();
    secret.chars().count() < KEY_CHARS || different.len() < DIFFERENT_CHARS
}

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let gateway = &subject.config.gateway;
    if let Some(SecretInput::Value(token)) = &gateway.auth.token
        && !token.expose().is_empty()
        && is_guessable(token.expose())
    {
        findings.push(SHORT_TOKEN.found(
            "gateway.auth.token",
            format!("the key has fewer than {KEY_CHARS} characters, or too few different ones"),
            "openssl rand -hex 24",
        ));
    }
    if !gateway.listen.ip().is_loopback() {
        findings.push(EXPOSED.found(
            "gateway.listen",
            format!("listens on {}", gateway.listen),
            "listen on 127.0.0.1 and let a reverse proxy with TLS, or a tunnel, stand before it",
        ));
    }
    if gateway.public_origin.as_deref().is_some_and(is_plain) {
        findings.push(PLAIN_ORIGIN.found("gateway.publicOrigin", "the address begins with http://", "use https://"));
    }
    if gateway.limits.messages_per_minute == 0 {
        let path = ["gateway", "limits", "messagesPerMinute"].map(str::to_owned).to_vec();
        let at = path.join(".");
        let fix = "remove the key: 30 messages a minute of one sender are answered";
        findings.push(NO_RATE_LIMIT.found(at, "0 is no limit", fix).with(Repair::Key { path, value: json!(30) }));
    }
}

/// Whether a URL leads to another machine without TLS, however it is spelled.
pub(crate) fn is_plain(url: &str) -> bool {
    let plain = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "ws"));
    plain && !is_local(url)
}

/// Whether a URL names this machine or a private network by its literal address.
pub(crate) fn is_local(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
