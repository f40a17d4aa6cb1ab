//! The browser of this machine. Only this program links it: a function starts no program.

use std::sync::Arc;

use chela_app::live::OpenBrowser;
use chela_browser::{Browser, Launch, find_chromium};
use chela_config::BrowserTool;
use chela_core::tool::Tool;
use chela_http::{HostPort, HttpClient};

/// Opens it as the configuration wants it; `path` is the variable `PATH`. Nothing is started before it is used.
pub(crate) fn opener(path: String) -> OpenBrowser {
    Arc::new(move |section: &BrowserTool, http: &HttpClient| {
        let configured = section.executable_path.as_deref();
        let executable = match (find_chromium(configured, &path), configured) {
            (Some(found), _) => found,
            (None, Some(configured)) => return Err(format!("there is no program at executablePath, {configured}")),
            (None, None) => return Ok(None),
        };
        let launch = Launch { executable, headless: section.headless, no_sandbox: section.no_sandbox };
        let private = section.private_urls.iter().filter_map(|url| HostPort::of_url(url).ok()).collect();
        Ok(Some(Arc::new(Browser::local(launch, http, private)) as Arc<dyn Tool>))
    })
}

#[cfg(test)]
mod tests {
    use chela_http::HttpOptions;

    use super::*;

    #[test]
    fn there_is_a_browser_where_its_program_is() {
        let options = HttpOptions { allow_hosts: vec![], user_agent: "t".into(), extra_roots: None };
        let http = HttpClient::new(options).unwrap();
        let open = |path: &str, configured: Option<&str>| {
            let section = BrowserTool { executable_path: configured.map(str::to_owned), ..BrowserTool::default() };
            opener(path.to_owned())(&section, &http).map(|tool| tool.map(|tool| tool.spec().name))
        };
        assert_eq!(open("/nowhere", None), Ok(None));
        assert_eq!(open("/nowhere", Some("/bin/sh")), Ok(Some("browser".to_owned())));
        let missing = open("/usr/bin", Some("/nowhere/chromium"));
        assert!(missing.is_err_and(|why| why.contains("/nowhere/chromium")));
    }
}
