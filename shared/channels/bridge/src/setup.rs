//! How both sides are set up, and whether they agree.

use std::collections::BTreeSet;
use std::time::Duration;

use chela_channel_kit::ApiCall;
use chela_channel_kit::bridge::{self, BridgeAbout};
use chela_core::channel::{Health, Registration, SendError};

use crate::{Bridge, FEATURES, TEXT_LIMIT};

/// Longest wait for a bridge to speak about itself.
const ABOUT_TIMEOUT: Duration = Duration::from_secs(10);

/// There is nobody to call: the owner starts the bridge.
pub(crate) fn steps(url: &str, bridge_url: &str) -> Registration {
    Registration::Manual {
        steps: vec![
            format!("Start the bridge so that it posts what it hears to {url}"),
            "Give it the secret of this account as BRIDGE_SECRET".to_owned(),
            format!("Let it take orders at {bridge_url}/send, reachable from here"),
            "For IRC: chela bridge irc --help".to_owned(),
        ],
    }
}

impl Bridge {
    pub(crate) async fn ask_about(&self) -> Result<Health, SendError> {
        let url = format!("{}/about", self.url);
        let mut call = ApiCall::get(&url, ABOUT_TIMEOUT);
        call.headers = bridge::sign(b"", &self.keys, self.clock.now());
        let reply = self.api.call(call).await?;
        if !reply.status.is_success() {
            let summary = format!("the bridge answers /about with status {}", reply.status.as_u16());
            return Ok(Health { ok: false, summary });
        }
        Ok(match reply.json::<BridgeAbout>() {
            Some(about) => self.compared(&about),
            None => Health { ok: false, summary: "what the bridge says at /about is not as documented".to_owned() },
        })
    }

    fn compared(&self, about: &BridgeAbout) -> Health {
        let offered: BTreeSet<&str> = about.features.iter().map(String::as_str).collect();
        let configured: BTreeSet<&str> = self.offer.words().into_iter().collect();
        // The name is the bridge's own word: nothing of it may look like ours.
        let name: String = about.name.chars().filter(|c| !c.is_control()).take(80).collect();
        if !about.connected {
            return Health { ok: false, summary: format!("the bridge to {name} answers, but has no connection") };
        }
        if let Some(missing) = configured.difference(&offered).next() {
            let summary = format!("the bridge to {name} cannot \"{missing}\": take it out of {}", FEATURES.key);
            return Health { ok: false, summary };
        }
        if let Some(most) = about.limits.text.filter(|most| *most < self.limits.text) {
            let summary = format!("the bridge to {name} takes {most} units of text: set {} to that", TEXT_LIMIT.key);
            return Health { ok: false, summary };
        }
        let known = ["edit", "typing", "react", "attach"];
        let unused: Vec<&str> = offered.difference(&configured).copied().filter(|word| known.contains(word)).collect();
        let hint = match unused.as_slice() {
            [] => String::new(),
            unused => format!("; it also offers {}: see {}", unused.join(", "), FEATURES.key),
        };
        Health { ok: true, summary: format!("connected to {name}{hint}") }
    }
}
