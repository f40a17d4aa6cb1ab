//! Which pages may speak to the API, and under which names. There is no page of ours; a browser that asks was sent by another.

use http::HeaderMap;
use url::{Host, Url};

use super::Api;

/// Endings of names that nobody can register, so that no page of somebody else's is served under one.
const UNREGISTERED: [&str; 3] = [".localhost", ".local", ".internal"];

impl Api {
    /// A browser says which page it asks for: one on this machine, or of the public origin, written exactly so.
    pub(super) async fn origin_allowed(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(http::header::ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else { return !headers.contains_key("origin") };
        let Some(origin) = origin.to_str().ok().and_then(|text| Url::parse(text).ok()) else { return false };
        let local = match origin.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        local || self.public_origin().await.is_some_and(|own| own.origin() == origin.origin())
    }

    /// Whether a request was made under a name of this machine. A page can have its own name resolve to this machine and
    /// then ask without an `Origin` (DNS rebinding); the name tells. Behind a Function URL there is no other name to have.
    pub async fn host_allowed(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(http::header::HOST) else { return true };
        let Some(host) = host.to_str().ok().and_then(|host| Url::parse(&format!("http://{host}/")).ok()) else {
            return false;
        };
        is_of_this_machine(&host) || self.public_origin().await.is_some_and(|own| own.host() == host.host())
    }

    async fn public_origin(&self) -> Option<Url> {
        let built = self.live.current().await;
        built.config.gateway.public_origin.as_deref().and_then(|own| Url::parse(own).ok())
    }
}

fn is_of_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => !name.contains('.') || UNREGISTERED.iter().any(|end| name.ends_with(end)),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a20_names_that_anybody_can_have_are_not_this_machines() {
        let ours = |host: &str| is_of_this_machine(&Url::parse(&format!("http://{host}/")).unwrap());
        for own in
            ["localhost:18789", "127.0.0.1", "[::1]:80", "192.168.1.7:18789", "chela:18789", "nas.local", "x.localhost"]
        {
            assert!(ours(own), "{own}");
        }
        for other in
            ["evil.example", "127.0.0.1.evil.example:18789", "localhost.evil.example", "evil.example.", "local.evil"]
        {
            assert!(!ours(other), "{other}");
        }
    }
}
