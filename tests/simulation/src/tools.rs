//! Tools whose effects can be counted, call by call.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use serde_json::json;

use crate::fault::{Fault, Place};
use crate::history::Happening;
use crate::process::Process;

/// The tools there are.
pub(crate) const NAMES: [&str; 3] = ["lamp", "ledger", "look"];

/// Keys a keyed tool's own service has seen; it lives longer than any process.
pub(crate) type Keys = Arc<Mutex<BTreeSet<String>>>;

/// One process's way to a tool.
pub(crate) struct SimulatedTool {
    pub(crate) process: Arc<Process>,
    pub(crate) name: &'static str,
    pub(crate) keys: Keys,
}

#[async_trait]
impl Tool for SimulatedTool {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: self.name.into(),
            description: "Simulated.".into(),
            input_schema: json!({"type": "object", "properties": {"call": {"type": "string"}}}),
        }
    }

    fn effect(&self) -> Effect {
        match self.name {
            "lamp" => Effect::Unkeyed,
            "ledger" => Effect::Keyed,
            _ => Effect::None,
        }
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        let (process, sim) = (&self.process, &self.process.sim);
        let fault = process.draw(Place::Tool, process.message_of(call.session));
        let effect = {
            let (sim, keys, effect) = (sim.clone(), self.keys.clone(), self.effect());
            let name = call.input["call"].as_str().unwrap_or("?").to_owned();
            let key = call.idempotency_key.to_owned();
            move || {
                if effect == Effect::Unkeyed || (effect == Effect::Keyed && keys.lock().unwrap().insert(key)) {
                    sim.happens(Happening::Effect { call: name });
                }
            }
        };
        let usual = || process.sim.span(5, 3_000);
        match fault {
            Some(Fault::DiesBefore) => process.die().await,
            Some(Fault::DiesAfter) => {
                process.request(usual(), Duration::ZERO, effect).await;
                process.die().await
            }
            Some(Fault::PausedBefore) => {
                process.pause().await;
                process.request(usual(), usual(), effect).await;
            }
            Some(Fault::PausedAfter) => {
                process.request(usual(), Duration::ZERO, effect).await;
                process.pause().await;
            }
            Some(Fault::Slow) => process.request(sim.span(3_000, 14_000), sim.span(3_000, 14_000), effect).await,
            Some(Fault::ToolFails) => return ToolAnswer::error("simulated failure; nothing was done"),
            Some(Fault::ToolHangs) => process.request(usual(), Duration::from_secs(3_600), effect).await,
            _ => process.request(usual(), usual(), effect).await,
        }
        ToolAnswer::ok("done")
    }
}
