//! `process`: commands that go on after the call that began them. They live in this process and end with it; where no
//! process stays, as in Lambda, there are none. What they write is seen while they run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chela_core::clock::Millis;
use chela_core::model::ToolSpec;
use chela_core::queue::Authority;
use chela_core::sandbox::{CommandRequest, CommandResult, Sandbox, SandboxError};
use chela_core::tool::{Caller, Effect, Tool, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::arguments::arguments;
use crate::carry::Carried;
use crate::exec::{OUTPUT, report};

/// Most commands of one conversation at once: each may use all that the sandbox allows.
const AT_ONCE: usize = 4;

/// Most answers that are kept.
const KEPT: usize = 50;

/// Milliseconds after which an ended command is forgotten, as OpenClaw does.
const REMEMBERED_MS: u64 = 30 * 60_000;

/// Lines of a log where nobody says how many.
const LINES: usize = 200;

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
    /// When it is forgotten, if it does not run.
    until: Millis,
    written: Arc<Written>,
    /// How many bytes of it polls have shown.
    polled: usize,
    state: State,
}

/// What a command has written so far; a sandbox tells no more than it keeps.
#[derive(Default)]
struct Written(Mutex<String>);

impl Written {
    fn text(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        known.forget(call.clock.now());
        let whose = whose(call);
        let running = |run: &&Run| run.whose == whose && matches!(run.state, State::Running(_));
        if known.runs.values().filter(running).count() >= AT_ONCE {
            return Err(format!("{AT_ONCE} commands run already. Wait for one with process, or kill one."));
        }
        // Only what has ended makes room: what runs may be somebody else's.
        while known.runs.len() >= KEPT {
            let ended = known.runs.iter().find(|(_, run)| !run.runs()).map(|(id, _)| *id);
            let ended =
                ended.ok_or_else(|| format!("{KEPT} commands run already, of all conversations. Try again later."))?;
            known.runs.remove(&ended);
        }
        known.begun = known.begun.saturating_add(1);
        let id = known.begun;
        let until = call.clock.now().plus(request.timeout_ms).plus(REMEMBERED_MS);
        let written = Arc::new(Written::default());
        let heard = written.clone();
        let task = tokio::spawn(async move { sandbox.run_aloud(&request, &|text| heard.text().push_str(text)).await });
        let state = State::Running(Box::new(Running { task, carried }));
        known.runs.insert(id, Run { whose, shown, until, written, polled: 0, state });
        Ok(format!(
            "It runs, as sessionId {id}. process poll shows what it writes, and brings its files once it has ended."
        ))
    }

    fn list(&self, call: &ToolCall<'_>) -> String {
        let whose = whose(call);
        self.known().forget(call.clock.now());
        let line = |(id, run): (&u64, &Run)| {
            let state = if run.runs() { "running" } else { "ended" };
            (run.whose == whose).then(|| format!("{id}  {state}  {}", run.shown))
        };
        let lines: Vec<String> = self.known().runs.iter().filter_map(line).collect();
        if lines.is_empty() { "There are none.".to_owned() } else { lines.join("\n") }
    }

    /// Takes a command of this conversation out.
    fn take(&self, call: &ToolCall<'_>, id: u64) -> Result<Run, String> {
        let mut known = self.known();
        known.forget(call.clock.now());
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
                Err(_) => {
                    let (news, polled) = news(&run.written.text(), run.polled);
                    run.polled = polled;
                    (State::Running(running), format!("{id} still runs.{news}"))
                }
                Ok(ended) => {
                    let broken = |error: tokio::task::JoinError| Err(SandboxError::Unavailable(error.to_string()));
                    let answer = report(call, &running.carried, ended.unwrap_or_else(broken)).await;
                    run.until = call.clock.now().plus(REMEMBERED_MS);
                    (State::Ended(answer.clone()), answer)
                }
            },
            State::Ended(answer) => (State::Ended(answer.clone()), answer),
        };
        run.state = state;
        self.known().runs.insert(id, run);
        Ok(answer)
    }

    /// Lines of what a command has written, whether it runs or not.
    fn log(&self, call: &ToolCall<'_>, id: u64, offset: Option<usize>, limit: Option<usize>) -> Result<String, String> {
        let run = self.take(call, id)?;
        let log = lines(&run.written.text(), offset, limit);
        self.known().runs.insert(id, run);
        Ok(log)
    }
}

impl Run {
    fn runs(&self) -> bool {
        matches!(&self.state, State::Running(running) if !running.task.is_finished())
    }
}

impl Known {
    fn forget(&mut self, now: Millis) {
        self.runs.retain(|_, run| run.until > now || run.runs());
    }
}

/// What was written after a poll, in words, and where the next one begins. What is too much for one answer waits for the next.
fn news(written: &str, polled: usize) -> (String, usize) {
    let fresh = written.get(polled..).unwrap_or_default();
    let end = fresh.floor_char_boundary(OUTPUT);
    match fresh.get(..end).filter(|text| !text.is_empty()) {
        Some(text) if end < fresh.len() => {
            (format!(" It wrote:\n{text}\n(poll again for more)"), polled.saturating_add(end))
        }
        Some(text) => (format!(" It wrote:\n{text}"), polled.saturating_add(end)),
        None => (" It wrote nothing new.".to_owned(), polled),
    }
}

/// Lines from `offset` (from 0) on; the last ones without. At most as many as an answer holds.
fn lines(written: &str, offset: Option<usize>, limit: Option<usize>) -> String {
    let all: Vec<&str> = written.lines().collect();
    let first = offset.unwrap_or_else(|| all.len().saturating_sub(limit.unwrap_or(LINES)));
    let wanted = all.iter().skip(first).take(limit.unwrap_or(usize::MAX));
    let mut room = OUTPUT;
    let shown: Vec<&str> = wanted
        .map_while(|line| {
            let end = line.floor_char_boundary(room);
            room = room.checked_sub(line.len().saturating_add(1)).or((room == OUTPUT).then_some(0))?;
            line.get(..end)
        })
        .collect();
    let last = first.saturating_add(shown.len());
    if shown.is_empty() {
        return format!("No line from {first} on: there are {}.", all.len());
    }
    format!("Lines {first} to {} of {}:\n{}", last.saturating_sub(1), all.len(), shown.join("\n"))
}

pub(crate) struct Process(pub(crate) Arc<Runs>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", tag = "action")]
enum Action {
    List,
    #[serde(rename_all = "camelCase")]
    Poll {
        session_id: u64,
        /// Milliseconds.
        #[serde(default)]
        timeout: u64,
    },
    #[serde(rename_all = "camelCase")]
    Log {
        session_id: u64,
        #[serde(default)]
        offset: Option<usize>,
        #[serde(default)]
        limit: Option<usize>,
    },
    #[serde(alias = "remove", alias = "clear", rename_all = "camelCase")]
    Kill {
        session_id: u64,
    },
}

#[async_trait]
impl Tool for Process {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "process".into(),
            description: "Look after commands that exec began in the background: list, poll (news), log (lines), kill."
                .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "action": { "enum": ["list", "poll", "log", "kill"] },
                    "sessionId": { "type": "integer" },
                    "timeout": { "type": "integer", "description": "milliseconds that poll waits" },
                    "offset": { "type": "integer" },
                    "limit": { "type": "integer" },
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
            Action::Log { session_id, offset, limit } => self.0.log(call, session_id, offset, limit),
            Action::Kill { session_id } => {
                let run = self.0.take(call, session_id)?;
                Ok(match run.state {
                    State::Running(_) => format!(
                        "{session_id} is killed; its files are lost.{}",
                        news(&run.written.text(), run.polled).0
                    ),
                    State::Ended(_) => format!("{session_id} had ended already."),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_for_one_poll_waits_for_the_next() {
        let written = format!("{}ä", "x".repeat(OUTPUT - 1));
        let (first, polled) = news(&written, 0);
        assert!(first.ends_with("x\n(poll again for more)") && polled == OUTPUT - 1, "{polled}");
        assert_eq!(news(&written, polled), (" It wrote:\nä".to_owned(), written.len()));
        assert_eq!(news(&written, written.len()).0, " It wrote nothing new.");
    }

    #[test]
    fn a_log_is_paged_and_never_longer_than_an_answer() {
        let many: String = (0..1_000).map(|n| format!("line {n}\n")).collect();
        assert!(lines(&many, None, None).starts_with("Lines 800 to 999 of 1000:\nline 800\n"));
        let long = format!("{}\nend\n", "ä".repeat(OUTPUT));
        let shown = lines(&long, Some(0), None);
        assert!(shown.starts_with("Lines 0 to 0 of 2:\nä") && shown.len() <= OUTPUT + 40, "{}", shown.len());
        assert_eq!(lines(&long, Some(1), Some(9)), "Lines 1 to 1 of 2:\nend");
        let wide = "y".repeat(OUTPUT / 2) + "\n";
        assert!(lines(&wide.repeat(3), Some(0), None).starts_with("Lines 0 to 0 of 3:"), "the second has no room");
        assert!(lines(&many, Some(usize::MAX), Some(usize::MAX)).starts_with("No line from"));
    }
}
