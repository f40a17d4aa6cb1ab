//! What an answer needs of the message it answers: a reply token, which works once and for about a minute, and a quote
//! token, which works for ever. Both travel in [`ReplyAddress::message`].

use std::fmt::Write as _;

use chela_core::clock::Millis;
use chela_core::message::ReplyAddress;

/// How old a reply token may be when it is used: LINE takes it for one minute after it sent the event, and the request
/// needs its time too. <https://developers.line.biz/en/reference/messaging-api/#send-reply-message>
const LONGEST_LIFE_MS: u64 = 50_000;

const REPLY: &str = "reply";
const QUOTE: &str = "quote";

/// The tokens of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Means {
    /// A reply token, and when its event happened.
    pub(crate) reply: Option<(Millis, String)>,
    /// What quotes the message.
    pub(crate) quote: Option<String>,
}

impl Means {
    /// The tokens in an address; none where it is not one of ours.
    pub(crate) fn of(to: &ReplyAddress) -> Self {
        let mut means = Self::default();
        for word in to.message.as_deref().unwrap_or_default().split(' ') {
            match word.split_once(':') {
                Some((REPLY, rest)) => {
                    let token = rest.split_once(':').and_then(|(at, token)| Some((Millis(at.parse().ok()?), token)));
                    means.reply = token.map(|(at, token)| (at, token.to_owned()));
                }
                Some((QUOTE, token)) => means.quote = Some(token.to_owned()),
                _ => {}
            }
        }
        means
    }

    /// The tokens as an address carries them. A token of other characters than LINE's could not be read again; it is
    /// left out.
    pub(crate) fn written(&self) -> Option<String> {
        let fit = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let mut text = String::new();
        if let Some((at, token)) = self.reply.as_ref().filter(|(_, token)| fit(token)) {
            // Writing to a text cannot fail.
            let _ = write!(text, "{REPLY}:{}:{token}", at.0);
        }
        if let Some(token) = self.quote.as_ref().filter(|token| fit(token)) {
            let _ = write!(text, "{}{QUOTE}:{token}", if text.is_empty() { "" } else { " " });
        }
        (!text.is_empty()).then_some(text)
    }

    /// The reply token, if LINE still takes it.
    pub(crate) fn young_reply(&self, now: Millis) -> Option<&str> {
        let (at, token) = self.reply.as_ref()?;
        (now.since(*at) < LONGEST_LIFE_MS).then_some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(message: Option<String>) -> ReplyAddress {
        ReplyAddress { channel: "line".into(), account: "main".into(), to: "U1".into(), thread: None, message }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let reply = Some((Millis(1_700_000_000_000), "nHuy:1".to_owned()));
        let quote = Some("q3Pl-_".to_owned());
        for means in [
            Means::default(),
            Means { reply: reply.clone(), quote: None },
            Means { reply: None, quote: quote.clone() },
            Means { reply, quote },
        ] {
            assert_eq!(Means::of(&to(means.written())), means);
        }
    }

    #[test]
    fn other_words_are_no_tokens() {
        for odd in ["", "x", "reply", "reply:", "reply:x:y", "reply:1", "quoted:x", "133"] {
            assert_eq!(Means::of(&to(Some(odd.to_owned()))), Means::default(), "{odd}");
        }
        let odd = Means { reply: Some((Millis(1), "a quote:b".to_owned())), quote: Some("\u{e9}".to_owned()) };
        assert_eq!(odd.written(), None);
    }

    #[test]
    fn a_token_lives_fifty_seconds() {
        let means = Means { reply: Some((Millis(100_000), "t".to_owned())), quote: None };
        assert_eq!(means.young_reply(Millis(149_999)), Some("t"));
        assert_eq!(means.young_reply(Millis(150_000)), None);
        // LINE's clock may be ahead of ours.
        assert_eq!(means.young_reply(Millis(99_000)), Some("t"));
    }
}
