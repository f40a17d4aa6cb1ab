//! `exec`: a command in the sandbox, with the files of the workspace around it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chela_core::model::ToolSpec;
use chela_core::queue::Authority;
use chela_core::sandbox::{CommandRequest, CommandResult, Sandbox, SandboxError};
use chela_core::tool::{Caller, Consent, Effect, Tool, ToolAnswer, ToolCall};
use chela_shell::{Verdict, script, shown, verdict, verdict_argv};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arguments::arguments;
use crate::carry::{Carried, pack, unpack};
use crate::process::Runs;

/// Longest run of a call that waits for its end: a tool call ends after 30 s, and files have to be brought back.
const WAITED_S: u64 = 22;

/// Longest run in the background.
const BACKGROUND_S: u64 = 600;

/// Longest command: a person reads all of it before it runs, so what is longer belongs into a file.
const LONGEST: usize = 8 * 1024;

/// Most bytes of output in an answer, and of errors.
pub(crate) const OUTPUT: usize = 24 * 1024;
const ERRORS: usize = 8 * 1024;

/// Where commands run, and what was begun and not yet looked at.
#[derive(Clone)]
pub struct ExecSettings {
    /// The sandbox; or why there is none, and how to get one.
    pub sandbox: Result<Arc<dyn Sandbox>, String>,
    /// Commands in the background.
    pub runs: Arc<Runs>,
}

pub(crate) struct Exec(pub(crate) ExecSettings);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Arguments {
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    argv: Vec<String>,
    #[serde(default)]
    workdir: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    stdin: String,
    #[serde(default, alias = "timeout")]
    timeout_seconds: Option<u64>,
    #[serde(default)]
    background: bool,
}

impl Arguments {
    /// The arguments, if they can be run at all. What is refused here needs nobody's consent.
    fn read(input: &Value) -> Result<Self, String> {
        let read: Self = arguments(input)?;
        let words = read.argv.iter().chain(&read.command);
        if words.map(String::len).sum::<usize>() > LONGEST {
            return Err(format!("The command is longer than {LONGEST} bytes. Write a script and run that."));
        }
        match (&read.command, read.argv.is_empty()) {
            (Some(_), true) | (None, false) => Ok(read),
            _ => Err("Give either command, which a shell reads, or argv, which none does.".to_owned()),
        }
    }

    /// What is run. A line that can be read in one way only is run as it was read; every other as a person has seen it.
    fn argv(&self) -> Vec<String> {
        match &self.command {
            Some(line) => {
                let script = script(line).unwrap_or_else(|| line.clone());
                ["bash".to_owned(), "-c".to_owned(), script].into()
            }
            None => self.argv.clone(),
        }
    }

    /// The programs that would run, each with its arguments; `None` where they cannot be told for sure.
    fn programs(&self) -> Option<Vec<Vec<String>>> {
        let verdict = self.command.as_ref().map_or_else(|| verdict_argv(&self.argv), |line| verdict(line));
        match verdict {
            Verdict::Programs(programs) => Some(programs),
            Verdict::NeedsPerson { .. } => None,
        }
    }

    /// What is asked about: all that decides what happens, each on a line of its own, with everything named that would not
    /// show.
    fn consent(&self) -> Consent {
        let quoted = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
        let line = match &self.command {
            Some(command) => shown(command),
            None => shown(&self.argv.iter().map(quoted).collect::<Vec<_>>().join(" ")),
        };
        let (programs, mut beside) = (self.programs(), self.beside());
        let seen = format!("{line}{beside}");
        // Behind `cd` a name is another file.
        if programs.iter().flatten().any(|argv| argv.first().is_some_and(|program| program == "cd")) {
            beside = seen.clone();
        }
        Consent { shown: seen, programs, beside }
    }

    /// What decides beside the command, in lines of its own.
    fn beside(&self) -> String {
        let mut seen = String::new();
        if let Some(workdir) = &self.workdir {
            seen.push_str(&format!("\nin {}", shown(workdir)));
        }
        for (name, value) in &self.env {
            seen.push_str(&format!("\nwith {}={}", shown(name), shown(value)));
        }
        if !self.stdin.is_empty() {
            seen.push_str(&format!("\nreading {}", shown(&self.stdin)));
        }
        if self.background {
            seen.push_str("\nin the background");
        }
        seen
    }
}

#[async_trait]
impl Tool for Exec {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "exec".into(),
            description:
                "Run a command in a sandbox that holds a copy of your workspace: no network, no secrets, files \
                          it changes come back."
                    .into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "command": { "type": "string", "description": "for bash" },
                    "argv": { "type": "array", "items": { "type": "string" }, "description": "instead: a program and its arguments, read by no shell" },
                    "workdir": { "type": "string", "description": "bring and begin in this folder only" },
                    "env": { "type": "object", "description": "LANG, LC_ALL, TZ, TERM, NO_COLOR, COLUMNS" },
                    "stdin": { "type": "string" },
                    "timeoutSeconds": { "type": "integer", "minimum": 1 },
                    "background": { "type": "boolean", "description": "go on after the answer; process looks after it" },
                },
            }),
        }
    }

    /// Commands do not tell repetitions.
    fn effect(&self) -> Effect {
        Effect::Unkeyed
    }

    fn offered(&self, caller: &Caller) -> bool {
        caller.authority >= Authority::Owner
    }

    fn consent(&self, input: &Value, _caller: &Caller) -> Option<Consent> {
        // Nobody is asked about what would not run anyway.
        self.0.sandbox.as_ref().ok()?;
        let arguments = Arguments::read(input).ok()?;
        Some(arguments.consent())
    }

    async fn run(&self, call: ToolCall<'_>) -> ToolAnswer {
        self.exec(&call).await.map_or_else(ToolAnswer::error, ToolAnswer::ok)
    }
}

impl Exec {
    async fn exec(&self, call: &ToolCall<'_>) -> Result<String, String> {
        if !self.offered(call.caller) {
            return Err("Commands are your human's alone: guests have none.".to_owned());
        }
        let arguments = Arguments::read(call.input)?;
        let sandbox = self.0.sandbox.as_ref().map_err(|why| format!("Commands do not run here: {why}."))?;
        if arguments.background && !sandbox.outlives_a_turn() {
            return Err(format!(
                "Nothing goes on here after a call: the function that runs commands sleeps as soon as it has answered. Run \
                 it without background, in at most {WAITED_S} s, and split what takes longer."
            ));
        }
        let most = if arguments.background { BACKGROUND_S } else { WAITED_S };
        let seconds = arguments.timeout_seconds.unwrap_or(most).clamp(1, most);
        let carried = pack(call, arguments.workdir.as_deref()).await?;
        let request = CommandRequest {
            argv: arguments.argv(),
            env: arguments.env.clone(),
            timeout_ms: seconds.saturating_mul(1000),
            archive: carried.archive.clone(),
            stdin: arguments.stdin.clone(),
        };
        if arguments.background {
            return self.0.runs.begin(call, sandbox.clone(), request, carried, arguments.consent().shown);
        }
        Ok(report(call, &carried, sandbox.run(&request).await).await)
    }
}

/// What came of a command, in words, after its files have been stored.
pub(crate) async fn report(
    call: &ToolCall<'_>,
    carried: &Carried,
    ended: Result<CommandResult, SandboxError>,
) -> String {
    let result = match ended {
        Ok(result) => result,
        Err(SandboxError::Invalid(reason)) => return format!("It was not run: {reason}."),
        Err(SandboxError::Unavailable(reason)) => return format!("{reason}: whether the command ran is not known."),
    };
    let how = match (&result.killed, result.exit_code) {
        (Some(why), _) => format!("killed, because {why}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "ended by a signal".to_owned(),
    };
    let mut lines = vec![format!("{how}, after {} ms", result.duration_ms)];
    let outputs = [("stdout", &result.stdout, OUTPUT), ("stderr", &result.stderr, ERRORS)];
    for (name, text, most) in outputs.into_iter().filter(|(_, text, _)| !text.is_empty()) {
        lines.push(format!("{name}:\n{}", cut(text, most)));
    }
    if result.truncated {
        lines.push("(There was more output than is kept: write it to a file.)".to_owned());
    }
    lines.extend(unpack(call, carried, &result).await);
    lines.join("\n")
}

/// Beginning and end of a text that is too long.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let half = most / 2;
    let head = text.get(..text.floor_char_boundary(half)).unwrap_or_default();
    let tail = text.get(text.ceil_char_boundary(text.len().saturating_sub(half))..).unwrap_or_default();
    let left_out = text.len().saturating_sub(head.len()).saturating_sub(tail.len());
    format!("{head}\n(… {left_out} bytes are left out here …)\n{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consent(input: &Value) -> Consent {
        Arguments::read(input).unwrap().consent()
    }

    #[test]
    fn a_person_is_shown_everything_and_nothing_hides() {
        let all = consent(&json!({
            "command": "echo a\u{202e}b\u{200b}\nrm -rf x\t\\n é", "workdir": "a\u{7}", "env": {"TZ": "UTC\n"}, "stdin": "\u{1b}[2K",
            "background": true,
        }));
        let seen = "echo a⟨U+202E⟩b⟨U+200B⟩⟨U+000A⟩rm -rf x⟨U+0009⟩\\n é\nin a⟨U+0007⟩\nwith TZ=UTC⟨U+000A⟩\nreading ⟨U+001B⟩[2K\n\
                    in the background";
        assert_eq!(all.shown, seen);
        assert_eq!(all.programs, None, "who knows what a shell makes of it");
        let words = consent(&json!({"argv": ["echo", "$(id) x", "", "a' 'b"]}));
        assert_eq!(words.shown, r"'echo' '$(id) x' '' 'a'\'' '\''b'");
        assert_eq!(words.programs, Some(vec![["echo", "$(id) x", "", "a' 'b"].map(str::to_owned).into()]));
    }

    #[test]
    fn what_can_be_read_in_one_way_is_run_as_it_was_read() {
        let read = |command: &str| Arguments::read(&json!({"command": command})).unwrap();
        let plain = read("git  status -s && wc -l \"a b\"");
        assert_eq!(
            plain.programs().unwrap(),
            [vec!["git".to_owned(), "status".into(), "-s".into()], vec!["wc".into(), "-l".into(), "a b".into()]]
        );
        assert_eq!(plain.argv(), ["bash", "-c", "'git' 'status' '-s' && 'wc' '-l' 'a b'"]);
        for doubtful in
            ["ls $HOME", "ls; (id)", "git status `id`", "env git status", "ls *", "ls > x", "sh -c ls", "a=1 ls"]
        {
            let doubtful = read(doubtful);
            assert_eq!(doubtful.programs(), None, "{:?}", doubtful.command);
            assert_eq!(doubtful.argv().last(), doubtful.command.as_ref(), "as it was shown");
        }
        let started = |argv: &[&str]| Arguments::read(&json!({"argv": argv})).unwrap().programs();
        assert!(started(&["git", "status", "$(id)"]).is_some());
        assert_eq!(started(&["env", "git", "status"]), None, "another program runs than the first word says");
        assert_eq!(started(&["sh", "-c", "ls"]), None);
    }

    #[test]
    fn what_is_allowed_for_ever_is_allowed_with_its_folder_and_its_input() {
        let beside = |input: Value| consent(&input).beside;
        assert_eq!(beside(json!({"command": "rm -rf build"})), "");
        let folder = beside(json!({"command": "rm -rf build", "workdir": "site"}));
        let input = beside(json!({"argv": ["tee", "x"], "stdin": "site"}));
        let moved = beside(json!({"command": "cd site && rm -rf build"}));
        assert!(folder.contains("site") && input.contains("site") && moved.contains("cd site"));
        assert_ne!(moved, beside(json!({"command": "cd app && rm -rf build"})));
        assert_ne!(folder, beside(json!({"command": "rm -rf build", "workdir": "app"})));
    }

    #[test]
    fn a_long_head_cannot_push_a_tail_out_of_sight() {
        let long = format!("true {}; id", " ".repeat(LONGEST));
        assert!(Arguments::read(&json!({"command": long})).is_err());
        let fits = format!("true {}; id", " ".repeat(7_000));
        assert!(consent(&json!({"command": fits})).shown.ends_with("; id"));
    }

    #[test]
    fn either_a_command_or_words() {
        for input in [
            json!({}),
            json!({"command": "a", "argv": ["b"]}),
            json!({"argv": []}),
            json!({"command": "a", "host": "gateway"}),
        ] {
            assert!(Arguments::read(&input).is_err(), "{input}");
        }
    }

    #[test]
    fn long_output_keeps_its_end() {
        let text = format!("begin{}end", "ö".repeat(20_000));
        let short = cut(&text, 1_000);
        assert!(short.len() < 1_100 && short.starts_with("begin") && short.ends_with("end"));
        assert_eq!(cut("short", 1_000), "short");
    }
}
