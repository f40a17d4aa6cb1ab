//! An answer that is sent in blocks while it grows, on channels that do not show it in another way.

use chela_core::chunk::block_end;
use chela_core::clock::Millis;
use chela_core::message::ReplyAddress;
use chela_core::queue::Authority;
use chela_core::reply::settled;
use chela_core::session::AssistantEntry;
use chela_core::turn::Way;

use crate::answer::Attempt;
use crate::blocks::{rest, unshown, without_private_files};
use crate::draft::Draft;
use crate::relay::is_relay;
use crate::settings::{AutoVoice, Blocks, Outlet};
use crate::voice::opened;

/// Blocks of one turn: each costs three writes, and a reader more patience than one long message.
const MOST_BLOCKS: usize = 24;

/// What has been sent of one growing answer.
pub(crate) struct Flow<'a> {
    blocks: Blocks,
    outlet: &'a Outlet,
    to: ReplyAddress,
    /// How long the text was when it last grew, and when that was.
    length: usize,
    grew_at: Millis,
}

impl<'a> Flow<'a> {
    /// `None` where answers are not sent so: files and voices come with whole answers, other conversations get reports,
    /// and a message that is edited shows more.
    pub(crate) fn of(attempt: &Attempt<'a>, outlet: &'a Outlet, now: Millis) -> Option<Self> {
        let blocks = outlet.blocks.filter(|blocks| blocks.growing)?;
        let Way::To { address, .. } = attempt.machine.way() else { return None };
        let edited = outlet.streaming && outlet.channel.limits(address).edit_every.is_some();
        let aloud = attempt.installation.media.aloud != AutoVoice::Off;
        (!edited && !aloud && !is_relay(address)).then(|| Self {
            blocks,
            outlet,
            to: address.clone(),
            length: 0,
            grew_at: now,
        })
    }

    /// The parts of the next block, if there is one. They count as sent from here on.
    pub(crate) fn next(&mut self, attempt: &Attempt<'_>, draft: &Draft, now: Millis) -> Option<Vec<String>> {
        let text = draft.text();
        if text.len() != self.length {
            (self.length, self.grew_at) = (text.len(), now);
        }
        let stopped = u128::from(now.since(self.grew_at)) >= self.blocks.idle.as_millis();
        let turn = attempt.machine.turn();
        let begun = turn.answers().last().is_some_and(AssistantEntry::is_block);
        if turn.answers().filter(|answer| answer.is_block()).count() >= MOST_BLOCKS {
            return None;
        }
        let (text, sent) = (settled(&text), draft.sent());
        let left = rest(&text, &sent);
        if left.len() == text.len() && !sent.is_empty() {
            return None; // It says something else now, or nothing more.
        }
        let (block, _) = left.split_at_checked(block_end(left, self.blocks.least, self.blocks.most, stopped)?)?;
        if !draft.send(block) {
            return None;
        }
        let before = unshown(turn.answers(), &[], false);
        let words =
            if before.is_empty() { block.trim_end().to_owned() } else { format!("{before}\n\n{}", block.trim_end()) };
        let guests = attempt.caller().authority == Authority::Guest;
        let words = if guests { without_private_files(&words) } else { words };
        let opening = attempt.settings.voice.opening(attempt.task()).filter(|_| !begun);
        Some(self.outlet.parts(&self.to, &opened(opening, words)))
    }
}
