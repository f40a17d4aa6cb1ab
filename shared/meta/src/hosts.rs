//! Where Meta keeps files. A URL in an event or an answer is fetched only from there, because whoever could choose it
//! could make us fetch from anywhere.

use url::Url;

/// Meta's own domains of files, which come from `lookaside.fbsbx.com`, `cdn.fbsbx.com`, `scontent….fbcdn.net` and
/// `….cdninstagram.com`, and may move between these. What lies under `www.instagram.com` is a page, and no file.
const DOMAINS: [&str; 6] =
    ["fbsbx.com", "fbcdn.net", "cdninstagram.com", "whatsapp.net", "lookaside.facebook.com", "lookaside.instagram.com"];

/// Whether files may be fetched from this URL: https on one of Meta's domains, or the configured API server itself.
pub fn is_metas(url: &str, base_url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    if Url::parse(base_url).is_ok_and(|base| base.origin() == url.origin()) {
        return true;
    }
    let named = |host: &str| {
        DOMAINS
            .iter()
            .any(|domain| host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.')))
    };
    let bare = url.username().is_empty() && url.password().is_none() && url.port().is_none();
    url.scheme() == "https" && bare && url.host_str().is_some_and(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metas_domains_and_the_configured_server_are_fetched_from() {
        let base = "http://127.0.0.1:4444";
        for good in [
            "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&ext=2&hash=x",
            "https://scontent-fra3-1.xx.fbcdn.net/v/t1/a.jpg?x=1",
            "https://scontent.cdninstagram.com/a.mp4",
            "https://FBSBX.com/",
            "http://127.0.0.1:4444/file",
        ] {
            assert!(is_metas(good, base), "{good}");
        }
        for bad in [
            "http://lookaside.fbsbx.com/a",
            "https://lookaside.fbsbx.com:8443/a",
            "https://user@lookaside.fbsbx.com/a",
            "https://lookaside.fbsbx.com.example.org/a",
            "https://evilfbsbx.com/a",
            "https://www.instagram.com/reel/C/",
            "https://example.org/?fbsbx.com",
            "http://127.0.0.1:4445/file",
            "https://127.0.0.1:4444/file",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "fbsbx.com/a",
            "",
        ] {
            assert!(!is_metas(bad, base), "{bad}");
        }
    }
}
