//! `/agents`, `/subagents`: who else works here.

use std::collections::BTreeMap;

use chela_core::clock::Millis;
use chela_core::directory::Listing;
use chela_core::model::Block;
use chela_core::session::{Control, EntryBody, StoreError};
use chela_core::turn::Reply;

use super::{Asked, quoted, say, usage};
use crate::answer::Agent;

/// Sub-agents that are listed, newest first.
const LISTED: usize = 20;

/// Entries of a sub-agent's transcript that are looked at, the newest.
const LOGGED: usize = 40;

/// Characters of its log that are shown, the last.
const LOG_CHARS: usize = 3_000;

pub(super) fn agents(asked: &Asked<'_>) -> String {
    let agents: BTreeMap<_, _> = asked.attempt.installation.agents.iter().collect();
    let lines = agents.into_iter().map(|(id, settings)| {
        let model = settings.models.first().map_or("no model", |choice| choice.name.as_str());
        let here = if id == asked.attempt.agent { " – answers here" } else { "" };
        format!("- {id} ({model}){here}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl Agent {
    pub(super) async fn subagents(&self, asked: &Asked<'_>) -> Result<Reply, StoreError> {
        let mut children = self.directory.children(asked.attempt.machine.session(), LISTED).await?;
        children.retain(|child| !child.archived(self.clock.now(), asked.attempt.settings.archive_after));
        let (what, number) = asked.spoken.first();
        if what.is_empty() || what == "list" {
            return Ok(say(self.listed(&children)));
        }
        let Ok(number) = number.trim().trim_start_matches('#').parse::<usize>() else {
            return Ok(usage(asked.spoken.spec));
        };
        let Some(child) = number.checked_sub(1).and_then(|at| children.get(at)) else {
            return Ok(say(format!("There is no sub-agent {number}.\n{}", self.listed(&children))));
        };
        Ok(say(match what.as_str() {
            "log" => self.log(child).await?,
            "stop" => self.stop(child).await?,
            _ => self.info(child).await?,
        }))
    }

    fn listed(&self, children: &[Listing]) -> String {
        if children.is_empty() {
            return "No sub-agent was given work from here.".to_owned();
        }
        let lines = (1_usize..).zip(children).map(|(number, child)| format!("{number}. {}", self.line(child)));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn line(&self, child: &Listing) -> String {
        let now = self.clock.now();
        let state = match child.ended {
            Some(ended) => format!("reported {}", ago(now, ended)),
            None => "at work".to_owned(),
        };
        format!("{} ({}) – begun {}, {state}", label(child), child.agent, ago(now, child.began))
    }

    async fn info(&self, child: &Listing) -> Result<String, StoreError> {
        let head = self.sessions.head(&child.session).await?.unwrap_or_default();
        let busy = if head.current.is_some() { ", one more is in progress" } else { "" };
        Ok(format!("{}\nSession `{}`\n{} turns{busy}", self.line(child), child.session, head.last_turn))
    }

    /// What it said last, and which tools it used.
    async fn log(&self, child: &Listing) -> Result<String, StoreError> {
        let entries = self.sessions.history(&child.session, 0, LOGGED).await?;
        let blocks = entries.iter().flat_map(|entry| match &entry.body {
            EntryBody::Assistant(answer) => answer.blocks.as_slice(),
            _ => &[],
        });
        let lines: Vec<String> = blocks
            .filter_map(|block| match block {
                Block::Text { text } => Some(text.trim().to_owned()),
                Block::ToolUse { name, .. } => Some(format!("[{name}]")),
                _ => None,
            })
            .collect();
        let log = lines.join("\n");
        let surplus = log.chars().count().saturating_sub(LOG_CHARS);
        let log: String = log.chars().skip(surplus).collect();
        Ok(if log.is_empty() { format!("{} has said nothing yet.", label(child)) } else { quoted(&log) })
    }

    async fn stop(&self, child: &Listing) -> Result<String, StoreError> {
        if child.ended.is_some() {
            return Ok(format!("{} has reported already.", label(child)));
        }
        // It ends work that was given before now, and none that comes later.
        self.sessions.set_control(&child.session, &Control { stop_before: self.clock.now() }).await?;
        Ok(format!("{} ends at its next step.", label(child)))
    }
}

fn label(child: &Listing) -> &str {
    child.label.as_deref().unwrap_or("a sub-agent")
}

fn ago(now: Millis, at: Millis) -> String {
    let minutes = now.since(at) / 60_000;
    match (minutes, minutes / 60, minutes / (60 * 24)) {
        (0, ..) => "just now".to_owned(),
        (_, 0, _) => format!("{minutes} min ago"),
        (_, hours, 0) => format!("{hours} h ago"),
        (.., days) => format!("{days} d ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_their_largest_unit() {
        let now = Millis(100 * 86_400_000);
        let told = [0, 59_999, 60_000, 3_600_000, 90_000_000].map(|ms| ago(now, Millis(now.0 - ms)));
        assert_eq!(told, ["just now", "just now", "1 min ago", "1 h ago", "1 d ago"]);
    }
}
