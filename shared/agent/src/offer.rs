//! Which tools a model is offered. Those that are offered on demand ([`Tool::on_demand`]) stay out of the prompt until the
//! model has found them in the same turn: their names stand in a result of `tool_search`. They can be called all the
//! same, under the same rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chela_core::model::{Block, ToolSpec};
use chela_core::session::EntryBody;
use chela_core::tool::{Caller, TOOL_SEARCH, Tool};
use chela_core::turn::{Turn, tokens_of_tools};
use serde_json::Value;

use crate::answer::Attempt;
use crate::settings::ModelChoice;

/// What each model is offered: one may be allowed less than another.
#[derive(Default)]
pub(crate) struct Offer(BTreeMap<String, Vec<ToolSpec>>);

impl Offer {
    pub(crate) fn of(attempt: &Attempt<'_>) -> Self {
        let to = |choice: &ModelChoice| {
            let caller = attempt.caller_of(Some(&choice.name));
            (choice.name.clone(), offered(&attempt.tools(&caller), &caller, attempt.machine.turn()))
        };
        Self(attempt.settings.all_models().map(to).collect())
    }

    /// What this model is offered.
    pub(crate) fn to(&self, choice: &ModelChoice) -> &[ToolSpec] {
        self.0.get(&choice.name).map_or(&[], Vec::as_slice)
    }

    /// Tokens of the longest offer.
    pub(crate) fn tokens(&self) -> u64 {
        self.0.values().map(|tools| tokens_of_tools(tools)).max().unwrap_or_default()
    }
}

/// The tools to offer, those that were found behind the others.
pub(crate) fn offered(tools: &[&Arc<dyn Tool>], caller: &Caller, turn: &Turn) -> Vec<ToolSpec> {
    let on_demand = |tool: &&&Arc<dyn Tool>| tool.on_demand();
    let hidden: Vec<&Arc<dyn Tool>> = tools.iter().filter(on_demand).copied().collect();
    let ready = tools.iter().filter(|tool| !tool.on_demand());
    let mut offered: Vec<ToolSpec> = ready.map(|tool| tool.spec_for(caller)).collect();
    if !hidden.is_empty() {
        let found = found(turn);
        offered.extend(hidden.iter().map(|tool| tool.spec_for(caller)).filter(|spec| found.contains(&spec.name)));
    }
    offered
}

/// The names in the results of the turn's searches: each is a JSON list of objects with a `name`.
fn found(turn: &Turn) -> BTreeSet<String> {
    let searches: BTreeSet<(u16, &str)> = turn
        .entries
        .iter()
        .filter_map(
            |entry| if let EntryBody::Assistant(answer) = &entry.body { Some((entry.step, answer)) } else { None },
        )
        .flat_map(|(step, answer)| answer.blocks.iter().map(move |block| (step, block)))
        .filter_map(|(step, block)| match block {
            Block::ToolUse { id, name, .. } if name == TOOL_SEARCH => Some((step, id.as_str())),
            _ => None,
        })
        .collect();
    let results = turn.entries.iter().flat_map(|entry| match &entry.body {
        EntryBody::ToolResults { results } => results.iter().map(|result| (entry.step, result)).collect(),
        _ => Vec::new(),
    });
    let names = results.filter_map(|(step, result)| match result {
        Block::ToolResult { id, text, is_error: false, .. } if searches.contains(&(step, id.as_str())) => {
            serde_json::from_str::<Vec<Value>>(text).ok()
        }
        _ => None,
    });
    names.flatten().filter_map(|tool| Some(tool.get("name")?.as_str()?.to_owned())).collect()
}
