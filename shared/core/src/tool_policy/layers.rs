//! From a limit to the layers it is bound by.

use std::collections::BTreeMap;

use super::{
    Layer, Limit, ModelToolRules, NOT_FOR_SUBAGENTS, Place, Scope, SenderKey, Step, ToolPolicy, ToolRules, Who,
};
use crate::agent_id::AgentId;
use crate::turn::COLLECTED;

type BySender = BTreeMap<String, ToolRules>;

impl ToolPolicy {
    /// The layers that bind what is done on somebody's behalf, `depth` conversations away from a person's.
    pub fn layers(&self, limit: &Limit, depth: u8) -> Vec<Layer> {
        let mut layers = Vec::new();
        let agents: Vec<&AgentId> = limit.through.iter().map(|step| &step.agent).collect();
        if agents.is_empty() {
            layers.extend(self.of_agent(&self.all, None));
        }
        for step in &limit.through {
            layers.extend(self.of_step(step));
        }
        for who in &limit.who {
            layers.extend(self.of_place(who));
            if agents.is_empty() {
                layers.extend(self.of_senders(who, None));
            }
            for agent in &agents {
                layers.extend(self.of_senders(who, self.agents.get(agent)));
            }
        }
        if limit.unknown || limit.who.iter().any(|who| self.is_gone(who)) {
            layers.extend(self.of_everybody(&agents));
        }
        if depth > 0 {
            let never = ToolRules { deny: owned(NOT_FOR_SUBAGENTS), ..ToolRules::default() };
            layers.extend(Layer::of("the rule for sub-agents: their tools".to_owned(), &never));
            layers.extend(Layer::of("tools.subagents.tools".to_owned(), &self.subagents));
        }
        let mut once: Vec<Layer> = Vec::new();
        for layer in layers {
            if !once.contains(&layer) {
                once.push(layer);
            }
        }
        once
    }

    /// Whether an agent may use a tool in any conversation at all.
    pub fn ever(&self, agent: &AgentId, tool: &str) -> bool {
        let own = Step { agent: agent.clone(), model: None };
        super::decide(tool, &self.layers(&Limit { through: vec![own], ..Limit::default() }, 0)).is_ok()
    }

    /// Whether somebody wrote through an account that is not configured any more: what it said of them nobody knows.
    fn is_gone(&self, who: &Who) -> bool {
        let configured = self.places.contains_key(&(who.channel.clone(), who.account.clone()));
        let always = who.channel.is_empty() || who.channel == COLLECTED;
        !always && !configured && !self.places.is_empty()
    }

    fn of_step(&self, step: &Step) -> Vec<Layer> {
        let own = self.agents.get(&step.agent);
        let mut layers = self.of_agent(own.unwrap_or(&self.all), Some(&self.all));
        if own.is_none() && !self.agents.is_empty() {
            // What an agent that is gone was allowed nobody knows.
            layers.push(Layer::nothing(format!("agents.entries.{}.tools", step.agent)));
        }
        let Some(model) = &step.model else { return layers };
        let of_all = for_model(&self.all, model);
        let of_own = own.and_then(|own| for_model(own, model));
        let profile = [&of_own, &of_all].into_iter().flatten().find(|(_, rules)| rules.profile.is_some());
        if let Some((at, rules)) = profile {
            layers.extend(Layer::of_profile(at, rules.profile, &rules.also_allow));
        }
        for (at, rules) in of_all.into_iter().chain(of_own) {
            let lists = ToolRules {
                allow: rules.allow.clone(),
                also_allow: rules.also_allow.clone(),
                deny: rules.deny.clone(),
            };
            layers.extend(Layer::of(at, &lists));
        }
        layers
    }

    /// The profile, the agent's own before that of all, and the lists of both.
    fn of_agent(&self, own: &Scope, all: Option<&Scope>) -> Vec<Layer> {
        let scopes = || std::iter::once(own).chain(all);
        let also = scopes().map(|scope| &scope.rules.also_allow).find(|also| !also.is_empty());
        let profiled = scopes().find(|scope| scope.profile.is_some());
        let profile =
            profiled.and_then(|scope| Layer::of_profile(&scope.at, scope.profile, also.map_or(&[][..], Vec::as_slice)));
        let lists = all.into_iter().chain(std::iter::once(own));
        profile.into_iter().chain(lists.filter_map(|scope| Layer::of(scope.at.clone(), &scope.rules))).collect()
    }

    fn of_place(&self, who: &Who) -> Vec<Layer> {
        let Some(place) = self.places.get(&(who.channel.clone(), who.account.clone())) else { return Vec::new() };
        let mut layers: Vec<Layer> = Layer::of(place.at.clone(), &place.rules).into_iter().collect();
        if who.rooms.is_empty() {
            return layers;
        }
        let named = who.rooms.iter().find(|room| place.rooms.contains_key(*room));
        for sender in each(&who.senders) {
            // The room's own words before those for every other room, and in each what is said of the sender first.
            let rules = named.into_iter().map(String::as_str).chain(["*"]).find_map(|id| {
                let room = place.rooms.get(id)?;
                let at = &room.at;
                let own = for_sender(&room.by_sender, &who.channel, sender);
                let own = own.map(|(key, rules)| (format!("{at}.toolsBySender.{key}"), rules));
                own.or_else(|| room.rules.as_ref().map(|rules| (format!("{at}.tools"), rules)))
            });
            layers.extend(rules.and_then(|(at, rules)| Layer::of(at, rules)));
        }
        layers
    }

    /// What is said of each sender: by the agent, else for all agents.
    fn of_senders(&self, who: &Who, own: Option<&Scope>) -> Vec<Layer> {
        let scopes = || own.into_iter().chain([&self.all]);
        let said = |sender: &str| {
            scopes().find_map(|scope| {
                let (key, rules) = for_sender(&scope.by_sender, &who.channel, sender)?;
                Some((format!("{}.toolsBySender.{key}", scope.at), rules))
            })
        };
        each(&who.senders).filter_map(said).filter_map(|(at, rules)| Layer::of(at, rules)).collect()
    }

    /// What is said of anybody, anywhere.
    fn of_everybody(&self, agents: &[&AgentId]) -> Vec<Layer> {
        let scopes = std::iter::once(&self.all).chain(agents.iter().filter_map(|agent| self.agents.get(*agent)));
        let of_senders = |at: String, by_sender: &BySender| -> Vec<Layer> {
            let layer = |(key, rules): (&String, &ToolRules)| Layer::of(format!("{at}.toolsBySender.{key}"), rules);
            by_sender.iter().filter_map(layer).collect()
        };
        let mut layers: Vec<Layer> = scopes.flat_map(|scope| of_senders(scope.at.clone(), &scope.by_sender)).collect();
        for Place { at, rules, rooms } in self.places.values() {
            layers.extend(Layer::of(at.clone(), rules));
            for room in rooms.values() {
                let at = &room.at;
                layers.extend(room.rules.as_ref().and_then(|rules| Layer::of(format!("{at}.tools"), rules)));
                layers.extend(of_senders(at.clone(), &room.by_sender));
            }
        }
        layers
    }
}

/// Each sender, or nobody once.
fn each(senders: &[String]) -> impl Iterator<Item = &str> {
    let nobody = senders.is_empty().then_some("");
    senders.iter().map(String::as_str).chain(nobody)
}

/// The rules for a sender, with their key: the narrowest that means them. Several that mean them equally are one.
fn for_sender<'a>(by_sender: &'a BySender, channel: &str, sender: &str) -> Option<(&'a str, &'a ToolRules)> {
    let rank = |key: &str| SenderKey::parse(key).ok()?.rank(channel, sender);
    let ranked = by_sender.iter().filter_map(|(key, rules)| Some((rank(key)?, key, rules)));
    ranked.min_by_key(|(rank, _, _)| *rank).map(|(_, key, rules)| (key.as_str(), rules))
}

/// The rules of a scope for a model, with their key: those of the model before those of its provider.
fn for_model<'a>(scope: &'a Scope, model: &str) -> Option<(String, &'a ModelToolRules)> {
    let model = model.to_lowercase();
    let provider = model.split_once('/').map_or(model.as_str(), |(provider, _)| provider);
    let named = |wanted: &str| scope.by_provider.iter().find(|(key, _)| key.trim().to_lowercase() == wanted);
    let (key, rules) = named(&model).or_else(|| named(provider))?;
    Some((format!("{}.byProvider.{key}", scope.at), rules))
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
