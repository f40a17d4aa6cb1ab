//! Many tools would fill a prompt with schemas that most turns never need. Then only a few are offered from the
//! beginning, and `tool_search` finds the others: what it has found is offered, whole, in the following steps of the
//! turn. A tool stays what it is meanwhile; only [`Tool::on_demand`] answers differently.

use std::sync::Arc;

use async_trait::async_trait;
use chela_core::agent_id::AgentId;
use chela_core::model::ToolSpec;
use chela_core::tool::{Caller, Consent, Effect, TOOL_SEARCH, Tool, ToolAnswer, ToolCall};
use chela_core::tool_policy::ToolPolicy;
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

/// Most bytes of names in the description of the search: servers of others may have hundreds of tools.
const NAMED_BYTES: usize = 1024;

/// What the search says of itself to everybody.
const FINDS: &str = "Finds further tools by name or by what they do; those found can be called in your next step.";

/// The tools as they are to be offered: all from the beginning if they are few and short, else most of them on demand.
/// Those that always wait to be found do so among few as well. Those the agent may never use do not count, and nobody
/// finds what they may not use.
pub fn offered(tools: Vec<Arc<dyn Tool>>, policy: &Arc<ToolPolicy>, agent: &AgentId) -> Vec<Arc<dyn Tool>> {
    let tools = tools.into_iter().filter(|tool| policy.ever(agent, &tool.spec().name));
    let (waiting, ready): (Vec<_>, Vec<_>) = tools.partition(|tool| tool.on_demand());
    let bytes: usize = ready.iter().map(|tool| size(&tool.spec())).sum();
    let few = ready.len() <= MOST_TOOLS && bytes <= MOST_BYTES;
    let (mut offered, mut hidden): (Vec<_>, Vec<_>) =
        ready.into_iter().partition(|tool| few || CORE.contains(&tool.spec().name.as_str()));
    hidden.extend(waiting);
    if hidden.is_empty() {
        return offered;
    }
    offered.push(Arc::new(ToolSearch { tools: hidden.clone(), policy: policy.clone() }));
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

    fn spec_for(&self, caller: &Caller) -> ToolSpec {
        self.0.spec_for(caller)
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

    async fn rest(&self) {
        self.0.rest().await;
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.0.run(call).await
    }
}

/// `tool_search`.
struct ToolSearch {
    tools: Vec<Arc<dyn Tool>>,
    policy: Arc<ToolPolicy>,
}

impl ToolSearch {
    /// What this caller may use: only that is told and found.
    fn usable(&self, caller: &Caller) -> Vec<ToolSpec> {
        self.policy.usable(&self.tools, caller).into_iter().map(|tool| tool.spec_for(caller)).collect()
    }

    /// As many names as a description has room for.
    fn names<'a>(specs: impl Iterator<Item = &'a ToolSpec>) -> String {
        let (mut named, mut bytes, mut further) = (Vec::new(), 0usize, 0usize);
        for spec in specs {
            bytes = bytes.saturating_add(spec.name.len()).saturating_add(2);
            if bytes <= NAMED_BYTES {
                named.push(spec.name.as_str());
            } else {
                further = further.saturating_add(1);
            }
        }
        let further = if further == 0 { String::new() } else { format!(" and {further} more") };
        format!("{}{further}", named.join(", "))
    }
}

#[derive(Deserialize)]
struct Arguments {
    query: String,
}

#[async_trait]
impl Tool for ToolSearch {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: TOOL_SEARCH.into(),
            description: FINDS.to_owned(),
            input_schema: json!({
                "type": "object",
                "properties": { "query": { "type": "string", "description": "names, or words for what is to be done" } },
                "required": ["query"],
            }),
        }
    }

    fn spec_for(&self, caller: &Caller) -> ToolSpec {
        let description = format!("{FINDS} There are: {}.", Self::names(self.usable(caller).iter()));
        ToolSpec { description, ..self.spec() }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn offered(&self, caller: &Caller) -> bool {
        !self.usable(caller).is_empty()
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        let Arguments { query } = match arguments(call.input) {
            Ok(arguments) => arguments,
            Err(error) => return ToolAnswer::error(error),
        };
        let specs = self.usable(call.caller);
        let found = search(&specs, &query);
        if found.is_empty() {
            let names = Self::names(specs.iter());
            return ToolAnswer::error(format!("No tool does \"{query}\". There are: {names}."));
        }
        let tools: Vec<_> = found
            .into_iter()
            .map(|ToolSpec { name, description, input_schema }| {
                json!({ "name": name, "description": description, "input_schema": input_schema })
            })
            .collect();
        ToolAnswer::ok(Value::from(tools).to_string())
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

    fn offered(tools: Vec<Arc<dyn Tool>>) -> Vec<Arc<dyn Tool>> {
        super::offered(tools, &Arc::default(), &AgentId::default())
    }

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
            Some(Consent { shown: self.0.into(), programs: None, beside: String::new() })
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
        let few = || crate::all(&crate::ToolSettings::default()).into_iter().take(6).collect::<Vec<_>>();
        let tools = offered(few());
        assert!(tools.iter().all(|tool| !tool.on_demand() && tool.spec().name != TOOL_SEARCH));
        assert_eq!(tools.len(), few().len());
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

    /// A tool for the owner, who must agree to every call.
    struct Careful;

    #[async_trait]
    impl Tool for Careful {
        fn spec(&self) -> ToolSpec {
            ToolSpec { name: "exec".into(), description: String::new(), input_schema: json!({"type": "object"}) }
        }

        fn effect(&self) -> Effect {
            Effect::Unkeyed
        }

        fn offered(&self, caller: &Caller) -> bool {
            caller.depth == 0
        }

        fn consent(&self, input: &Value, _: &Caller) -> Option<Consent> {
            Some(Consent { shown: input.to_string(), programs: None, beside: String::new() })
        }

        async fn run(&self, _: ToolCall<'_>) -> ToolAnswer {
            ToolAnswer::ok("")
        }
    }

    #[test]
    fn a_tool_on_demand_is_no_less_guarded() {
        let tools = offered(many().into_iter().chain([Arc::new(Careful) as Arc<dyn Tool>]).collect());
        let careful = tools.iter().find(|tool| tool.spec().name == "exec").unwrap();
        let (person, child) = (Caller::default(), Caller { depth: 1, ..Caller::default() });
        assert!(careful.on_demand() && careful.offered(&person) && !careful.offered(&child));
        assert_eq!(careful.consent(&json!(7), &person).unwrap().shown, "7");
    }

    #[test]
    fn long_schemas_are_many_tools_too() {
        let long: &'static str = Box::leak("x".repeat(MOST_BYTES).into_boxed_str());
        let tools: Vec<Arc<dyn Tool>> = vec![Arc::new(Named("read", "")), Arc::new(Named("long", long))];
        assert!(offered(tools).iter().any(|tool| tool.on_demand()));
    }

    /// A tool that waits to be found, is for the owner alone and asks before it acts.
    struct Guarded;

    #[async_trait]
    impl Tool for Guarded {
        fn spec(&self) -> ToolSpec {
            Named("guarded", "Guards.").spec()
        }

        fn effect(&self) -> Effect {
            Effect::Unkeyed
        }

        fn offered(&self, caller: &Caller) -> bool {
            caller.authority == chela_core::queue::Authority::Owner
        }

        fn on_demand(&self) -> bool {
            true
        }

        fn consent(&self, _: &Value, _: &Caller) -> Option<Consent> {
            Some(Consent { shown: "guarded".into(), programs: None, beside: String::new() })
        }

        async fn run(&self, _: ToolCall<'_>) -> ToolAnswer {
            ToolAnswer::ok("")
        }
    }

    #[test]
    fn a_tool_that_waits_to_be_found_waits_among_few_and_keeps_its_guards() {
        let tools = offered(vec![Arc::new(Named("read", "")), Arc::new(Guarded)]);
        let names: Vec<String> = tools.iter().map(|tool| tool.spec().name).collect();
        assert_eq!(names, ["read", TOOL_SEARCH, "guarded"]);
        let guarded = tools.last().unwrap();
        let owner = Caller { authority: chela_core::queue::Authority::Owner, ..Caller::default() };
        assert!(guarded.on_demand() && guarded.offered(&owner) && !guarded.offered(&Caller::default()));
        assert!(guarded.consent(&json!({}), &owner).is_some());
    }

    /// A guest's model is not told what the owner has.
    #[test]
    fn the_search_tells_only_of_tools_that_the_caller_may_use() {
        use chela_core::tool_policy::{Limit, Scope, ToolRules, Who};

        let rules = ToolRules { deny: vec!["weather".into()], ..ToolRules::default() };
        let all = Scope { by_sender: [("id:8".to_owned(), rules)].into(), ..Scope::default() };
        let policy = Arc::new(ToolPolicy { all, ..ToolPolicy::default() });
        let tools: Vec<_> = many().into_iter().chain([Arc::new(Guarded) as Arc<dyn Tool>]).collect();
        let tools = super::offered(tools, &policy, &AgentId::default());
        let search = tools.iter().find(|tool| tool.spec().name == TOOL_SEARCH).unwrap();
        let told = |authority, sender: &str| {
            let who = Who { channel: "telegram".into(), senders: vec![sender.to_owned()], ..Who::default() };
            let limit = Limit { who: vec![who], ..Limit::default() };
            search.spec_for(&Caller { authority, limit, ..Caller::default() }).description
        };
        use chela_core::queue::Authority::{Guest, Owner};
        let (owner, guest, other) = (told(Owner, "7"), told(Guest, "7"), told(Guest, "8"));
        assert!(owner.contains("guarded") && owner.contains("weather"), "{owner}");
        assert!(!guest.contains("guarded") && guest.contains("weather"), "{guest}");
        assert!(!other.contains("guarded") && !other.contains("weather") && other.contains("a1"), "{other}");
        assert!(!search.spec().description.contains("guarded"));
        assert!(!search.offered(&Caller { depth: 1, ..Caller::default() }), "nothing is there to be found");
    }

    /// A tool that its agent may never use weighs nothing in the decision, and nobody is offered it.
    #[test]
    fn what_an_agent_may_never_use_is_not_there() {
        use chela_core::tool_policy::{Scope, ToolRules};

        let rules =
            ToolRules { deny: MANY.iter().map(|(name, _)| (*name).to_owned()).collect(), ..ToolRules::default() };
        let policy = Arc::new(ToolPolicy { all: Scope { rules, ..Scope::default() }, ..ToolPolicy::default() });
        let names = |policy: &Arc<ToolPolicy>| super::offered(many(), policy, &AgentId::default()).len();
        assert!(names(&Arc::default()) > CORE.len());
        assert_eq!(names(&policy), CORE.len());
    }

    #[test]
    fn names_of_hundreds_of_tools_do_not_fill_the_prompt() {
        let tool = |n: usize| Arc::new(Named(Box::leak(format!("server__tool_number_{n}").into_boxed_str()), ""));
        let tools: Vec<Arc<dyn Tool>> = (0..300).map(|n| tool(n) as Arc<dyn Tool>).collect();
        let search = offered(tools).into_iter().find(|tool| tool.spec().name == TOOL_SEARCH).unwrap();
        let description = search.spec_for(&Caller::default()).description;
        assert!(description.len() < NAMED_BYTES + 200 && description.contains(" more."), "{description}");
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
