//! What an account is told: where its homeserver is, who it is there, and whom it follows into rooms.

use std::collections::BTreeSet;

use chela_channel_kit::{AccountSettings, ConfigProblem, OptionSpec, ProofKeys, SecretSpec};
use chela_core::secret::Secret;
use serde_json::Value;
use url::Url;

/// Authorises what we send.
pub(crate) const AS_TOKEN: SecretSpec = SecretSpec {
    key: "asToken",
    env: "MATRIX_AS_TOKEN",
    doc: "A random word of your own, `as_token` in the registration file: make it with `openssl rand -hex 32`.",
    required: true,
};

/// Proves what the homeserver sends.
pub(crate) const HS_TOKEN: SecretSpec = SecretSpec {
    key: "hsToken",
    env: "MATRIX_HS_TOKEN",
    doc: "Another random word of your own, `hs_token` in the registration file; several, separated by a space, while you rotate it, the new one first.",
    required: true,
};

pub(crate) const HOMESERVER: OptionSpec =
    OptionSpec { key: "homeserver", doc: "Base URL of the homeserver's client API: `https://matrix.example.org`." };

pub(crate) const USER_ID: OptionSpec =
    OptionSpec { key: "userId", doc: "The bot's full user id: `@agent:example.org`." };

pub(crate) const APPSERVICE_ID: OptionSpec =
    OptionSpec { key: "appserviceId", doc: "`id` in the registration file; `chela` if left out." };

pub(crate) const AUTO_JOIN: OptionSpec = OptionSpec {
    key: "autoJoin",
    doc: "Whose invitations are accepted: `server` (people of the bot's own homeserver; the default), `always`, `allowlist` or `off`.",
};

pub(crate) const AUTO_JOIN_ALLOWLIST: OptionSpec = OptionSpec {
    key: "autoJoinAllowlist",
    doc: "User ids, room ids and names of servers whose invitations are accepted too, unless `autoJoin` is `off`.",
};

pub(crate) const DIRECT_ROOMS: OptionSpec = OptionSpec {
    key: "directRooms",
    doc: "Ids of rooms that are direct chats although more than two are in them, such as those of a bridge.",
};

pub(crate) const MAX_AGE_HOURS: OptionSpec = OptionSpec {
    key: "maxAgeHours",
    doc: "Messages written longer ago are ignored: what a homeserver catches up with after an outage. 24 if left out, 0 for no limit.",
};

pub(crate) const DEVICE_ID: OptionSpec = OptionSpec {
    key: "deviceId",
    doc: "The device the bot sends as, so that the homeserver knows a repeated message also after a restart; `CHELA` if left out, `\"\"` for none.",
};

/// Hours after which a message is history.
const DEFAULT_MAX_AGE_HOURS: u64 = 24;

const HOUR_MS: u64 = 60 * 60 * 1000;

/// Who we are on the homeserver.
#[derive(Clone, Debug)]
pub(crate) struct Me {
    /// `@localpart:server`.
    pub(crate) user_id: String,
    /// Between `@` and the first `:`.
    pub(crate) localpart: String,
    /// After it.
    pub(crate) server: String,
}

impl Me {
    fn new(user_id: &str) -> Result<Self, ConfigProblem> {
        let parts = user_id.strip_prefix('@').and_then(|rest| rest.split_once(':'));
        match parts {
            Some((localpart, server)) if is_localpart(localpart) && is_server(server) => {
                Ok(Self { user_id: user_id.to_owned(), localpart: localpart.to_owned(), server: server.to_owned() })
            }
            _ => Err(ConfigProblem::option(USER_ID.key, "it is no user id", "write it as @localpart:server")),
        }
    }

    /// Whether this user is us, or one of the users that the registration reserves for us.
    pub(crate) fn owns(&self, user_id: &str) -> bool {
        let reserved = || {
            let rest = user_id.strip_prefix('@')?.strip_prefix(&self.localpart)?.strip_prefix('_')?;
            rest.strip_suffix(&self.server)?.strip_suffix(':')
        };
        user_id == self.user_id || reserved().is_some()
    }
}

/// The characters of a localpart that need no quotes anywhere. <https://spec.matrix.org/v1.16/appendices/#user-identifiers>
fn is_localpart(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._=-/+".contains(&b))
}

/// <https://spec.matrix.org/v1.16/appendices/#server-name>
fn is_server(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b))
}

/// Whose invitations are accepted.
#[derive(Clone, Debug)]
pub(crate) struct AutoJoin {
    mode: JoinMode,
    listed: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JoinMode {
    Server,
    Always,
    Allowlist,
    Off,
}

impl AutoJoin {
    fn new(mode: Option<&str>, listed: Vec<String>) -> Result<Self, ConfigProblem> {
        let mode = match mode {
            None | Some("server") => JoinMode::Server,
            Some("always") => JoinMode::Always,
            Some("allowlist") => JoinMode::Allowlist,
            Some("off") => JoinMode::Off,
            Some(_) => {
                return Err(ConfigProblem::option(
                    AUTO_JOIN.key,
                    "it is none of the words it may be",
                    "write \"server\", \"always\", \"allowlist\" or \"off\"",
                ));
            }
        };
        Ok(Self { mode, listed: listed.into_iter().filter(|name| !name.trim().is_empty()).collect() })
    }

    /// Whether we follow this person into this room.
    pub(crate) fn allows(&self, me: &Me, inviter: &str, room: &str) -> bool {
        let server = inviter.split_once(':').map_or("", |(_, server)| server);
        let listed = || [inviter, room, server].iter().any(|name| self.listed.contains(*name));
        match self.mode {
            JoinMode::Off => false,
            JoinMode::Always => true,
            JoinMode::Server => server == me.server || listed(),
            JoinMode::Allowlist => listed(),
        }
    }
}

/// All of it.
pub(crate) struct Settings {
    pub(crate) account: String,
    pub(crate) homeserver: Url,
    pub(crate) me: Me,
    pub(crate) appservice: String,
    pub(crate) auto_join: AutoJoin,
    pub(crate) direct_rooms: BTreeSet<String>,
    /// Milliseconds; `None` for no limit.
    pub(crate) max_age: Option<u64>,
    pub(crate) device: Option<String>,
    pub(crate) as_token: Secret,
    pub(crate) keys: ProofKeys,
}

impl Settings {
    pub(crate) fn read(settings: &AccountSettings) -> Result<Self, ConfigProblem> {
        let required = |spec: &OptionSpec, fix: &str| {
            let text = settings.text(spec.key)?.filter(|text| !text.trim().is_empty());
            text.ok_or_else(|| ConfigProblem::option(spec.key, "it is missing", fix))
        };
        let keys = ProofKeys::words(settings.secret(&HS_TOKEN)?).map_err(|u| ConfigProblem::key(&HS_TOKEN, u))?;
        let as_token = settings.secret(&AS_TOKEN)?.expose().trim();
        if as_token.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(ConfigProblem::secret(AS_TOKEN.key, "it is not one word", "the homeserver knows only one"));
        }
        let homeserver = homeserver(required(&HOMESERVER, "write it as https://host[:port]")?)?;
        let device = settings.text(DEVICE_ID.key)?.unwrap_or("CHELA").trim();
        Ok(Self {
            account: settings.account.clone(),
            homeserver,
            me: Me::new(required(&USER_ID, "write it as @localpart:server")?.trim())?,
            appservice: settings.text(APPSERVICE_ID.key)?.unwrap_or("chela").trim().to_owned(),
            auto_join: AutoJoin::new(settings.text(AUTO_JOIN.key)?, settings.texts(AUTO_JOIN_ALLOWLIST.key)?)?,
            direct_rooms: settings.texts(DIRECT_ROOMS.key)?.into_iter().collect(),
            max_age: max_age(settings.options.get(MAX_AGE_HOURS.key))?,
            device: Some(device.to_owned()).filter(|device| !device.is_empty()),
            as_token: Secret::new(as_token),
            keys,
        })
    }
}

fn homeserver(text: &str) -> Result<Url, ConfigProblem> {
    let unfit = |what| ConfigProblem::option(HOMESERVER.key, what, "write it as https://host[:port]");
    let url = Url::parse(text.trim()).map_err(|_| unfit("it is not a URL"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(unfit("its scheme is not https"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(unfit("it carries more than a host and a path"));
    }
    Ok(url)
}

fn max_age(value: Option<&Value>) -> Result<Option<u64>, ConfigProblem> {
    let hours = match value {
        None | Some(Value::Null) => DEFAULT_MAX_AGE_HOURS,
        Some(value) => value.as_u64().ok_or_else(|| {
            ConfigProblem::option(MAX_AGE_HOURS.key, "it is no whole number", "write hours, 0 for no limit")
        })?,
    };
    Ok(Some(hours.saturating_mul(HOUR_MS)).filter(|ms| *ms > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_user_id_has_both_its_parts() {
        let me = Me::new("@agent:hs.local:8448").unwrap();
        assert_eq!((me.localpart.as_str(), me.server.as_str()), ("agent", "hs.local:8448"));
        for bad in
            ["agent", "@agent", "@:hs", "@agent:", "agent:hs", "@a gent:hs", "@agent:h s", "@Agent:hs", "@a'b:hs"]
        {
            assert!(Me::new(bad).unwrap_err().to_string().contains("userId"), "{bad}");
        }
    }

    #[test]
    fn ours_are_we_and_the_users_reserved_for_us() {
        let me = Me::new("@agent:hs.local").unwrap();
        for (user, owned) in [
            ("@agent:hs.local", true),
            ("@agent_x:hs.local", true),
            ("@agent_:hs.local", true),
            ("@agent2:hs.local", false),
            ("@agent:other", false),
            ("@agent_x:hs.local.evil", false),
            ("@agent_x:other", false),
            ("agent_x:hs.local", false),
        ] {
            assert_eq!(me.owns(user), owned, "{user}");
        }
    }

    #[test]
    fn invitations_of_strangers_are_not_followed_unless_the_owner_says_so() {
        let me = Me::new("@agent:hs").unwrap();
        let allows = |mode, listed: &[&str], inviter| {
            let listed = listed.iter().map(|s| (*s).to_owned()).collect();
            AutoJoin::new(mode, listed).unwrap().allows(&me, inviter, "!r:hs")
        };
        assert!(allows(None, &[], "@alice:hs") && !allows(None, &[], "@mallory:evil"));
        assert!(!allows(None, &["@mallory:evil"], "@eve:evil") && allows(None, &["evil"], "@eve:evil"));
        assert!(allows(Some("always"), &[], "@mallory:evil"));
        assert!(!allows(Some("allowlist"), &[], "@alice:hs") && allows(Some("allowlist"), &["!r:hs"], "@alice:hs"));
        assert!(!allows(Some("off"), &["@alice:hs", "hs", "!r:hs"], "@alice:hs"));
        assert!(!allows(Some("allowlist"), &[""], "nobody"), "a sender without a server is on no server");
        assert!(AutoJoin::new(Some("yes"), vec![]).unwrap_err().to_string().contains("autoJoin"));
    }

    #[test]
    fn the_age_of_history_is_hours() {
        assert_eq!(max_age(None), Ok(Some(24 * HOUR_MS)));
        assert_eq!((max_age(Some(&json!(0))), max_age(Some(&json!(2)))), (Ok(None), Ok(Some(2 * HOUR_MS))));
        assert!(max_age(Some(&json!("2h"))).is_err() && max_age(Some(&json!(-1))).is_err());
    }

    #[test]
    fn a_homeserver_is_a_place_and_nothing_more() {
        assert_eq!(homeserver("http://127.0.0.1:8008/").unwrap().as_str(), "http://127.0.0.1:8008/");
        for bad in ["matrix.org", "ftp://x", "https://u:p@x", "https://x/?k=1", "https://x/#f"] {
            assert!(homeserver(bad).unwrap_err().to_string().contains("homeserver"), "{bad}");
        }
    }
}
