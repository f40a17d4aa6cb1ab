//! How fast messages may be edited. Telegram counts about 20 messages a minute in a group, edits among them
//! (<https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this>); whoever goes on is locked out of
//! the group for longer than any answer should wait. [`crate::LIMITS`] holds for private chats; rooms are slower, and two
//! answers in one room share its pace.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chela_core::clock::{Clock, Millis};

const ROOM_EDIT_EVERY_MS: u64 = 3_000;
const PRIVATE_EDIT_EVERY_MS: u64 = 1_000;

/// Least time between two edits in this chat.
pub(crate) fn edit_every(chat: &str) -> Duration {
    Duration::from_millis(if is_room(chat) { ROOM_EDIT_EVERY_MS } else { PRIVATE_EDIT_EVERY_MS })
}

/// Ids of private chats are positive; rooms have negative ones, or a name.
fn is_room(chat: &str) -> bool {
    !chat.bytes().all(|b| b.is_ascii_digit())
}

/// When each room was last edited in, by this process.
pub(crate) struct Pace {
    clock: Arc<dyn Clock>,
    rooms: Mutex<HashMap<String, Millis>>,
}

impl Pace {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, rooms: Mutex::default() }
    }

    /// Takes the turn to edit in this chat, or tells how long it is still another's.
    pub(crate) fn take(&self, chat: &str) -> Result<(), Duration> {
        if !is_room(chat) {
            return Ok(());
        }
        let now = self.clock.now();
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|_, last| now.since(*last) < ROOM_EDIT_EVERY_MS);
        match rooms.get(chat) {
            Some(last) => Err(Duration::from_millis(ROOM_EDIT_EVERY_MS.saturating_sub(now.since(*last)))),
            None => {
                rooms.insert(chat.to_owned(), now);
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Pace")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chela_testkit::clock::ManualClock;

    #[test]
    fn rooms_are_edited_every_three_seconds_and_people_as_often_as_the_limits_say() {
        let clock = Arc::new(ManualClock::at(Millis(10_000)));
        let pace = Pace::new(clock.clone());
        assert_eq!(pace.take("-100"), Ok(()));
        assert_eq!(pace.take("-200"), Ok(()));
        clock.advance(1_000);
        assert_eq!(pace.take("-100"), Err(Duration::from_secs(2)));
        clock.advance(2_000);
        assert_eq!(pace.take("-100"), Ok(()));
        assert_eq!((pace.take("7"), pace.take("7")), (Ok(()), Ok(())));
        assert_eq!(pace.rooms.lock().unwrap().len(), 1, "rooms at rest are forgotten");
    }
}
