//! Old results of tools, shortened for the model. The stored ones stay as they are.
//!
//! A provider caches the beginning of what it is sent, so what was once sent must not change from step to step. Whether
//! and how far results are shortened ([`Stage`]) therefore follows from the turns before the one in progress alone: it
//! is the same in all its steps, and once reached it lasts until the next compaction, because the turns only grow. At a
//! new stage the cache is lost once; from then on only the results change that have just become old, near the end.

use std::collections::VecDeque;

use chela_core::model::{Block, ModelMessage, Role};
use chela_core::shown::Unseen;
use chela_core::turn::{PastTurn, tokens_of, tokens_of_block};

use crate::media::unsee;
use crate::settings::PruningSettings;

/// The newest pictures of results that stay at least. Those of messages are the user's, and keep the rest of the places.
const KEPT_PICTURES: usize = 3;

/// So many leave together.
const AT_ONCE: usize = 3;

/// How far results are shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Not at all.
    Whole,
    /// Long ones are trimmed.
    Trimmed,
    /// All are cleared.
    Cleared,
}

/// How far the results of these turns are shortened for a window of so many tokens.
pub(crate) fn stage<'a>(
    turns: impl Iterator<Item = &'a PastTurn>,
    window: u64,
    rules: Option<&PruningSettings>,
) -> Stage {
    let Some(rules) = rules else { return Stage::Whole };
    let (soft, hard) = (part(window, rules.soft_ratio), part(window, rules.hard_ratio));
    let (mut whole, mut old, mut still_long) = (0u64, 0u64, false);
    // The newest answers with what follows each: whole, and as if trimmed.
    let mut protected: VecDeque<(u64, u64)> = VecDeque::from([(0, 0)]);
    for turn in turns {
        for message in &turn.messages {
            if message.role == Role::Assistant {
                protected.push_back((0, 0));
            }
            while protected.len() > rules.keep_last_assistants.max(1) {
                old = old.saturating_add(protected.pop_front().map_or(0, |(_, trimmed)| trimmed));
            }
            let (full, short) = costs(message, rules);
            whole = whole.saturating_add(full);
            if let Some((all, trimmed)) = protected.back_mut() {
                *all = all.saturating_add(full);
                *trimmed = trimmed.saturating_add(short);
            }
        }
        // Looked at after each turn: a long result that is trimmed later must not take the stage back.
        let newest = protected.iter().fold(0u64, |sum, (all, _)| sum.saturating_add(*all));
        still_long |= old.saturating_add(newest) > hard;
    }
    match (whole > soft, still_long && rules.placeholder.is_some()) {
        (true, true) => Stage::Cleared,
        (true, false) => Stage::Trimmed,
        (false, _) => Stage::Whole,
    }
}

/// Shortens the results in these turns, but not those behind the newest answers, and no errors: they are short, and say
/// what not to try again.
pub(crate) fn prune(turns: &mut [PastTurn], stage: Stage, rules: Option<&PruningSettings>) {
    let (Some(rules), true) = (rules, stage > Stage::Whole) else { return };
    let answers = |turn: &PastTurn| turn.messages.iter().filter(|message| message.role == Role::Assistant).count();
    let mut old = turns.iter().map(answers).sum::<usize>().saturating_sub(rules.keep_last_assistants);
    for turn in turns {
        for message in &mut turn.messages {
            if message.role == Role::Assistant {
                if old == 0 {
                    turn.tokens = tokens_of(&turn.messages);
                    return;
                }
                old = old.saturating_sub(1);
            }
            message.blocks.iter_mut().for_each(|block| shorten(block, stage, rules));
        }
        turn.tokens = tokens_of(&turn.messages);
    }
}

/// Takes pictures out of old results, of these turns and of the one in progress, until the newest are left: a browser
/// that is looked at in every step would fill the window. They leave several at once, so that what a provider caches
/// changes in some steps and not in all.
pub(crate) fn without_old_pictures(turns: &mut [PastTurn], open: &mut [ModelMessage]) {
    let shown =
        |messages: &[ModelMessage]| messages.iter().flat_map(|message| &message.blocks).map(shown_by).sum::<usize>();
    let all = turns.iter().fold(shown(open), |sum, turn| sum.saturating_add(shown(&turn.messages)));
    let old = all.saturating_sub(KEPT_PICTURES);
    let mut left = old.saturating_sub(old % AT_ONCE);
    for turn in turns {
        if left > 0 && shown(&turn.messages) > 0 {
            take_pictures(&mut turn.messages, &mut left);
            turn.tokens = tokens_of(&turn.messages);
        }
    }
    take_pictures(open, &mut left);
}

fn shown_by(block: &Block) -> usize {
    if let Block::ToolResult { files, .. } = block { files.len() } else { 0 }
}

fn take_pictures(messages: &mut [ModelMessage], left: &mut usize) {
    for block in messages.iter_mut().flat_map(|message| &mut message.blocks) {
        let Block::ToolResult { text, files, .. } = block else { continue };
        unsee(text, files, |_| {
            let old = *left > 0;
            *left = left.saturating_sub(1);
            old.then_some(Unseen::Old)
        });
    }
}

fn shorten(block: &mut Block, stage: Stage, rules: &PruningSettings) {
    let Block::ToolResult { text, is_error: false, files, .. } = block else { return };
    if stage == Stage::Cleared {
        unsee(text, files, |_| Some(Unseen::Old));
    }
    match (stage, &rules.placeholder) {
        (Stage::Cleared, Some(placeholder)) if text.len() > placeholder.len() => placeholder.as_ref().clone_into(text),
        (Stage::Trimmed, _) => {
            if let Some(trimmed) = middle_left_out(text, rules.max_chars, rules.head_chars, rules.tail_chars) {
                *text = trimmed;
            }
        }
        _ => {}
    }
}

/// A text of more than `most` characters without its middle, and a word about what is left out; `None` if it is short.
pub(crate) fn middle_left_out(text: &str, most: usize, head: usize, tail: usize) -> Option<String> {
    text.char_indices().nth(most)?;
    let length = text.chars().count();
    let at = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let begin = text.get(..at(head)).unwrap_or_default();
    let end = text.get(at(length.saturating_sub(tail).max(head))..).unwrap_or_default();
    let left_out = length.saturating_sub(head.saturating_add(tail));
    Some(format!("{begin}\n[… {left_out} of {length} characters are left out here …]\n{end}"))
}

/// The tokens of a message, and those it had with its results trimmed.
fn costs(message: &ModelMessage, rules: &PruningSettings) -> (u64, u64) {
    message.blocks.iter().fold((0u64, 0u64), |(full, short), block| {
        let mut trimmed = block.clone();
        if let Block::ToolResult { files, .. } = &mut trimmed {
            // However many there were, only the newest are sent.
            files.clear();
        }
        let whole = tokens_of_block(&trimmed);
        shorten(&mut trimmed, Stage::Trimmed, rules);
        (full.saturating_add(whole), short.saturating_add(tokens_of_block(&trimmed)))
    })
}

#[allow(clippy::cast_precision_loss, clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a rough part")]
fn part(window: u64, ratio: f64) -> u64 {
    (window as f64 * ratio.clamp(0.0, 1.0)) as u64
}

#[cfg(test)]
mod tests {
    use chela_core::shown::StoredFile;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn turn(number: u64, result: &str, is_error: bool) -> PastTurn {
        let said = |role, blocks| ModelMessage { role, blocks };
        let id = || "a".to_owned();
        let messages = vec![
            said(Role::User, vec![Block::Text { text: format!("question {number}") }]),
            said(Role::Assistant, vec![Block::ToolUse { id: id(), name: "read".into(), input: json!({}) }]),
            said(Role::User, vec![Block::ToolResult { id: id(), text: result.into(), is_error, files: vec![] }]),
            said(Role::Assistant, vec![Block::Text { text: format!("answer {number}") }]),
        ];
        PastTurn { number, tokens: tokens_of(&messages), messages, ..PastTurn::default() }
    }

    fn results(turns: &[PastTurn]) -> Vec<String> {
        let blocks = turns.iter().flat_map(|turn| &turn.messages).flat_map(|message| &message.blocks);
        blocks
            .filter_map(|block| if let Block::ToolResult { text, .. } = block { Some(text.clone()) } else { None })
            .collect()
    }

    fn pruned(turns: &[PastTurn], window: u64) -> (Stage, Vec<PastTurn>) {
        let rules = PruningSettings::default();
        let stage = stage(turns.iter(), window, Some(&rules));
        let mut turns = turns.to_vec();
        prune(&mut turns, stage, Some(&rules));
        (stage, turns)
    }

    #[test]
    fn long_results_are_trimmed_beyond_the_soft_part_and_cleared_beyond_the_hard_one() {
        let long = format!("{}{}{}", "b".repeat(1_500), "m".repeat(10_000), "e".repeat(1_500));
        let turns: Vec<_> = (1..=6).map(|n| turn(n, &long, n == 2)).collect();
        let whole: u64 = turns.iter().map(|turn| turn.tokens).sum();

        let (stage, untouched) = pruned(&turns, whole * 4);
        assert_eq!((stage, &untouched), (Stage::Whole, &turns));

        let (stage, trimmed) = pruned(&turns, whole * 3);
        assert_eq!(stage, Stage::Trimmed);
        let texts = results(&trimmed);
        assert!(texts[0].starts_with(&"b".repeat(1_500)) && texts[0].ends_with(&"e".repeat(1_500)));
        assert!(texts[0].contains("10000 of 13000 characters are left out"), "{}", texts[0].len());
        assert_eq!(texts[1], long, "an error is kept");
        // The last three answers are those of turn 6 and the last of turn 5, so turn 5's result is old and turn 6's not.
        assert!(texts[4].len() < 4_000 && texts[5] == long);
        assert!(trimmed.iter().all(|turn| turn.tokens == tokens_of(&turn.messages)));

        let (stage, cleared) = pruned(&turns, whole * 3 / 4);
        assert_eq!(stage, Stage::Cleared);
        let texts = results(&cleared);
        assert_eq!(texts[0], "[Old tool result content cleared]");
        assert!(texts[1] == long && texts[5] == long);
    }

    fn showing(mut turn: PastTurn) -> PastTurn {
        for block in turn.messages.iter_mut().flat_map(|message| &mut message.blocks) {
            if let Block::ToolResult { files, .. } = block {
                files.push(StoredFile {
                    key: format!("media/main/{}.png", turn.number),
                    content_type: "image/png".into(),
                });
            }
        }
        turn.tokens = tokens_of(&turn.messages);
        turn
    }

    #[test]
    fn what_is_cleared_shows_nothing_and_pictures_do_not_shorten_words() {
        let long = "m".repeat(10_000);
        let turns: Vec<_> = (1..=6).map(|n| showing(turn(n, &long, false))).collect();
        let words: u64 = (1..=6).map(|n| turn(n, &long, false).tokens).sum();
        assert_eq!(pruned(&turns, words * 4).0, Stage::Whole, "as without pictures");
        let (stage, mut cleared) = pruned(&turns, words * 3 / 4);
        assert_eq!(stage, Stage::Cleared);
        let shown = |turns: &[PastTurn]| -> Vec<usize> {
            turns.iter().map(|turn| turn.messages.iter().flat_map(|said| &said.blocks).map(shown_by).sum()).collect()
        };
        assert_eq!(shown(&cleared), [0, 0, 0, 0, 0, 1]);
        without_old_pictures(&mut cleared, &mut []);
        assert_eq!(shown(&cleared), [0, 0, 0, 0, 0, 1]);
        let mut all = turns.clone();
        without_old_pictures(&mut all, &mut []);
        assert_eq!(shown(&all), [0, 0, 0, 1, 1, 1]);
        assert!(all.iter().all(|turn| turn.tokens == tokens_of(&turn.messages)));
    }

    #[test]
    fn without_rules_nothing_is_touched() {
        let turns = vec![turn(1, &"x".repeat(50_000), false); 8];
        assert_eq!(stage(turns.iter(), 1_000, None), Stage::Whole);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// What was sent once is sent again: a new turn never takes a stage back, and changes nothing that was shortened.
        #[test]
        fn a_stage_that_was_reached_lasts(lengths in prop::collection::vec((0..9_000usize, any::<bool>()), 1..12)) {
            let turns: Vec<_> = lengths.iter().zip(1..).map(|((n, bad), at)| turn(at, &"x ".repeat(*n), *bad)).collect();
            let mut before: Option<(Stage, Vec<PastTurn>)> = None;
            for upto in 1..=turns.len() {
                let (stage, now) = pruned(&turns[..upto], 10_000);
                if let Some((old_stage, old)) = &before {
                    prop_assert!(stage >= *old_stage);
                    // Two turns from the end nothing is protected any more.
                    let settled = old.len().saturating_sub(2);
                    if stage == *old_stage {
                        prop_assert_eq!(&now[..settled], &old[..settled]);
                    }
                }
                before = Some((stage, now));
            }
        }
    }
}
