//! What is remembered of rooms between asking the homeserver and reading what it posted. An event does not say whether
//! its room is a direct chat, nor what anybody is called; the list of who is in the room does.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chela_core::clock::Millis;

/// How long a list of members is believed. A process that is told of every change forgets at once; another one may serve
/// the next request, so none believes it for long.
const FRESH_MS: u64 = 60_000;

/// Rooms that are remembered at most.
const MOST: usize = 1_000;

/// Invitations whose rooms' latest words are remembered at most: they are half a megabyte each in the worst case.
const MOST_INVITATIONS: usize = 100;

/// Who is in a room, and what they are called in it.
pub(crate) type Members = HashMap<String, Option<String>>;

struct Asked {
    members: Members,
    at: Millis,
}

/// The memory of one account.
#[derive(Default)]
pub(crate) struct Rooms {
    rooms: Mutex<HashMap<String, Asked>>,
    /// By the id of the invitation: what was said in the room between it and our joining, which no transaction brings.
    missed: Mutex<HashMap<String, Vec<String>>>,
}

impl Rooms {
    /// Whether the members of a room need not be asked for.
    pub(crate) fn knows(&self, room: &str, now: Millis) -> bool {
        locked(&self.rooms).get(room).is_some_and(|asked| asked.is_fresh(now))
    }

    /// Remembers who is in a room; nobody, if the homeserver would not say.
    pub(crate) fn learn(&self, room: &str, members: Members, now: Millis) {
        let mut rooms = locked(&self.rooms);
        if rooms.len() >= MOST {
            rooms.retain(|_, asked| asked.is_fresh(now));
        }
        if rooms.len() >= MOST {
            rooms.clear();
        }
        rooms.insert(room.to_owned(), Asked { members, at: now });
    }

    /// Somebody came or went.
    pub(crate) fn forget(&self, room: &str) {
        locked(&self.rooms).remove(room);
    }

    /// Whether these two, and nobody else, are in the room. What is not known is not a direct chat: in a room only those
    /// are answered whom the owner let in by name.
    pub(crate) fn is_direct(&self, room: &str, us: &str, other: &str, now: Millis) -> bool {
        let rooms = locked(&self.rooms);
        let members = rooms.get(room).filter(|asked| asked.is_fresh(now)).map(|asked| &asked.members);
        us != other
            && members
                .is_some_and(|members| members.len() == 2 && members.contains_key(us) && members.contains_key(other))
    }

    /// What the room calls somebody.
    pub(crate) fn name(&self, room: &str, user: &str) -> Option<String> {
        locked(&self.rooms).get(room)?.members.get(user)?.clone().filter(|name| !name.trim().is_empty())
    }

    /// Keeps what was said before we joined.
    pub(crate) fn keep_missed(&self, invitation: &str, events: Vec<String>) {
        let mut missed = locked(&self.missed);
        if missed.len() >= MOST_INVITATIONS {
            missed.clear();
        }
        missed.insert(invitation.to_owned(), events);
    }

    /// Gives it back. It stays, since the same request may be read twice.
    pub(crate) fn missed(&self, invitation: &str) -> Vec<String> {
        locked(&self.missed).get(invitation).cloned().unwrap_or_default()
    }
}

impl Asked {
    fn is_fresh(&self, now: Millis) -> bool {
        now.0.abs_diff(self.at.0) < FRESH_MS
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Rooms {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Rooms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(ids: &[&str]) -> Members {
        ids.iter().map(|id| ((*id).to_owned(), Some(format!("{id}'s name")))).collect()
    }

    #[test]
    fn two_are_a_direct_chat_and_everything_else_is_a_room() {
        let now = Millis(1_000_000);
        for (ids, direct) in [
            (vec!["us", "a"], true),
            (vec!["us", "a", "b"], false),
            (vec!["us", "b"], false),
            (vec!["a", "b"], false),
            (vec!["us"], false),
            (vec![], false),
        ] {
            let rooms = Rooms::default();
            assert!(!rooms.is_direct("!r", "us", "a", now), "what nobody asked for is a room");
            rooms.learn("!r", members(&ids), now);
            assert_eq!(rooms.is_direct("!r", "us", "a", now), direct, "{ids:?}");
        }
    }

    #[test]
    fn a_list_is_believed_for_a_minute_or_until_somebody_moves() {
        let (rooms, now) = (Rooms::default(), Millis(1_000_000));
        rooms.learn("!r", members(&["us", "a"]), now);
        assert!(rooms.knows("!r", now.plus(59_999)) && rooms.is_direct("!r", "us", "a", now.plus(59_999)));
        assert!(!rooms.knows("!r", now.plus(60_000)) && !rooms.is_direct("!r", "us", "a", now.plus(60_000)));
        assert_eq!(rooms.name("!r", "a").as_deref(), Some("a's name"));
        rooms.forget("!r");
        assert!(!rooms.knows("!r", now) && !rooms.is_direct("!r", "us", "a", now));
    }

    #[test]
    fn the_memory_has_an_end() {
        let rooms = Rooms::default();
        for at in 0..3_000_u64 {
            rooms.learn(&format!("!{at}"), Members::new(), Millis(at));
            rooms.keep_missed(&format!("${at}"), vec!["{}".to_owned()]);
        }
        assert!(locked(&rooms.rooms).len() <= MOST && locked(&rooms.missed).len() <= MOST_INVITATIONS);
        assert!(rooms.knows("!2999", Millis(3_000)) && rooms.missed("$2999").len() == 1);
    }
}
