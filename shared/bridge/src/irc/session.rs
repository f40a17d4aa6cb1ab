//! What a server says and what follows from it: registration, capabilities, SASL, channels, messages. No socket, no
//! clock: lines in, acts out. <https://modern.ircdocs.horse>, <https://ircv3.net/irc/>

use std::collections::{BTreeSet, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chela_channel_kit::bridge::{BridgeAuthor, BridgeChat, BridgeChatKind, BridgeMessage};
use chela_core::clock::Millis;

use super::IrcSettings;
use super::line::Line;
use super::names::{Casemapping, mention, without_codes};

/// What is asked for where it is offered. `batch` is not: it would bring history, which was heard before.
const WANTED: [&str; 5] = ["message-tags", "server-time", "account-tag", "echo-message", "sasl"];

/// Our own messages whose replies are recognised.
const OWN_REMEMBERED: usize = 200;

/// An AUTHENTICATE line carries at most so many bytes of Base64: <https://ircv3.net/specs/extensions/sasl-3.1>.
const SASL_CHUNK: usize = 400;

/// Longest list of channels in one JOIN.
const JOIN_BYTES: usize = 400;

/// Before an id we made ourselves: servers do not know it.
pub const LOCAL: &str = "local:";

/// What follows from a line.
#[derive(Debug, PartialEq)]
pub enum Act {
    /// Write this line.
    Write(String),
    /// Somebody said something.
    Heard(Box<BridgeMessage>),
    /// The server knows us: we may speak.
    Registered,
    /// The server has read everything before the PING with this word.
    Pong(String),
    /// The server refuses to pass on what we said to this target.
    CannotSay {
        /// The target.
        target: String,
        /// The server's words.
        why: String,
    },
    /// The server ends the connection.
    Lost(String),
    /// The server will never take us like this.
    Hopeless(String),
}

/// One connection's memory.
pub struct Session<'s> {
    settings: &'s IrcSettings,
    nick: String,
    /// Nicks that were refused.
    refused: u32,
    registered: bool,
    offered: BTreeSet<String>,
    acked: BTreeSet<String>,
    identified: bool,
    casemapping: Casemapping,
    chantypes: String,
    statusmsg: String,
    own: VecDeque<String>,
}

impl<'s> Session<'s> {
    /// A session, and the lines that begin it.
    pub fn begin(settings: &'s IrcSettings) -> (Self, Vec<String>) {
        let session = Self {
            settings,
            nick: settings.nick.clone(),
            refused: 0,
            registered: false,
            offered: BTreeSet::new(),
            acked: BTreeSet::new(),
            identified: false,
            casemapping: Casemapping::default(),
            chantypes: "#&".to_owned(),
            statusmsg: String::new(),
            own: VecDeque::new(),
        };
        let mut lines = vec!["CAP LS 302".to_owned()];
        lines.extend(settings.server_password.as_ref().map(|password| format!("PASS :{}", password.expose())));
        lines.push(format!("NICK {}", settings.nick));
        // A user name over ten characters is cut anyway, and counts in every line that is passed on.
        let user: String = settings.user.chars().filter(char::is_ascii_alphanumeric).take(10).collect();
        let user = if user.is_empty() { "chela" } else { &user };
        lines.push(format!("USER {user} 0 * :{}", settings.real_name));
        (session, lines)
    }

    /// Our nick now.
    pub fn nick(&self) -> &str {
        &self.nick
    }

    /// Whether tags may be sent.
    pub fn tags(&self) -> bool {
        self.acked.contains("message-tags")
    }

    /// How names are compared here.
    pub fn casemapping(&self) -> Casemapping {
        self.casemapping
    }

    /// What follows from a line. `unique` deals names for messages that have none.
    pub fn receive(&mut self, line: &Line, now: Millis, unique: &dyn Fn() -> String) -> Vec<Act> {
        match line.command.as_str() {
            "PING" => vec![Act::Write(format!("PONG :{}", line.params.last().map_or("", String::as_str)))],
            "PONG" => vec![Act::Pong(line.params.last().cloned().unwrap_or_default())],
            "CAP" => self.capabilities(line),
            "AUTHENTICATE" if line.param(0) == "+" => self.authenticate(),
            "001" => self.welcomed(line),
            "005" => {
                self.supported(line);
                Vec::new()
            }
            "376" | "422" => self.join(),
            // The nick is taken, or not allowed: https://modern.ircdocs.horse/#errnicknameinuse-433
            "432" | "433" | "436" | "437" if !self.registered => self.another_nick(unique),
            "464" | "465" => vec![Act::Hopeless(format!("the server refuses us: {}", last(line)))],
            "900" | "903" | "907" => self.identified(line),
            "902" | "904" | "905" | "906" | "908" => self.unidentified(line),
            "401" | "403" | "404" | "408" | "437" | "442" | "477" if self.registered => {
                vec![Act::CannotSay { target: line.param(1).to_owned(), why: last(line).to_owned() }]
            }
            "471" | "473" | "474" | "475" | "476" => {
                tracing::warn!(channel = line.param(1), why = last(line), "a channel does not let us in");
                Vec::new()
            }
            "NICK" => self.renamed(line),
            "KICK" if self.casemapping.same(line.param(1), &self.nick) => {
                tracing::warn!(channel = line.param(0), "we were thrown out; the next connection joins again");
                Vec::new()
            }
            "ERROR" => vec![Act::Lost(format!("the server closes: {}", last(line)))],
            "PRIVMSG" => self.heard(line, now, unique).map(|heard| Act::Heard(Box::new(heard))).into_iter().collect(),
            // A NOTICE is never answered, so that two programs cannot talk forever: RFC 2812, 3.3.2.
            _ => Vec::new(),
        }
    }

    fn capabilities(&mut self, line: &Line) -> Vec<Act> {
        let list = || last(line).split(' ').filter(|name| !name.is_empty());
        match line.param(1) {
            "LS" => {
                self.offered
                    .extend(list().map(|offer| offer.split_once('=').map_or(offer, |(name, _)| name).to_owned()));
                if line.param(2) == "*" {
                    return Vec::new(); // More follows.
                }
                let sasl = self.settings.account.is_some();
                let wanted = WANTED.iter().filter(|name| self.offered.contains(**name) && (**name != "sasl" || sasl));
                let wanted: Vec<&str> = wanted.copied().collect();
                let asked =
                    if wanted.is_empty() { "CAP END".to_owned() } else { format!("CAP REQ :{}", wanted.join(" ")) };
                vec![Act::Write(asked)]
            }
            "ACK" => {
                self.acked.extend(list().map(|name| name.trim_start_matches('-').to_owned()));
                let next =
                    if self.acked.contains("sasl") && !self.registered { "AUTHENTICATE PLAIN" } else { "CAP END" };
                vec![Act::Write(next.to_owned())]
            }
            "NAK" if !self.registered => vec![Act::Write("CAP END".to_owned())],
            "DEL" => {
                self.acked.retain(|name| !list().any(|gone| gone == name));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// SASL PLAIN: <https://www.rfc-editor.org/rfc/rfc4616>. A last piece of exactly 400 bytes is followed by `+`.
    fn authenticate(&self) -> Vec<Act> {
        let Some((account, password)) = &self.settings.account else {
            return vec![Act::Write("AUTHENTICATE *".to_owned())];
        };
        let words = BASE64.encode(format!("\0{account}\0{}", password.expose()));
        let mut pieces: Vec<String> =
            words.as_bytes().chunks(SASL_CHUNK).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
        if words.len().is_multiple_of(SASL_CHUNK) {
            pieces.push("+".to_owned());
        }
        pieces.into_iter().map(|piece| Act::Write(format!("AUTHENTICATE {piece}"))).collect()
    }

    fn identified(&mut self, line: &Line) -> Vec<Act> {
        self.identified = true;
        // 900 says who we are now, 903 that the exchange is over.
        let over = line.command != "900" && !self.registered;
        over.then(|| Act::Write("CAP END".to_owned())).into_iter().collect()
    }

    fn unidentified(&self, line: &Line) -> Vec<Act> {
        match line.command.as_str() {
            // 908 lists mechanisms; 904 follows it.
            "908" => Vec::new(),
            "906" if !self.registered => vec![Act::Write("CAP END".to_owned())],
            _ => vec![Act::Hopeless(format!("the server does not accept account and password: {}", last(line)))],
        }
    }

    fn welcomed(&mut self, line: &Line) -> Vec<Act> {
        self.registered = true;
        if !line.param(0).is_empty() {
            self.nick = line.param(0).to_owned();
        }
        let mut acts = vec![Act::Registered];
        if let (Some((account, password)), false) = (&self.settings.account, self.identified) {
            // Without SASL there is the old way, which services of nearly every network know.
            acts.push(Act::Write(format!("PRIVMSG NickServ :IDENTIFY {account} {}", password.expose())));
        }
        acts
    }

    fn supported(&mut self, line: &Line) {
        for token in &line.params {
            match token.split_once('=') {
                Some(("CASEMAPPING", name)) => self.casemapping = Casemapping::named(name),
                Some(("CHANTYPES", types)) => self.chantypes = types.to_owned(),
                Some(("STATUSMSG", marks)) => self.statusmsg = marks.to_owned(),
                _ => {}
            }
        }
    }

    fn join(&self) -> Vec<Act> {
        let mut lines: Vec<String> = Vec::new();
        for channel in &self.settings.channels {
            match lines.last_mut() {
                Some(line) if line.len() + channel.len() < JOIN_BYTES => {
                    line.push(',');
                    line.push_str(channel);
                }
                _ => lines.push(format!("JOIN {channel}")),
            }
        }
        lines.into_iter().map(Act::Write).collect()
    }

    fn another_nick(&mut self, unique: &dyn Fn() -> String) -> Vec<Act> {
        self.refused += 1;
        // NICKLEN may cut the underscores off again; a short random nick always fits.
        self.nick = match self.refused {
            1..=3 => format!("{}_", self.nick),
            _ => format!("b{}", unique().chars().take(7).collect::<String>()),
        };
        vec![Act::Write(format!("NICK {}", self.nick))]
    }

    fn renamed(&mut self, line: &Line) -> Vec<Act> {
        if line.nick().is_some_and(|nick| self.casemapping.same(nick, &self.nick)) {
            self.nick = line.param(0).to_owned();
        }
        Vec::new()
    }

    fn heard(&mut self, line: &Line, now: Millis, unique: &dyn Fn() -> String) -> Option<BridgeMessage> {
        let nick = line.nick()?;
        let tag = |name: &str| line.tags.get(name).filter(|value| !value.is_empty());
        let msgid = tag("msgid");
        if self.casemapping.same(nick, &self.nick) {
            // Our echo tells the ids of what we said.
            self.own.extend(msgid.cloned());
            while self.own.len() > OWN_REMEMBERED {
                self.own.pop_front();
            }
            return None;
        }
        let text = said(nick, line.param(1))?;
        let target = line.param(0);
        let room =
            target.trim_start_matches(|c| self.statusmsg.contains(c)).starts_with(|c| self.chantypes.contains(c));
        if !room && !self.casemapping.same(target, &self.nick) {
            return None; // To a group of servers or operators: not to us.
        }
        let replies = tag("+draft/reply").or_else(|| tag("+reply"));
        let named = mention(&text, &self.nick, self.casemapping);
        let id = msgid.map_or_else(|| format!("{LOCAL}{}", unique()), Clone::clone);
        Some(BridgeMessage {
            ts_ms: tag("time").and_then(|time| written_at(time)).unwrap_or(now.0),
            chat: match room {
                true => BridgeChat { kind: BridgeChatKind::Group, id: self.casemapping.lower(target) },
                false => BridgeChat { kind: BridgeChatKind::Dm, id: nick.to_owned() },
            },
            thread: None,
            from: BridgeAuthor {
                id: tag("account").map_or_else(
                    || format!("nick:{}", self.casemapping.lower(nick)),
                    |name| format!("account:{}", self.casemapping.lower(name)),
                ),
                name: Some(nick.to_owned()),
                is_self: false,
                // https://ircv3.net/specs/extensions/bot-mode; servers prefix it while it is a draft.
                is_bot: line.tags.keys().any(|name| name == "bot" || name.ends_with("/bot")),
            },
            mentions_bot: named.is_some() || replies.is_some_and(|id| self.own.contains(id)),
            text: named.unwrap_or(text),
            reply_to: replies.cloned(),
            message_id: None,
            edited: false,
            attachments: Vec::new(),
            guild: None,
            parent: None,
            roles: Vec::new(),
            id,
        })
    }
}

/// What a PRIVMSG says; `None` for CTCP questions, which are for programs.
/// <https://modern.ircdocs.horse/ctcp>
fn said(nick: &str, text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('\u{1}') {
        let action = inner.strip_suffix('\u{1}').unwrap_or(inner).strip_prefix("ACTION ")?;
        return Some(format!("* {nick} {}", without_codes(action).trim()));
    }
    let text = without_codes(text).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// `server-time`: <https://ircv3.net/specs/extensions/server-time>.
fn written_at(time: &str) -> Option<u64> {
    let time: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().filter(|millis| *millis > 0)
}

fn last(line: &Line) -> &str {
    line.params.last().map_or("", String::as_str)
}

#[cfg(test)]
mod tests;
