//! `chela bridge`: holds a connection of a platform without webhooks, and posts what it hears to a gateway.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chela_bridge::connection::Connection;
use chela_bridge::discord::{Discord, DiscordSettings};
use chela_bridge::irc::{Irc, IrcSettings};
use chela_bridge::{Door, Poster, Store};
use chela_channel_kit::ProofKeys;
use chela_core::secret::Secret;
use chela_http::{HostPort, HttpClient, HttpOptions};
use clap::{Args, Subcommand};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::gateway::{interrupted, start_logging};
use crate::place::{Place, variable};
use crate::show::{FAINT, GOOD, note};

/// The bridge's own secret is as long as the channel asks for.
const SHORTEST_SECRET: usize = 16;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Bridge {
    #[command(subcommand)]
    platform: Platform,
}

#[derive(Debug, Subcommand)]
enum Platform {
    /// A network of IRC, for the channel `bridge`
    Irc(Box<IrcArgs>),
    /// Discord's Gateway, for the channel `discord`
    Discord(DiscordArgs),
}

/// What every bridge needs.
#[derive(Debug, Args)]
struct Common {
    /// The gateway's URL of the account, as `chela channels register` prints it
    #[arg(long, value_name = "URL")]
    to: String,
    /// The folder for what must survive a restart; each bridge has its own
    #[arg(long, value_name = "FOLDER")]
    state: PathBuf,
    /// A file with lines NAME=value, for secrets that are not in the environment
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Secrets, from the environment or the file of --secrets, never from arguments:
  BRIDGE_SECRET          shared with the account of the channel `bridge`
  IRC_PASSWORD           of the services account (--account), if there is one
  IRC_SERVER_PASSWORD    of the server, if it asks for one

Examples:
  chela bridge irc --server irc.libera.chat --nick agentbot --account agentbot \\
    --channel '#agentbot' --state ~/.chela/libera --listen 127.0.0.1:8090 \\
    --to http://127.0.0.1:18789/webhook/bridge/libera
  chela bridge irc --server irc.example.org:7000 --nick agentbot \\
    --state /var/lib/chela/own --secrets /etc/chela/own.env \\
    --to https://….lambda-url.eu-central-1.on.aws/webhook/bridge/own")]
struct IrcArgs {
    #[command(flatten)]
    common: Common,
    /// Host, and port if it is not 6697 (6667 with --plain)
    #[arg(long, value_name = "HOST[:PORT]")]
    server: String,
    /// The nick; where it is taken, underscores are added
    #[arg(long)]
    nick: String,
    /// A channel to join; several times for several
    #[arg(long = "channel", value_name = "CHANNEL")]
    channels: Vec<String>,
    /// The services account whose password is IRC_PASSWORD
    #[arg(long)]
    account: Option<String>,
    /// What WHOIS shows
    #[arg(long, default_value = "Chela", value_name = "TEXT")]
    real_name: String,
    /// Without TLS: for servers on this machine
    #[arg(long)]
    plain: bool,
    /// A PEM file with certificate authorities to trust beside the public ones
    #[arg(long, value_name = "FILE")]
    authorities: Option<PathBuf>,
    /// Where orders are taken; `bridgeUrl` of the account must lead here
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Messages said at once before the pace begins
    #[arg(long, default_value_t = 4, value_name = "COUNT")]
    burst: u32,
    /// Milliseconds between messages after that
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    every: u64,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Secrets, from the environment or the file of --secrets, never from arguments:
  BRIDGE_SECRET          shared with the account of the channel `discord`
  DISCORD_BOT_TOKEN      of the bot, from the developer portal

Examples:
  chela bridge discord --state ~/.chela/discord \\
    --to http://127.0.0.1:18789/webhook/discord
  chela bridge discord --state /var/lib/chela/discord --secrets /etc/chela/discord.env \\
    --to https://….lambda-url.eu-central-1.on.aws/webhook/discord")]
struct DiscordArgs {
    #[command(flatten)]
    common: Common,
    /// Without the privileged intent: in guilds only messages that mention the bot have a text
    #[arg(long)]
    without_message_content: bool,
}

impl Bridge {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        start_logging();
        match &self.platform {
            Platform::Irc(args) => args.run().await,
            Platform::Discord(args) => args.run().await,
        }
    }
}

impl IrcArgs {
    async fn run(&self) -> anyhow::Result<()> {
        let secrets = self.common.secrets()?;
        let settings = self.settings(&secrets)?;
        let store = self.common.store()?;
        let keys = secrets.keys()?;
        let listener = TcpListener::bind(self.listen).await;
        let listener =
            listener.with_context(|| format!("cannot listen on {}: choose another with --listen", self.listen))?;
        let irc = Irc::new(settings, store.clone(), Place::clock());
        let door = Door { keys: keys.clone(), clock: Place::clock(), voice: irc.voice() };
        note(&format!("{GOOD}Orders are taken at http://{}{GOOD:#}", listener.local_addr().unwrap_or(self.listen)));
        self.common.run(Box::new(irc), store, keys, Some((listener, door))).await
    }

    fn settings(&self, secrets: &Secrets) -> anyhow::Result<IrcSettings> {
        let standard = if self.plain { 6667 } else { 6697 };
        let (host, port) = match self.server.rsplit_once(':') {
            // More colons are an IPv6 address without a port.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().with_context(|| format!("{port:?} is no port"))?)
            }
            _ => (self.server.as_str(), standard),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let password = secrets.get("IRC_PASSWORD");
        let account = match (&self.account, password) {
            (Some(name), Some(password)) => Some((name.clone(), password)),
            (Some(_), None) => anyhow::bail!("--account needs its password in IRC_PASSWORD"),
            (None, _) => None,
        };
        let settings = IrcSettings {
            tls: !self.plain,
            authorities: self.authorities.clone(),
            real_name: self.real_name.clone(),
            server_password: secrets.get("IRC_SERVER_PASSWORD"),
            account,
            channels: self.channels.clone(),
            burst: self.burst,
            every: Duration::from_millis(self.every),
            ..IrcSettings::new(host, port, &self.nick)
        };
        match settings.problem() {
            Some(problem) => Err(anyhow::anyhow!(problem)),
            None => Ok(settings),
        }
    }
}

impl DiscordArgs {
    async fn run(&self) -> anyhow::Result<()> {
        let secrets = self.common.secrets()?;
        let token = secrets.get("DISCORD_BOT_TOKEN").context("DISCORD_BOT_TOKEN is missing")?;
        let (store, keys) = (self.common.store()?, secrets.keys()?);
        let settings = DiscordSettings { token, message_content: !self.without_message_content, gateway: None };
        let discord = Discord::new(&settings, store.clone(), Place::clock());
        self.common.run(Box::new(discord), store, keys, None).await
    }
}

impl Common {
    fn secrets(&self) -> anyhow::Result<Secrets> {
        self.secrets.as_deref().map_or_else(|| Ok(Secrets(String::new())), Secrets::read)
    }

    fn store(&self) -> anyhow::Result<Arc<Store>> {
        Ok(Arc::new(Store::open(&self.state).with_context(|| format!("cannot open {}", self.state.display()))?))
    }

    async fn run(
        &self,
        connection: Box<dyn Connection>,
        store: Arc<Store>,
        keys: ProofKeys,
        door: Option<(TcpListener, Door)>,
    ) -> anyhow::Result<()> {
        let options = HttpOptions {
            allow_hosts: vec![HostPort::of_url(&self.to)?],
            user_agent: concat!("chela-bridge/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_roots: None,
        };
        let waiting = store.waiting()?;
        let http = HttpClient::new(options)?;
        let poster = Poster { store, http, url: self.to.clone(), keys, clock: Place::clock() };
        note(&format!("{GOOD}{} is posted to {}{GOOD:#}", connection.name(), self.to));
        if waiting > 0 {
            note(&format!("  {FAINT}{waiting} messages still wait to be taken{FAINT:#}"));
        }
        let (stop, _) = watch::channel(false);
        let stopper = stop.clone();
        let signals = tokio::spawn(async move {
            interrupted().await;
            note(&format!("{FAINT}finishing what has begun …{FAINT:#}"));
            let _ = stopper.send(true);
        });
        let ran = chela_bridge::run(connection, poster, door, stop).await;
        signals.abort();
        Ok(ran?)
    }
}

/// Secrets of a file, before those of the environment.
struct Secrets(String);

impl Secrets {
    fn read(path: &Path) -> anyhow::Result<Self> {
        Ok(Self(std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?))
    }

    fn get(&self, name: &str) -> Option<Secret> {
        let lines = self.0.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let mut values = lines.filter_map(|line| line.split_once('=')).filter(|(found, _)| found.trim() == name);
        let value = values.next().map(|(_, value)| value.trim().trim_matches('"').to_owned());
        value.or_else(|| variable(name)).filter(|value| !value.trim().is_empty()).map(Secret::new)
    }

    fn keys(&self) -> anyhow::Result<ProofKeys> {
        let secret = self.get("BRIDGE_SECRET").context("BRIDGE_SECRET is missing: it is the secret of the account")?;
        let keys = ProofKeys::words(&secret).map_err(|unfit| anyhow::anyhow!("BRIDGE_SECRET: {unfit}"))?;
        anyhow::ensure!(
            keys.shortest() >= SHORTEST_SECRET,
            "BRIDGE_SECRET is short: make one with openssl rand -hex 32"
        );
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_secrets_is_read_line_by_line() {
        let secrets = Secrets("# comment\nA=1\n B = \"two words\" \nEMPTY=\nA=3\n#C=4\n".to_owned());
        let get = |name: &str| secrets.get(name).map(|secret| secret.expose().to_owned());
        assert_eq!((get("A").as_deref(), get("B").as_deref()), (Some("1"), Some("two words")));
        assert_eq!((get("EMPTY"), get("C"), get("NO_SUCH_VARIABLE_HERE")), (None, None, None));
    }

    #[test]
    fn short_and_missing_secrets_are_refused() {
        for (text, word) in [("", "missing"), ("BRIDGE_SECRET=short", "short")] {
            let refused = Secrets(text.to_owned()).keys().map(drop).unwrap_err().to_string();
            assert!(refused.contains(word), "{refused}");
        }
        assert!(Secrets("BRIDGE_SECRET=0123456789abcdef".to_owned()).keys().is_ok());
    }
}
