//! A browser elsewhere.

use chela_config::SecretInput;

use crate::checks::BROWSER_PLAIN;
use crate::gateway::is_plain;
use crate::{Finding, Subject};

pub(crate) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let browser = &subject.config.tools.browser;
    let Some(SecretInput::Value(url)) = browser.cdp_url.as_ref().filter(|_| browser.enabled) else { return };
    if is_plain(url.expose()) {
        let fix = "use wss:// or https://, or a tunnel to a port of this machine";
        findings.push(BROWSER_PLAIN.found("tools.browser.cdpUrl", "the address is one without TLS", fix));
    }
}
