//! Who wrote a note, and how far it can be believed. Both stand in an HTML comment below the note, on a line of its own,
//! which the lines of a note, being indented, never are. The comment is also how a repeated call finds its note.

use chela_core::queue::Authority;
use chela_core::session_key::SessionKey;
use chela_core::tool::Caller;
use sha2::{Digest, Sha256};

/// How far a note can be believed. Ordered: of two, the lower is the careful one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Somebody who is not the owner said it.
    Guest,
    /// The agent wrote it when nobody had asked: a schedule, a sub-agent.
    Agent,
    /// The owner said it, or wrote it.
    Owner,
}

impl Trust {
    /// Its word in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Agent => "agent",
            Self::Owner => "owner",
        }
    }

    /// What a word means; a word that means nothing is not believed.
    pub(crate) fn of_name(name: &str) -> Self {
        match name {
            "owner" => Self::Owner,
            "agent" => Self::Agent,
            _ => Self::Guest,
        }
    }
}

/// Who wrote something, and how far it can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `owner:<hash>`, `guest:<hash>`, `schedule`, `subagent`; empty for what was written by hand.
    pub author: String,
    /// How far.
    pub trust: Trust,
}

impl Origin {
    /// On whose behalf a turn writes.
    pub fn of(caller: &Caller, session: &SessionKey) -> Self {
        let (author, trust) = match (caller.authority, caller.senders.is_empty(), caller.depth) {
            (Authority::Guest, ..) => (format!("guest:{}", company(caller, session)), Trust::Guest),
            (Authority::Owner, false, _) => (format!("owner:{}", company(caller, session)), Trust::Owner),
            (Authority::Owner, true, 0) => ("schedule".to_owned(), Trust::Agent),
            (Authority::Owner, true, _) => ("subagent".to_owned(), Trust::Agent),
        };
        Self { author, trust }
    }

    /// Something in a file that nothing says more of.
    pub(crate) fn by_hand() -> Self {
        Self { author: String::new(), trust: Trust::Owner }
    }
}

/// A name for those whose words are in a turn, on their platform: the same people always have the same, and others,
/// also some of them with others, have another. A turn in which nobody spoke is its conversation's.
pub(crate) fn company(caller: &Caller, session: &SessionKey) -> String {
    let mut senders: Vec<&str> = caller.senders.iter().map(String::as_str).collect();
    senders.sort_unstable();
    if !senders.is_empty() {
        return company_of(caller.reply_to.as_ref().map_or("", |to| to.channel.as_str()), &senders);
    }
    let mut hash = Sha256::new();
    hash.update(b"session\0");
    hash.update(session.as_str());
    hex::encode(hash.finalize()).chars().take(16).collect()
}

/// The same of these people, in order, on a channel.
pub(crate) fn company_of(channel: &str, senders: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(channel);
    for sender in senders {
        hash.update(b"\0");
        hash.update(sender);
    }
    hex::encode(hash.finalize()).chars().take(16).collect()
}

const BEGIN: &str = "<!-- saved ";
const END: &str = " -->";

/// The comment below a note.
pub(crate) fn marker(key: &str, origin: &Origin) -> String {
    format!("{BEGIN}{}; author {}; trust {}{END}", plain(key), plain(&origin.author), origin.trust.name())
}

/// Whether a line is the comment of the call with this key.
pub(crate) fn marks(line: &str, key: &str) -> bool {
    read_marker(line).is_some_and(|(found, _)| found == plain(key))
}

/// The key and the origin in the comment below a note. Notes of the first form have only a key: they are the owner's.
pub(crate) fn read_marker(line: &str) -> Option<(String, Origin)> {
    let inside = line.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let mut parts = inside.split("; ");
    let key = parts.next()?.to_owned();
    let mut origin = Origin::by_hand();
    for part in parts {
        match part.split_once(' ') {
            Some(("author", author)) => origin.author = author.to_owned(),
            Some(("trust", trust)) => origin.trust = Trust::of_name(trust),
            _ => {}
        }
    }
    Some((key, origin))
}

/// A word that can end neither the comment nor its place in it.
fn plain(word: &str) -> String {
    word.chars().map(|c| if c.is_control() || matches!(c, ';' | '>' | '<') { '_' } else { c }).collect()
}

/// Where notes with a comment stand in a file: first and last line of each, from 1, and its origin.
pub(crate) struct Origins {
    notes: Vec<(usize, usize, Origin)>,
    otherwise: Origin,
}

impl Origins {
    /// Looks through a file. What guests' files hold is a guest's, whatever they say of it.
    pub(crate) fn of_file(text: &str, guests: bool) -> Self {
        let mut notes = Vec::new();
        let mut begin = 1;
        for (index, line) in text.split('\n').enumerate() {
            let number = index.saturating_add(1);
            if line.starts_with("- ") {
                begin = number;
            }
            if let Some((_, mut origin)) = read_marker(line) {
                if guests {
                    origin.trust = Trust::Guest;
                }
                notes.push((begin, number, origin));
                begin = number.saturating_add(1);
            }
        }
        let mut otherwise = Origin::by_hand();
        if guests {
            otherwise.trust = Trust::Guest;
        }
        Self { notes, otherwise }
    }

    /// The origin of these lines: the least trusted of all notes that reach into them.
    pub(crate) fn of_lines(&self, first: usize, last: usize) -> Origin {
        let within = self.notes.iter().filter(|(begin, end, _)| *begin <= last && first <= *end);
        within.map(|(.., origin)| origin).min_by_key(|origin| origin.trust).unwrap_or(&self.otherwise).clone()
    }
}

#[cfg(test)]
mod tests {
    use chela_core::message::ReplyAddress;

    use super::*;

    fn caller(authority: Authority, senders: &[&str], depth: u8) -> Caller {
        let reply_to = Some(ReplyAddress {
            channel: "telegram".into(),
            account: "default".into(),
            to: "room".into(),
            thread: None,
            message: None,
        });
        Caller {
            authority,
            senders: senders.iter().map(|id| (*id).to_owned()).collect(),
            reply_to,
            depth,
            ..Caller::default()
        }
    }

    #[test]
    fn the_origin_says_on_whose_behalf_a_turn_wrote() {
        let session = SessionKey::from_stored("agent:main:main");
        let of = |authority, senders: &[&str], depth| Origin::of(&caller(authority, senders, depth), &session);
        let owner = of(Authority::Owner, &["7"], 0);
        assert!(owner.author.starts_with("owner:") && owner.trust == Trust::Owner && !owner.author.contains('7'));
        assert_eq!(of(Authority::Owner, &[], 0), Origin { author: "schedule".into(), trust: Trust::Agent });
        assert_eq!(of(Authority::Owner, &[], 1), Origin { author: "subagent".into(), trust: Trust::Agent });
        let guest = of(Authority::Guest, &["8", "7"], 0);
        assert!(guest.author.starts_with("guest:") && guest.trust == Trust::Guest);
        assert_eq!(guest, of(Authority::Guest, &["7", "8"], 0));
        assert_ne!(guest, of(Authority::Guest, &["7"], 0), "one of them alone is another company");
        assert_eq!(of(Authority::Guest, &[], 1).trust, Trust::Guest);
    }

    #[test]
    fn the_same_name_on_another_platform_is_somebody_else() {
        let session = SessionKey::from_stored("agent:main:main");
        let mut there = caller(Authority::Guest, &["7"], 0);
        let here = company(&there, &session);
        if let Some(to) = &mut there.reply_to {
            to.channel = "slack".into();
        }
        assert_ne!(here, company(&there, &session));
        let nobody = caller(Authority::Guest, &[], 0);
        assert_ne!(company(&nobody, &session), company(&nobody, &SessionKey::from_stored("agent:main:other")));
    }

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        let origin = Origin { author: "guest:ab".into(), trust: Trust::Guest };
        let line = marker("k1", &origin);
        assert_eq!(line, "<!-- saved k1; author guest:ab; trust guest -->");
        assert_eq!(read_marker(&line), Some(("k1".into(), origin.clone())));
        assert!(marks(&line, "k1") && !marks(&line, "k") && !marks(&format!(" {line}"), "k1"));
        assert!(marks("<!-- saved k1 -->", "k1"), "notes of the first form count");
        let odd = marker("k; trust owner -->", &origin);
        assert_eq!(read_marker(&odd).unwrap().1, origin);
        assert!(marks(&odd, "k; trust owner -->"));
        assert_eq!(read_marker("<!-- saved k; trust root -->").unwrap().1.trust, Trust::Guest);
    }

    #[test]
    fn lines_have_the_origin_of_the_least_trusted_note_in_them() {
        let text = "# Day\n\n- 10:00 one\n<!-- saved a; author owner:1; trust owner -->\n\n- 11:00 two\n  more\n<!-- saved b; author schedule; trust agent -->\nby hand\n";
        let origins = Origins::of_file(text, false);
        assert_eq!(origins.of_lines(3, 4).author, "owner:1");
        assert_eq!(origins.of_lines(1, 6).trust, Trust::Agent);
        assert_eq!(origins.of_lines(7, 7).author, "schedule");
        assert_eq!(origins.of_lines(9, 9), Origin::by_hand());
        let guests = Origins::of_file(text, true);
        assert_eq!(guests.of_lines(3, 4), Origin { author: "owner:1".into(), trust: Trust::Guest });
        assert_eq!(guests.of_lines(9, 9).trust, Trust::Guest);
    }
}
