//! Tools that are offered when they have been found.

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_testkit::model::Line;
use serde_json::json;

use crate::world::{Lamp, World, calls, says};

struct Hidden(Arc<Lamp>);

#[async_trait]
impl Tool for Hidden {
    fn spec(&self) -> ToolSpec {
        self.0.spec()
    }

    fn effect(&self) -> Effect {
        self.0.effect()
    }

    fn on_demand(&self) -> bool {
        true
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.0.run(call).await
    }
}

struct Search;

#[async_trait]
impl Tool for Search {
    fn spec(&self) -> ToolSpec {
        ToolSpec { name: "tool_search".into(), description: String::new(), input_schema: json!({"type": "object"}) }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, _: ToolCall<'_>) -> ToolAnswer {
        ToolAnswer::ok(json!([{"name": "lamp", "description": "Switches the lamp."}]).to_string())
    }
}

fn world(lines: impl IntoIterator<Item = Line>) -> World {
    let mut world = World::new(lines);
    let lamp = world.lamp.clone();
    let settings = world.installation.agents.values_mut().next().unwrap();
    settings.tools = vec![Arc::new(Search), Arc::new(Hidden(lamp))];
    world
}

#[tokio::test]
async fn a_tool_is_offered_once_it_is_found_and_only_in_that_turn() {
    let search = Line::Calls(vec![("s".into(), "tool_search".into(), json!({"query": "lamp"}))]);
    let world = world([search, calls(&["a"]), says("it is on"), says("bye")]);
    world.answer_until_done(&world.says("1", "light!")).await;
    world.answer_until_done(&world.says("2", "thanks")).await;
    let offered: Vec<Vec<String>> = world
        .model
        .asked()
        .iter()
        .map(|request| request.tools.iter().map(|tool| tool.name.clone()).collect())
        .collect();
    assert_eq!(
        offered,
        [vec!["tool_search"], vec!["tool_search", "lamp"], vec!["tool_search", "lamp"], vec!["tool_search"]]
    );
    assert_eq!(world.lamp.switched(), 1);
}

/// It has the same effects as ever: it is marked, run, and journalled under its own name.
#[tokio::test]
async fn a_tool_that_was_not_searched_for_can_be_called_all_the_same() {
    let world = world([calls(&["a"]), says("it is on")]);
    world.answer_until_done(&world.says("1", "light!")).await;
    assert_eq!(world.lamp.switched(), 1);
    // claim, accept, answer, mark, results, answer, mark of the part, end
    assert_eq!(world.store.writes(), 8);
}
