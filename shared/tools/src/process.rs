//! `process`: commands that go on after the call that began them. They live in this process and end with it; where no
//! process stays, as in Lambda, there are none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::queue::Authority;
use chela_core::sandbox::{CommandRequest, CommandResult, Sandbox, SandboxError};
use chela_core::tool::{Caller, Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::arguments::arguments;
use crate::carry::Carried;
use crate::exec::report;

/// Most commands of one conversation at once: each may use all that the sandbox allows.
const AT_ONCE: usize = 4;

/// Most answers that are kept.
const KEPT: usize = 50;

/// Longest wait of one poll.
const WAIT: Duration = Duration::from_secs(20);

/// Commands in the background, of all conversations.
#[derive(Default)]
pub struct Runs(Mutex<Known>);

#[derive(Default)]
struct Known {
    begun: u64,
    runs: BTreeMap<u64, Run>,
}

struct Run {
    /// The agent and the conversation that began it: no other sees it.
    whose: (String, String),
    shown: String,
    state: State,
}

enum State {
    Running(Box<Running>),
    /// What came of it, in words.
    Ended(String),
}

struct Running {
    task: JoinHandle<Result<CommandResult, SandboxError>>,
    carried: Carried,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The sandbox kills what runs when nobody waits for it any more.
        self.task.abort();
    }
}

fn whose(call: &ToolCall<'_>) -> (String, String) {
    (call.agent.as_str().to_owned(), call.session.as_str().to_owned())
}

impl Runs {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a command and answers with its name.
    pub(crate) fn begin(
        &self,
        call: &ToolCall<'_>,
        sandbox: Arc<dyn Sandbox>,
        request: CommandRequest,
        carried: Carried,
        shown: String,
    ) -> Result<String, String> {
        let mut known = self.known();
        let whose = whose(call);
        let running = |run: &&Run| run.whose == whose && matches!(run.state, State::Running(_));
        if known.runs.values().filter(running).count() >= AT_ONCE {
            return Err(format!("{AT_ONCE} commands run already. Wait for one with process, or kill one."));
        }
        while known.runs.len() >= KEPT {
            known.runs.pop_first();
        }
        known.begun = known.begun.saturating_add(1);
        let id = known.begun;
        let task = tokio::spawn(async move { sandbox.run(&request).await });
        let state = State::Running(Box::new(Running { task, carried }));
        known.runs.insert(id, Run { whose, shown, state });
        Ok(format!("It runs, as sessionId {id}. Its output and its files come with process poll, once it has ended."))
    }

    fn list(&self, call: &ToolCall<'_>) -> String {
        let whose = whose(call);
        let line = |(id, run): (&u64, &Run)| {
            let state = match &run.state {
                State::Running(running) if !running.task.is_finished() => "running",
                _ => "ended",
            };
            (run.whose == whose).then(|| format!("{id}  {state}  {}", run.shown))
        };
        let lines: Vec<String> = self.known().runs.iter().filter_map(line).collect();
        if lines.is_empty() { "There are none.".to_owned() } else { lines.join("\n") }
    }

    /// Takes a command of this conversation out.
    fn take(&self, call: &ToolCall<'_>, id: u64) -> Result<Run, String> {
        let mut known = self.known();
        match known.runs.remove(&id) {
            Some(run) if run.whose == whose(call) => Ok(run),
            other => {
                known.runs.extend(other.map(|run| (id, run)));
                Err(format!("This conversation has no command {id}. See process list."))
            }
        }
    }

    async fn look(&self, call: &ToolCall<'_>, id: u64, wait: Duration) -> Result<String, String> {
        let mut run = self.take(call, id)?;
        let (state, answer) = match run.state {
            State::Running(mut running) => match tokio::time::timeout(wait, &mut running.task).await {
                Err(_) => (State::Running(running), format!("{id} still runs.")),
                Ok(ended) => {
                    let broken = |error: tokio::task::JoinError| Err(SandboxError::Unavailable(error.to_string()));
                    let answer = report(call, &running.carried, ended.unwrap_or_else(broken)).await;
                    (State::Ended(answer.clone()), answer)
                }
            },
            State::Ended(answer) => (State::Ended(answer.clone()), answer),
        };
        run.state = state;
        self.known().runs.insert(id, run);
        Ok(answer)
    }
}

pub(crate) struct Process(pub(crate) Arc<Runs>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", tag = "action")]
enum Action {
    List,
    #[serde(alias = "log", rename_all = "camelCase")]
    Poll {
        session_id: u64,
        /// Milliseconds.
        #[serde(default)]
        timeout: u64,
    },
    #[serde(rename_all = "camelCase")]
    Kill {
        session_id: u64,
    },
}

#[async_trait]
impl Tool for Process {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "process".into(),
            description: "Look after commands that exec began in the background: list, poll (also log), kill.".into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "action": { "enum": ["list", "poll", "log", "kill"] },
                    "sessionId": { "type": "integer" },
                    "timeout": { "type": "integer", "description": "milliseconds that poll waits" },
                },
                "required": ["action"],
            }),
        }
    }

    /// Killed twice is killed, and files that were brought back are not brought back again.
    fn effect(&self) -> Effect {
        Effect::Keyed
    }

    fn offered(&self, caller: &Caller) -> bool {
        caller.authority >= Authority::Owner
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.act(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

impl Process {
    async fn act(&self, call: &ToolCall<'_>) -> Result<String, String> {
        if !self.offered(call.caller) {
            return Err("Commands are your human's alone: guests have none.".to_owned());
        }
        match arguments(call.input)? {
            Action::List => Ok(self.0.list(call)),
            Action::Poll { session_id, timeout } => {
                self.0.look(call, session_id, Duration::from_millis(timeout).min(WAIT)).await
            }
            Action::Kill { session_id } => {
                let run = self.0.take(call, session_id)?;
                Ok(match run.state {
                    State::Running(_) => format!("{session_id} is killed; what it wrote is lost."),
                    State::Ended(_) => format!("{session_id} had ended already."),
                })
            }
        }
    }
}
