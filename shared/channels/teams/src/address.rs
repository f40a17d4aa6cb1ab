//! Where an answer goes: a conversation, at the service that spoke for it.
//!
//! In [`ReplyAddress::to`] they stand as `conversation|https://service`; without a service, the public cloud's is meant.

use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{AccountSettings, ConfigProblem};
use chela_core::message::ReplyAddress;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::SERVICE_URLS;

/// What parts a channel's id from the message that began a thread in it.
pub(crate) const THREAD_MARK: &str = ";messageid=";

/// The service of the public cloud, for conversations of which only the id is known.
const DEFAULT_SERVICE: &str = "https://smba.trafficmanager.net/teams";

/// The services of Teams. Not all of `trafficmanager.net`: anybody can have a name there.
const HOSTS: [&str; 1] = ["smba.trafficmanager.net"];

/// Domains in which only Microsoft has names.
const DOMAINS: [&str; 2] = [".botframework.com", ".teams.microsoft.com"];

/// The services that may get our token.
pub(crate) struct Services {
    configured: Vec<Url>,
    /// Takes the place of every service.
    stand_in: Option<String>,
}

impl Services {
    pub(crate) fn new(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let unfit = || ConfigProblem::option(SERVICE_URLS.key, "one is no URL", "write them as https://host/path");
        let configured = settings.texts(SERVICE_URLS.key)?;
        let configured = configured.iter().map(|text| Url::parse(text).ok().filter(Url::has_host).ok_or_else(unfit));
        let mut configured: Vec<Url> = configured.collect::<Result<_, _>>()?;
        let stand_in = match settings.text(API_BASE_URL.key)? {
            Some(_) => Some(settings.base_url(DEFAULT_SERVICE)?),
            None => None,
        };
        configured.extend(stand_in.as_ref().and_then(|url| Url::parse(url).ok()));
        Ok(Self { configured, stand_in })
    }

    /// Whether this is a service of Teams.
    pub(crate) fn knows(&self, url: &Url) -> bool {
        let plain = url.username().is_empty() && url.password().is_none();
        let ours = self.configured.iter().any(|known| known.origin() == url.origin());
        let host = url.host_str().unwrap_or_default();
        let theirs = HOSTS.contains(&host) || DOMAINS.iter().any(|domain| host.ends_with(domain));
        plain && (ours || (theirs && url.scheme() == "https" && url.port().is_none()))
    }

    /// The same of a text.
    pub(crate) fn knows_text(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.knows(&url))
    }

    /// The URL of all conversations of the service that an address names; `None` where that is not one of Teams.
    pub(crate) fn conversations(&self, to: &ReplyAddress) -> Option<String> {
        let (_, service) = to.to.split_once('|').unwrap_or((&to.to, DEFAULT_SERVICE));
        let service = match &self.stand_in {
            Some(stand_in) => stand_in.as_str(),
            None => Some(service).filter(|service| self.knows_text(service))?,
        };
        Some(format!("{}/v3/conversations", service.trim_end_matches('/')))
    }

    /// The URL of the activities of a conversation; `None` where its service is not one of Teams or its id is no id.
    pub(crate) fn activities(&self, to: &ReplyAddress) -> Option<String> {
        let conversation = conversation(to);
        let conversation = match &to.thread {
            Some(thread) => format!("{conversation}{THREAD_MARK}{thread}"),
            None => conversation.to_owned(),
        };
        Some(format!("{}/{}/activities", self.conversations(to)?, segment(&conversation)?))
    }
}

/// The conversation that an address names.
pub(crate) fn conversation(to: &ReplyAddress) -> &str {
    to.to.split_once('|').map_or(&to.to, |(conversation, _)| conversation)
}

/// Whether that is a channel of a team: chats have no threads.
/// <https://learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/channel-and-group-conversations>
pub(crate) fn is_channel(to: &ReplyAddress) -> bool {
    let id = conversation(to);
    id.starts_with("19:") && [".tacv2", ".skype"].iter().any(|kind| id.ends_with(&format!("@thread{kind}")))
}

/// The words of an address.
pub(crate) fn written(conversation: &str, service: &str) -> String {
    format!("{conversation}|{}", service.trim_end_matches('/'))
}

/// An id as one segment of a path. `.` and `..` are no ids: they would climb.
pub(crate) fn segment(id: &str) -> Option<String> {
    let climbs = id.bytes().all(|byte| byte == b'.');
    let odd = id.chars().any(|c| c.is_control() || c.is_whitespace());
    if climbs || odd { None } else { Some(byte_serialize(id.as_bytes()).collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(configured: &[&str]) -> Services {
        Services { configured: configured.iter().map(|url| Url::parse(url).unwrap()).collect(), stand_in: None }
    }

    fn to(to: &str, thread: Option<&str>) -> ReplyAddress {
        let (channel, account) = (String::new(), String::new());
        ReplyAddress { channel, account, to: to.to_owned(), thread: thread.map(str::to_owned), message: None }
    }

    #[test]
    fn only_microsofts_services_and_configured_ones_get_our_token() {
        let services = services(&["https://gov.example/teams", "http://10.0.0.1:81"]);
        for good in [
            "https://smba.trafficmanager.net/amer/x/",
            "https://SMBA.trafficmanager.net",
            "https://europe.botframework.com/",
            "https://smba.infra.gcc.teams.microsoft.com/teams",
            "https://gov.example/anything",
            "http://10.0.0.1:81/x",
        ] {
            assert!(services.knows_text(good), "{good}");
        }
        for bad in [
            "http://smba.trafficmanager.net/",
            "https://smba.trafficmanager.net:8443/",
            "https://evil.trafficmanager.net/",
            "https://smba.trafficmanager.net.evil.example/",
            "https://smba.trafficmanager.net@evil.example/",
            "https://u:p@smba.trafficmanager.net/",
            "https://evilbotframework.com/",
            "https://botframework.com.evil.example/",
            "http://gov.example/teams",
            "http://10.0.0.1/",
            "//smba.trafficmanager.net",
            "",
        ] {
            assert!(!services.knows_text(bad), "{bad}");
        }
    }

    #[test]
    fn a_conversation_is_one_segment_at_its_service() {
        let services = services(&[]);
        let at = |id: &str, thread| services.activities(&to(id, thread));
        assert_eq!(
            at("19:a@thread.tacv2|https://smba.trafficmanager.net/emea/t", Some("17")).unwrap(),
            "https://smba.trafficmanager.net/emea/t/v3/conversations/19%3Aa%40thread.tacv2%3Bmessageid%3D17/activities"
        );
        assert_eq!(
            at("a:1/../2?x#y", None).unwrap(),
            "https://smba.trafficmanager.net/teams/v3/conversations/a%3A1%2F..%2F2%3Fx%23y/activities"
        );
        for bad in ["a|https://evil.example", "..", "", "a b", "a\n", "a|"] {
            assert_eq!(at(bad, None), None, "{bad}");
        }
        assert_eq!(written("a:1", "https://x/y/"), "a:1|https://x/y");
    }
}
