//! Names become addresses here and nowhere else. What the filter lets through is what the connector dials, so a name
//! cannot change its mind between the check and the connection (CVE-2026-62212).

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::Reach;

/// Looks a name up.
pub(crate) type Lookup =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// Every address of a name is forbidden.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) &'static str);

/// The operating system's resolver.
pub(crate) fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Resolves within a reach.
pub(crate) struct VettedResolver {
    pub(crate) reach: Reach,
    pub(crate) lookup: Lookup,
}

impl Resolve for VettedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        let found = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            match vetted(reach, &found.await?) {
                Ok(allowed) => Ok(Box::new(allowed.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs),
                Err(Some(refused)) => Err(refused.into()),
                Err(None) => Err("the name has no address".into()),
            }
        })
    }
}

/// Those of a name's addresses that may be spoken to, at least one; else why none may be, or `None` if there was none.
pub(crate) fn vetted(reach: Reach, found: &[IpAddr]) -> Result<Vec<IpAddr>, Option<Refused>> {
    let allowed: Vec<IpAddr> = found.iter().copied().filter(|address| reach.check(*address).is_ok()).collect();
    let refusal = found.iter().find_map(|address| reach.check(*address).err());
    if allowed.is_empty() { Err(refusal.map(Refused)) } else { Ok(allowed) }
}
