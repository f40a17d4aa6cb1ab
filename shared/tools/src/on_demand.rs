//! Many tools would fill a prompt with schemas that most turns never need. Then only a few are offered from the
//! beginning, and `tool_search` finds the others: what it has found is offered, whole, in the following steps of the
//! turn. A tool stays what it is meanwhile; only [`Tool::on_demand`] answers differently.

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Caller, Consent, Effect, TOOL_SEARCH, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arguments::arguments;

/// Tools that nearly every turn may need: they are always offered.
const CORE: &[&str] = &["read", "write", "edit", "memory_save", "memory_search", "session_status"];

/// Most tools that are all offered from the beginning.
const MOST_TOOLS: usize = 12;

/// Most bytes of their specs.
const MOST_BYTES: usize = 4 * 1024;

/// Tools that one search finds at most.
const FOUND_AT_ONCE: usize = 5;

/// The tools as they are to be offered: all from the beginning if they are few and short, else most of them on demand.
pub fn offered(tools: Vec<Arc<dyn Tool>>) -> Vec<Arc<dyn Tool>> {
    let bytes: usize = tools.iter().map(|tool| size(&tool.spec())).sum();
    if tools.len() <= MOST_TOOLS && bytes <= MOST_BYTES {
        return tools;
    }
    let (mut offered, hidden): (Vec<_>, Vec<_>) =
        tools.into_iter().partition(|tool| CORE.contains(&tool.spec().name.as_str()));
    if hidden.is_empty() {
        return offered;
    }
    let specs = hidden.iter().map(|tool| tool.spec()).collect();
    offered.push(Arc::new(ToolSearch { specs }));
    offered.extend(hidden.into_iter().map(|tool| Arc::new(OnDemand(tool)) as Arc<dyn Tool>));
    offered
}

fn size(spec: &ToolSpec) -> usize {
    let texts = spec.name.len().saturating_add(spec.description.len());
    texts.saturating_add(spec.input_schema.to_string().len())
}

/// A tool that is offered when it has been found.
struct OnDemand(Arc<dyn Tool>);

#[async_trait]
impl Tool for OnDemand {
    fn spec(&self) -> ToolSpec {
        self.0.spec()
    }

    fn effect(&self) -> Effect {
        self.0.effect()
    }

    fn offered(&self, caller: &Caller) -> bool {
        self.0.offered(caller)
    }

    fn on_demand(&self) -> bool {
        true
    }

    fn consent(&self, input: &Value, caller: &Caller) -> Option<Consent> {
        self.0.consent(input, caller)
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.0.run(call).await
    }
}

/// `tool_search`.
struct ToolSearch {
    specs: Vec<ToolSpec>,
}

#[derive(Deserialize)]
struct Arguments {
    query: String,
}

#[async_trait]
impl Tool for ToolSearch {
    fn spec(&self) -> ToolSpec {
        let names: Vec<&str> = self.specs.iter().map(|spec| spec.name.as_str()).collect();
        ToolSpec {
            name: TOOL_SEARCH.into(),
            description: format!(
                "Finds further tools by name or by what they do; those found can be called in your next step. There are: \
                 {}.",
                names.join(", ")
            ),
            input_schema: json!({
                "type": "object",
                "properties": { "query": { "type": "string", "description": "names, or words for what is to be done" } },
                "required": ["query"],
            }),
        }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        let Arguments { query } = match arguments(call.input) {
            Ok(arguments) => arguments,
            Err(error) => return ToolAnswer::error(error),
        };
        let found = search(&self.specs, &query);
        if found.is_empty() {
            let names: Vec<&str> = self.specs.iter().map(|spec| spec.name.as_str()).collect();
            return ToolAnswer::error(format!("No tool does \"{query}\". There are: {}.", names.join(", ")));
        }
        let tools: Vec<_> = found
            .into_iter()
            .map(|ToolSpec { name, description, input_schema }| {
                json!({ "name": name, "description": description, "input_schema": input_schema })
            })
            .collect();
        ToolAnswer::ok(serde_json::Value::from(tools).to_string())
    }
}

/// The tools that have most words of the query, those in the name first.
fn search<'a>(specs: &'a [ToolSpec], query: &str) -> Vec<&'a ToolSpec> {
    let query = query.to_lowercase();
    let words: Vec<&str> =
        query.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    let score = |spec: &ToolSpec| {
        let (name, description) = (spec.name.to_lowercase(), spec.description.to_lowercase());
        let of_word = |word: &&str| {
            let exact = usize::from(name == **word).saturating_mul(8);
            let in_name = usize::from(name.contains(*word)).saturating_mul(3);
            exact.saturating_add(in_name).saturating_add(usize::from(description.contains(*word)))
        };
        words.iter().map(of_word).sum::<usize>()
    };
    let mut found: Vec<(usize, &ToolSpec)> =
        specs.iter().map(|spec| (score(spec), spec)).filter(|(score, _)| *score > 0).collect();
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().take(FOUND_AT_ONCE).map(|(_, spec)| spec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str, &'static str);

    #[async_trait]
    impl Tool for Named {
        fn spec(&self) -> ToolSpec {
            ToolSpec { name: self.0.into(), description: self.1.into(), input_schema: json!({"type": "object"}) }
        }

        fn effect(&self) -> Effect {
            Effect::Keyed
        }

        fn offered(&self, caller: &Caller) -> bool {
            caller.depth == 0
        }

        fn consent(&self, _: &Value, _: &Caller) -> Option<Consent> {
            Some(Consent { shown: self.0.into(), programs: None })
        }

        async fn run(&self, _: ToolCall<'_>) -> ToolAnswer {
            ToolAnswer::ok(self.0)
        }
    }

    const MANY: [(&str, &str); 13] = [
        ("sessions_list", "Lists the conversations."),
        ("sessions_send", "Sends words to another conversation."),
        ("sessions_spawn", "Begins a sub-agent."),
        ("weather", "Says what the sky will do."),
        ("a1", ""),
        ("a2", ""),
        ("a3", ""),
        ("a4", ""),
        ("a5", ""),
        ("a6", ""),
        ("a7", ""),
        ("a8", ""),
        ("a9", ""),
    ];

    fn many() -> Vec<Arc<dyn Tool>> {
        let core = CORE.iter().map(|name| Arc::new(Named(name, "")) as Arc<dyn Tool>);
        core.chain(MANY.iter().map(|(name, does)| Arc::new(Named(name, does)) as Arc<dyn Tool>)).collect()
    }

    #[test]
    fn few_tools_are_offered_as_they_are() {
        let tools = offered(crate::all(&crate::ToolSettings::default()));
        assert!(tools.iter().all(|tool| !tool.on_demand() && tool.spec().name != TOOL_SEARCH));
        assert_eq!(tools.len(), crate::all(&crate::ToolSettings::default()).len());
    }

    #[test]
    fn of_many_tools_only_the_core_and_the_search_are_offered_and_all_keep_their_effect() {
        let tools = offered(many());
        let names = |wanted: bool| -> Vec<String> {
            tools.iter().filter(|tool| tool.on_demand() == wanted).map(|tool| tool.spec().name).collect()
        };
        assert_eq!(names(false), [CORE, &[TOOL_SEARCH]].concat());
        assert_eq!(names(true), MANY.map(|(name, _)| name.to_owned()));
        let effects = |effect| tools.iter().filter(|tool| tool.effect() == effect).count();
        assert_eq!((effects(Effect::Keyed), effects(Effect::None)), (CORE.len() + MANY.len(), 1));
    }

    /// Who may use a tool, and what must be agreed to, does not depend on how it is found.
    #[test]
    fn a_tool_on_demand_keeps_its_guards() {
        let (near, far) = (Caller::default(), Caller { depth: 1, ..Caller::default() });
        for tool in offered(many()).iter().filter(|tool| tool.on_demand()) {
            assert!(tool.offered(&near) && !tool.offered(&far));
            assert!(tool.consent(&Value::Null, &near).is_some());
        }
    }

    #[test]
    fn long_schemas_are_many_tools_too() {
        let long: &'static str = Box::leak("x".repeat(MOST_BYTES).into_boxed_str());
        let tools: Vec<Arc<dyn Tool>> = vec![Arc::new(Named("read", "")), Arc::new(Named("long", long))];
        assert!(offered(tools).iter().any(|tool| tool.on_demand()));
    }

    #[test]
    fn a_search_finds_by_name_and_by_words_and_the_best_first() {
        let specs: Vec<ToolSpec> = MANY.iter().map(|(name, does)| Named(name, does).spec()).collect();
        let names = |query: &str| search(&specs, query).iter().map(|spec| spec.name.clone()).collect::<Vec<_>>();
        assert_eq!(names("weather"), ["weather"]);
        assert_eq!(names("send words to a CONVERSATION")[0], "sessions_send");
        assert_eq!(names("sessions_spawn")[0], "sessions_spawn");
        assert_eq!(names("sky"), ["weather"]);
        assert!(names("a").len() <= FOUND_AT_ONCE);
        assert!(names("!?").is_empty() && names("").is_empty());
    }
}
