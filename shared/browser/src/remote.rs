//! A browser elsewhere, that of a service or of another machine of the owner's, by the address of its DevTools.

mod endpoint;
mod guard;
mod socket;

use async_trait::async_trait;
use chela_http::{HostPort, HttpClient};

pub use self::endpoint::Endpoint;
pub(crate) use self::guard::Guard;
#[cfg(test)]
pub(crate) use self::guard::verdict;
use crate::running::{Opened, Place};

/// Elsewhere.
pub(crate) struct There {
    endpoint: Endpoint,
    /// Goes to the endpoint alone.
    way: HttpClient,
    /// Judges what pages ask for.
    pages: HttpClient,
    private: Vec<HostPort>,
}

impl There {
    /// Pages reach public addresses, and of private ones only `private`, whatever `http` may reach.
    pub(crate) fn new(endpoint: Endpoint, http: &HttpClient, private: Vec<HostPort>) -> Self {
        let place = endpoint.place().clone();
        let way = http.allowing(vec![place.clone()]).only(place);
        Self { endpoint, way, pages: http.allowing(private.clone()), private }
    }
}

#[async_trait]
impl Place for There {
    async fn open(&self) -> Result<Opened, String> {
        let wire = self.endpoint.connect(&self.way).await?;
        Ok(Opened { wire, guard: Some(Guard::new(self.pages.clone(), &self.private)) })
    }
}
