//! IRC: one connection to one network.

pub mod line;
pub mod names;
mod pace;
mod render;
pub mod session;
mod talk;
mod voice;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_core::clock::Clock;
use chela_core::secret::Secret;
use tokio::sync::watch;

use crate::connection::{Connection, Ended};
use crate::store::Store;

pub use self::voice::IrcVoice;

/// What a network is told about us.
#[derive(Clone, Debug)]
pub struct IrcSettings {
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// A PEM file with authorities to trust beside the bundled ones.
    pub authorities: Option<PathBuf>,
    /// The nick we want.
    pub nick: String,
    /// The user name: ten letters and digits of it count.
    pub user: String,
    /// What WHOIS shows.
    pub real_name: String,
    /// What the server asks of everybody, where it does.
    pub server_password: Option<Secret>,
    /// The services account and its password.
    pub account: Option<(String, Secret)>,
    /// Channels to join.
    pub channels: Vec<String>,
    /// Messages that may be said at once.
    pub burst: u32,
    /// The pause between messages after that.
    pub every: Duration,
}

impl IrcSettings {
    /// Settings that suit most networks: TLS, no account, four messages at once and then one a second.
    pub fn new(host: &str, port: u16, nick: &str) -> Self {
        Self {
            host: host.to_owned(),
            port,
            tls: true,
            authorities: None,
            nick: nick.to_owned(),
            user: "chela".to_owned(),
            real_name: "Chela".to_owned(),
            server_password: None,
            account: None,
            channels: Vec::new(),
            burst: 4,
            every: Duration::from_secs(1),
        }
    }

    /// What cannot work, in words for the owner.
    pub fn problem(&self) -> Option<String> {
        let broken =
            |word: &str| word.is_empty() || word.contains([' ', ',', ':']) || word.chars().any(char::is_control);
        if broken(&self.nick) || self.nick.len() > 60 {
            return Some(format!("{:?} cannot be a nick", self.nick));
        }
        if let Some(channel) = self.channels.iter().find(|name| broken(&name.replace(':', "")) || name.len() > 200) {
            return Some(format!("{channel:?} cannot be a channel"));
        }
        let account = self.account.as_ref();
        if account.is_some_and(|(name, _)| broken(name)) {
            return Some("the account's name has a blank or a comma in it".to_owned());
        }
        let secrets = || self.server_password.iter().chain(account.map(|(_, password)| password));
        let free = [self.real_name.as_str(), self.host.as_str()].into_iter().chain(secrets().map(Secret::expose));
        if free.into_iter().any(|text| text.chars().any(char::is_control)) {
            return Some("a name or password has a line break or another control character in it".to_owned());
        }
        let here = ["localhost", "127.0.0.1", "::1"].contains(&self.host.as_str());
        if secrets().next().is_some() && !self.tls && !here {
            return Some("a password would go over the network in the clear: leave out --plain".to_owned());
        }
        None
    }

    /// The longest nick we may have: the length of messages must not depend on the one we happen to have, or a message
    /// would be cut at other places when it is said again.
    fn longest_nick(&self) -> usize {
        30.max(self.nick.len() + 3)
    }
}

/// The connection to a network.
pub struct Irc {
    settings: Arc<IrcSettings>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    voice: Arc<IrcVoice>,
}

impl Irc {
    /// A connection that is not made yet.
    pub fn new(settings: IrcSettings, store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        let settings = Arc::new(settings);
        let voice = Arc::new(IrcVoice::new(settings.clone(), store.clone()));
        Self { settings, store, clock, voice }
    }

    /// What takes its orders.
    pub fn voice(&self) -> Arc<IrcVoice> {
        self.voice.clone()
    }
}

#[async_trait]
impl Connection for Irc {
    fn name(&self) -> String {
        format!("irc {}", self.settings.host)
    }

    async fn hold(&mut self, stopping: &mut watch::Receiver<bool>) -> Ended {
        let ended = talk::talk(&self.settings, &self.store, &self.clock, &self.voice, stopping).await;
        self.voice.disconnected();
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_line_or_show_a_password_is_refused() {
        let good = || IrcSettings { channels: vec!["#a:b".to_owned()], ..IrcSettings::new("irc.example", 6697, "bot") };
        assert_eq!(good().problem(), None);
        let secret = || Some(("bot".to_owned(), Secret::new("pw")));
        let cases = [
            (IrcSettings { nick: "a b".to_owned(), ..good() }, "nick"),
            (IrcSettings { nick: String::new(), ..good() }, "nick"),
            (IrcSettings { nick: "a\nQUIT".to_owned(), ..good() }, "nick"),
            (IrcSettings { channels: vec!["#a,#b".to_owned()], ..good() }, "channel"),
            (IrcSettings { channels: vec!["#a key".to_owned()], ..good() }, "channel"),
            (IrcSettings { account: Some(("a b".to_owned(), Secret::new("x"))), ..good() }, "account"),
            (IrcSettings { server_password: Some(Secret::new("a\nQUIT")), ..good() }, "control"),
            (IrcSettings { real_name: "a\r".to_owned(), ..good() }, "control"),
            (IrcSettings { account: secret(), tls: false, ..good() }, "clear"),
        ];
        for (settings, word) in cases {
            assert!(settings.problem().is_some_and(|problem| problem.contains(word)), "{settings:?}");
        }
        let here = IrcSettings { account: secret(), tls: false, host: "127.0.0.1".to_owned(), ..good() };
        assert_eq!(here.problem(), None);
    }
}
