//! A Chromium of this machine: started when it is needed, spoken with over two pipes, and behind a proxy of ours that is its
//! only way out.

mod launch;
mod pipe;
mod proxy;

use async_trait::async_trait;
use chela_http::{HostPort, HttpClient};

pub use self::launch::{Launch, find_chromium};
use self::pipe::Pipes;
use self::proxy::Proxy;
use crate::cdp::Wire;
use crate::running::{Opened, Place};

/// This machine.
pub(crate) struct Here {
    launch: Launch,
    http: HttpClient,
}

impl Here {
    /// Pages reach public addresses, and of private ones only `private`, whatever `http` may reach.
    pub(crate) fn new(launch: Launch, http: &HttpClient, private: Vec<HostPort>) -> Self {
        Self { launch, http: http.allowing(private) }
    }
}

#[async_trait]
impl Place for Here {
    async fn open(&self) -> Result<Opened, String> {
        let proxy = Proxy::open(self.http.clone()).await;
        let proxy = proxy.map_err(|error| format!("There is no way out for a browser: {error}."))?;
        let (chromium, to, from) = self.launch.start(proxy.address)?;
        let wire: Box<dyn Wire> = Box::new(Pipes::new(to, from, chromium, proxy));
        Ok(Opened { wire, guard: None })
    }
}
