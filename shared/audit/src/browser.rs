//! A browser elsewhere.

use chela_config::SecretInput;

use crate::checks::BROWSER_PLAIN;
use crate::gateway::is_local;
use crate::{Finding, Subject};

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let browser = &subject.config.tools.browser;
    let Some(SecretInput::Value(url)) = browser.cdp_url.as_ref().filter(|_| browser.enabled) else { return };
    let url = url.expose().trim();
    let plain = url.starts_with("ws://") || url.starts_with("http://");
    if plain && !is_local(url) {
        let fix = "use wss:// or https://, or a tunnel to a port of this machine";
        findings.push(BROWSER_PLAIN.found("tools.browser.cdpUrl", "the address is one without TLS", fix));
    }
}
