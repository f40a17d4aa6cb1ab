//! Where answers may go, and how the other side is set up.

use chela_channel_kit::ConfigProblem;
use chela_core::channel::{Health, Registration};
use url::{Origin, Url};

use crate::{CALLBACK_ORIGINS, CALLBACK_URL};

/// The places answers may be posted to. A message is signed by somebody we trust to write to us, which is not the same
/// as to choose where our signed posts go: without this list the channel would be a way into other networks.
#[derive(Debug)]
pub(crate) struct Callbacks {
    default: Option<Url>,
    origins: Vec<Origin>,
}

impl Callbacks {
    pub(crate) fn new(default: Option<&str>, origins: &[String]) -> Result<Self, ConfigProblem> {
        let place = |key, text: &str| {
            let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
            url.filter(|url| url.username().is_empty() && url.password().is_none())
                .ok_or_else(|| ConfigProblem::option(key, "it is no https URL", "write https://host[:port][/path]"))
        };
        let default = default.map(|text| place(CALLBACK_URL.key, text)).transpose()?;
        let origins = origins.iter().map(|text| {
            let url = place(CALLBACK_ORIGINS.key, text)?;
            if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
                // Only the origin is compared, so a path here would promise a limit that does not hold.
                let fix = "leave out everything after the host and port";
                return Err(ConfigProblem::option(CALLBACK_ORIGINS.key, "it has a path", fix));
            }
            Ok(url.origin())
        });
        Ok(Self { default, origins: origins.collect::<Result<_, _>>()? })
    }

    /// The place for an answer to a message that asked for `wanted`. Whole origins are compared: `https://a.example` is
    /// neither `https://a.example.evil.org` nor `http://a.example`.
    pub(crate) fn place(&self, wanted: Option<&str>) -> Result<Url, &'static str> {
        let Some(wanted) = wanted else {
            return self.default.clone().ok_or("there is no callback_url, and no callbackUrl is configured");
        };
        let url = Url::parse(wanted).map_err(|_| "the callback_url is not a URL")?;
        let allowed = url.username().is_empty()
            && url.password().is_none()
            && (self.default.as_ref() == Some(&url) || self.origins.contains(&url.origin()));
        if allowed { Ok(url) } else { Err("the callback_url is not at one of the configured callbackOrigins") }
    }

    pub(crate) fn health(&self) -> Health {
        let default = self.default.as_ref().map(|url| url.origin().ascii_serialization());
        match default {
            Some(origin) => Health { ok: true, summary: format!("answers are posted to {origin}") },
            None if !self.origins.is_empty() => {
                Health { ok: true, summary: "answers are posted to the callback_url of each message".to_owned() }
            }
            None => Health {
                ok: false,
                summary: "answers have nowhere to go: set callbackUrl or callbackOrigins".to_owned(),
            },
        }
    }
}

/// There is nobody to call: the owner tells the other side.
pub(crate) fn steps(url: &str) -> Registration {
    Registration::Manual {
        steps: vec![
            format!("Let the other side post its messages, as JSON, to {url}"),
            "Give it the secret you put into webhookSecret; it signs as Standard Webhooks (https://www.standardwebhooks.com) describes".to_owned(),
            "Let it verify our answers with the same secret, and drop a webhook-id it has seen".to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callbacks() -> Callbacks {
        let origins = ["https://a.example".to_owned(), "http://127.0.0.1:9000/".to_owned()];
        Callbacks::new(Some("https://home.example/in?k=1"), &origins).unwrap()
    }

    #[test]
    fn a_message_chooses_only_among_configured_places() {
        let callbacks = callbacks();
        for ok in [
            "https://a.example/x?y",
            "https://A.example:443/",
            "http://127.0.0.1:9000/z",
            "https://home.example/in?k=1",
        ] {
            assert!(callbacks.place(Some(ok)).is_ok(), "{ok}");
        }
        for bad in [
            "https://a.example.evil.org/",
            "https://a.example@evil.org/",
            "https://user@a.example/",
            "http://a.example/",
            "https://a.example:8443/",
            "https://b.a.example/",
            "http://127.0.0.1:9001/",
            "http://169.254.169.254/",
            "https://home.example/other",
            "file:///etc/passwd",
            "a.example",
            "",
        ] {
            assert!(callbacks.place(Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(callbacks.place(None).unwrap().as_str(), "https://home.example/in?k=1");
    }

    #[test]
    fn without_configuration_every_place_is_refused() {
        let callbacks = Callbacks::new(None, &[]).unwrap();
        assert!(callbacks.place(Some("https://a.example/")).is_err());
        assert!(callbacks.place(None).is_err());
        assert!(!callbacks.health().ok);
    }

    #[test]
    fn places_that_are_no_places_are_refused_with_the_key() {
        for bad in ["a.example", "ftp://a.example", "https://u:p@a.example", "data:text/plain,x"] {
            assert!(Callbacks::new(Some(bad), &[]).unwrap_err().to_string().contains("callbackUrl"), "{bad}");
        }
        for bad in ["a.example", "https://a.example/path", "https://a.example/?q"] {
            assert!(
                Callbacks::new(None, &[bad.to_owned()]).unwrap_err().to_string().contains("callbackOrigins"),
                "{bad}"
            );
        }
    }
}
