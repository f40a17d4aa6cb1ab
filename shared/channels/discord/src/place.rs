//! Where an answer goes. [`ReplyAddress::to`] is one of
//!
//! - `<channel>` or `channel:<channel>`: a channel, thread or direct message of ours,
//! - `user:<user>`: the direct messages with a person,
//! - `<channel>/<application>/<interaction>/<token>/<marks>`: what an interaction opened for a quarter of an hour. The
//!   token is in `to` and not in `message`, so that two commands are never answered by one answer: each shows
//!   "thinking…" until its own answer is there.

use std::time::Duration;

use chela_core::clock::Millis;
use chela_core::message::ReplyAddress;

/// The first millisecond of Discord. <https://docs.discord.com/developers/reference#snowflakes>
const EPOCH_MS: u64 = 1_420_070_400_000;

/// How long an interaction's token lives, less a quarter of a minute for the way there.
/// <https://docs.discord.com/developers/interactions/receiving-and-responding#followup-messages>
const TOKEN_LIVES_MS: u64 = 15 * 60 * 1000 - 15_000;

/// Marks an interaction whose acknowledgement promised an answer.
const PROMISED: char = 'p';

/// Marks an interaction in a place where the bot itself cannot write.
const GUEST: char = 'g';

/// An address, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// The room.
    pub(crate) room: Room<'a>,
    /// The interaction that is being answered.
    pub(crate) interaction: Option<Interaction<'a>>,
}

/// A room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room<'a> {
    /// By the id of the channel.
    Channel(&'a str),
    /// The direct messages with the person of this id.
    User(&'a str),
}

/// What an interaction lets us do without being a member of the room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interaction<'a> {
    /// Our application.
    pub(crate) application: &'a str,
    /// The interaction, which tells its time.
    pub(crate) id: &'a str,
    /// Speaks for the interaction.
    pub(crate) token: &'a str,
    /// Whether the acknowledgement promised an answer, which now is a message that says "thinking…".
    pub(crate) promised: bool,
    /// Whether the bot itself cannot write in the room.
    pub(crate) guest: bool,
}

impl std::fmt::Debug for Interaction<'_> {
    /// Without the token.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Interaction({})", self.id)
    }
}

impl<'a> Place<'a> {
    /// Reads an address; `None` if it is none of ours. Every part of it goes into the path of a URL, so nothing but ids
    /// and tokens is taken.
    pub(crate) fn read(address: &'a ReplyAddress) -> Option<Self> {
        let (to, interaction) = match address.to.split_once('/') {
            Some((to, rest)) => (to, Some(Interaction::read(rest)?)),
            None => (address.to.as_str(), None),
        };
        let room = match (address.thread.as_deref(), to.strip_prefix("user:")) {
            (Some(thread), _) => Room::Channel(thread),
            (None, Some(user)) => Room::User(user),
            (None, None) => Room::Channel(to.strip_prefix("channel:").unwrap_or(to)),
        };
        let (Room::Channel(id) | Room::User(id)) = room;
        is_snowflake(id).then_some(Self { room, interaction })
    }

    /// Whether the bot itself cannot write there.
    pub(crate) fn is_guest(&self) -> bool {
        self.interaction.is_some_and(|interaction| interaction.guest)
    }
}

impl<'a> Interaction<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split('/');
        let (application, id, token, marks) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let whole = parts.next().is_none() && is_snowflake(application) && is_snowflake(id) && is_token(token);
        whole.then(|| Self { application, id, token, promised: marks.contains(PROMISED), guest: marks.contains(GUEST) })
    }

    /// The address that [`Place::read`] reads; `None` if it would not.
    pub(crate) fn to(&self, channel: &str) -> Option<String> {
        let Self { application, id, token, promised, guest } = *self;
        let marks: String = [(promised, PROMISED), (guest, GUEST)].iter().filter(|m| m.0).map(|m| m.1).collect();
        let fit = [channel, application, id].into_iter().all(is_snowflake) && is_token(token);
        fit.then(|| format!("{channel}/{application}/{id}/{token}/{marks}"))
    }

    /// How long ago it was.
    pub(crate) fn age(&self, now: Millis) -> Duration {
        Duration::from_millis(written_at(self.id).map_or(u64::MAX, |at| now.since(at)))
    }

    /// Whether its token still works.
    pub(crate) fn is_alive(&self, now: Millis) -> bool {
        self.age(now) < Duration::from_millis(TOKEN_LIVES_MS)
    }
}

/// When the thing of this id came to be; `None` if it is no id.
pub(crate) fn written_at(snowflake: &str) -> Option<Millis> {
    let id: u64 = snowflake.parse().ok().filter(|_| is_snowflake(snowflake))?;
    Some(Millis((id >> 22).saturating_add(EPOCH_MS)))
}

/// Whether this is an id: digits, and nothing that could change a path.
pub(crate) fn is_snowflake(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether this can be a token in a path. What Discord says of its form is nothing; what it sends is Base64.
pub(crate) fn is_token(token: &str) -> bool {
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=+.~:".contains(&byte);
    !token.is_empty() && token.bytes().all(fit) && token.bytes().any(|byte| byte != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(to: &str, thread: Option<&str>) -> ReplyAddress {
        ReplyAddress {
            channel: crate::ID.to_owned(),
            account: "main".to_owned(),
            to: to.to_owned(),
            thread: thread.map(str::to_owned),
            message: None,
        }
    }

    #[test]
    fn rooms_are_told_apart() {
        let room = |to: &str, thread| Place::read(&address(to, thread)).map(|place| format!("{:?}", place.room));
        assert_eq!(room("7", None).as_deref(), Some("Channel(\"7\")"));
        assert_eq!(room("channel:7", None).as_deref(), Some("Channel(\"7\")"));
        assert_eq!(room("user:7", None).as_deref(), Some("User(\"7\")"));
        assert_eq!(room("7", Some("8")).as_deref(), Some("Channel(\"8\")"));
    }

    #[test]
    fn nothing_that_could_change_a_path_is_an_address() {
        let bad = [
            "",
            "general",
            "user:",
            "user:ada",
            "7?x",
            "../7",
            "-7",
            "7/1/2",
            "7/1/2/t",
            "7/1/2/t/p/x",
            "7/1/2/../p",
            "7/1/2/a?b/p",
            "7/1/2/a%2e/p",
            "7/x/2/t/p",
            "7/1/x/t/p",
            "123456789012345678901",
        ];
        for to in bad {
            assert_eq!(Place::read(&address(to, None)), None, "{to}");
        }
        assert_eq!(Place::read(&address("7", Some("../8"))), None);
    }

    #[test]
    fn an_interaction_comes_back_as_it_was_written() {
        for (promised, guest) in [(true, false), (true, true), (false, true), (false, false)] {
            let written = Interaction { application: "1", id: "2", token: "aW50-_.~=", promised, guest };
            let address = address(&written.to("7").unwrap(), None);
            let place = Place::read(&address).unwrap();
            assert_eq!((place.room, place.interaction), (Room::Channel("7"), Some(written)));
            assert_eq!(place.is_guest(), guest);
            assert!(!format!("{place:?}").contains("aW50"));
        }
        assert_eq!(Interaction { application: "1", id: "2", token: "a/b", promised: true, guest: false }.to("7"), None);
    }

    #[test]
    fn the_documented_snowflake_tells_its_time() {
        // https://docs.discord.com/developers/reference#snowflakes
        assert_eq!(written_at("175928847299117063"), Some(Millis(1_462_015_105_796)));
        assert_eq!(written_at("x"), None);
    }

    #[test]
    fn a_token_dies_before_its_quarter_of_an_hour_is_over() {
        let it = Interaction { application: "1", id: "175928847299117063", token: "t", promised: true, guest: false };
        let at = |ms: u64| it.is_alive(Millis(1_462_015_105_796).plus(ms));
        assert!(at(0) && at(14 * 60 * 1000) && !at(15 * 60 * 1000 - 10_000) && !at(60 * 60 * 1000));
    }
}
