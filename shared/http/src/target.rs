//! Where a request goes: the one place that reads URLs, so that what was vetted is what is spoken to.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::address::Reach;
use crate::error::HttpError;

/// A host and a port, exactly as they must stand in a URL to be spoken to although they are private.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: Host<String>,
    port: u16,
}

impl HostPort {
    /// The host and port of a configured base URL such as `http://127.0.0.1:11434/v1`.
    pub fn of_url(url: &str) -> Result<Self, HttpError> {
        Target::parse(url).map(|target| target.place)
    }
}

/// As in a URL.
impl fmt::Display for HostPort {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.host, self.port)
    }
}

impl HostPort {
    /// The host, if it is an address and no name.
    pub(crate) fn literal(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// The host, as it is looked up.
    pub(crate) fn name(&self) -> String {
        self.host.to_string()
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// A URL that was read once.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: Url,
    pub(crate) place: HostPort,
}

impl Target {
    /// Reads a URL strictly: `http://` or `https://`, no user info, no port 0, a plain host, nothing the parser would
    /// silently repair.
    pub(crate) fn parse(text: &str) -> Result<Self, HttpError> {
        let bad = |reason| HttpError::BadUrl { reason };
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(bad("it contains white space, a control character or a backslash; percent-encode them"));
        }
        let (scheme, rest) = text.split_once("://").ok_or(bad("it must begin with https:// or http://"))?;
        if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
            return Err(bad("its scheme must be https or http"));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() || authority.contains('@') {
            return Err(bad("it must name a host, and no user or password before it; use a header for credentials"));
        }
        let (written, port) =
            split_port(authority).ok_or(bad("its port is malformed; write it without leading zeros"))?;
        let mut url = Url::parse(text).map_err(|_| bad("its host or port is malformed"))?;
        let host = canonical_host(&mut url).ok_or(bad("its host is malformed"))?;
        if !is_spelled_plainly(written, &host) {
            return Err(bad(
                "its host is spelled oddly; write an address as 192.0.2.1 or [2001:db8::1], a name in letters",
            ));
        }
        let port = port.or(url.port_or_known_default()).filter(|port| *port != 0);
        let port = port.ok_or(bad("port 0 cannot be spoken to"))?;
        Ok(Self { place: HostPort { host, port }, url })
    }

    /// Scheme, host and, where it is unusual, port: all of a URL that may be shown.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// How far a request to here may reach, given what the owner configured. Addresses behind names are judged later,
    /// when they are known.
    pub(crate) fn reach(&self, allow: &[HostPort]) -> Result<Reach, HttpError> {
        let blocked = |reason| HttpError::Blocked { origin: self.origin(), reason };
        let listed = allow.contains(&self.place);
        let reach = if listed { Reach::configured(self.place.port) } else { Reach::Public };
        let verdict = match self.place.host {
            Host::Domain(_) => Ok(()),
            Host::Ipv4(address) => reach.check(address.into()),
            Host::Ipv6(address) => reach.check(address.into()),
        };
        verdict.map_err(blocked)?;
        if reach == Reach::Public && self.url.scheme() != "https" {
            return Err(blocked("plain http is only for configured base URLs; use https"));
        }
        Ok(reach)
    }
}

/// The host as it was written, and the port behind it.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let Some((host, port)) = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) else {
        return Some((authority, None));
    };
    let plain = port.chars().all(|c| c.is_ascii_digit()) && !port.starts_with('0');
    let port = port.parse().ok().filter(|_| plain)?;
    Some((host, Some(port)))
}

/// Whether the text is the host it was read as, and no octal, short, percent-encoded or full-width spelling of it: such
/// are written to slip past somebody who compares texts. A name in another script than ASCII must really need one.
fn is_spelled_plainly(written: &str, host: &Host<String>) -> bool {
    match host {
        Host::Ipv6(address) => {
            let inner = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            inner.and_then(|inner| inner.parse().ok()) == Some(*address)
        }
        Host::Ipv4(address) => written.strip_suffix('.').unwrap_or(written) == address.to_string(),
        Host::Domain(name) if written.is_ascii() => {
            written.strip_suffix('.').unwrap_or(written).eq_ignore_ascii_case(name)
        }
        Host::Domain(name) => !written.contains('%') && name.split('.').any(|label| label.starts_with("xn--")),
    }
}

/// What may be shown of a URL that nobody has vetted yet.
pub(crate) fn origin_of(url: &str) -> String {
    Target::parse(url).map_or_else(|_| "(not a usable URL)".to_owned(), |target| target.origin())
}

/// The host, with a trailing dot removed from it and from the URL: `localhost.` is `localhost` (CVE-2026-41372).
fn canonical_host(url: &mut Url) -> Option<Host<String>> {
    match url.host()?.to_owned() {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
            let fits = name.len() <= 253 && name.split('.').all(is_label);
            fits.then_some(())?;
            url.set_host(Some(&name)).ok()?;
            Some(Host::Domain(name))
        }
        address => Some(address),
    }
}

/// A label of a host name (RFC 1123 §2.1), and `_`, which real services use.
fn is_label(label: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=63).contains(&label.len()) && label.chars().all(plain) && !label.starts_with('-') && !label.ends_with('-')
}
