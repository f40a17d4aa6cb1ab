//! Servers that are programs: one JSON object a line on their standard input and output.

use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::error::McpError;
use crate::protocol::{METHOD_NOT_FOUND, Message};
use crate::settings::{Launcher, Program};
use crate::transport::{Outgoing, Reply, Transport};

/// Variables that a program gets of ours: none of them is a credential or says what code is loaded.
const PASSED_ON: [&str; 9] = ["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER"];

/// Longest line.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Starts programs, with those of `variable` that every program gets.
pub fn launcher(variable: fn(&str) -> Option<String>) -> Launcher {
    Arc::new(move |program| Arc::new(Piped { program, variable, running: Mutex::new(None) }) as Arc<dyn Transport>)
}

struct Piped {
    program: Program,
    variable: fn(&str) -> Option<String>,
    running: Mutex<Option<Running>>,
}

/// A program that runs. It is killed when this is dropped.
struct Running {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// What was read of the next line.
    line: Vec<u8>,
    /// Whether a line is being written. If whoever wrote it gave up, nobody knows how much of it arrived.
    writing: bool,
}

#[async_trait]
impl Transport for Piped {
    async fn send(&self, message: Outgoing<'_>) -> Result<Reply, McpError> {
        let mut running = self.running.lock().await;
        if running.as_mut().is_none_or(|program| program.writing || !matches!(program.child.try_wait(), Ok(None))) {
            *running = Some(self.start()?);
        }
        let Some(program) = running.as_mut() else { return Err(McpError::Unreachable("it does not run".to_owned())) };
        let exchanged = tokio::time::timeout(message.timeout, program.exchange(message.body, message.id)).await;
        match exchanged {
            Ok(Ok(result)) => Ok(Reply { result, session: None }),
            Ok(Err(error @ McpError::Refused(_))) => Err(error),
            // Nobody knows what stands half written in its pipes: the next call starts it anew.
            Ok(Err(error)) => {
                *running = None;
                Err(error)
            }
            Err(_) => Err(McpError::Unknown(format!("it took longer than {} s", message.timeout.as_secs()))),
        }
    }
}

impl Piped {
    fn start(&self) -> Result<Running, McpError> {
        let Program { command, args, env } = &self.program;
        let inherited = PASSED_ON.iter().filter_map(|name| Some((*name, (self.variable)(name)?)));
        let mut started = Command::new(command)
            .args(args)
            .env_clear()
            .envs(inherited)
            .envs(env.iter().map(|(name, value)| (name, value.expose())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| McpError::Unreachable(format!("\"{command}\" does not start: {error}")))?;
        match (started.stdin.take(), started.stdout.take()) {
            (Some(input), Some(output)) => {
                Ok(Running { child: started, input, output, line: Vec::new(), writing: false })
            }
            _ => Err(McpError::Unreachable(format!("\"{command}\" has no standard input or output"))),
        }
    }
}

impl Running {
    async fn exchange(&mut self, body: &Value, id: Option<u64>) -> Result<Value, McpError> {
        self.write(body).await?;
        let Some(id) = id else { return Ok(Value::Null) };
        loop {
            let line = self.line().await?;
            // Some programs greet on their standard output.
            let Ok(value) = serde_json::from_slice(&line) else { continue };
            match Message::read(value) {
                Message::Result(of, result) if of == id => return Ok(result),
                Message::Error(Some(of), refusal) if of == id => return Err(McpError::Refused(refusal)),
                Message::Request(asked, method) if method == "ping" => {
                    self.write(&json!({ "jsonrpc": "2.0", "id": asked, "result": {} })).await?;
                }
                Message::Request(asked, _) => {
                    let error = json!({ "code": METHOD_NOT_FOUND, "message": "this client cannot do that" });
                    self.write(&json!({ "jsonrpc": "2.0", "id": asked, "error": error })).await?;
                }
                // Answers to questions that were given up.
                _ => {}
            }
        }
    }

    async fn write(&mut self, body: &Value) -> Result<(), McpError> {
        let line = format!("{body}\n");
        self.writing = true;
        let written = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.flush().await
        };
        written.await.map_err(|error| McpError::Unreachable(format!("it does not read: {error}")))?;
        self.writing = false;
        Ok(())
    }

    /// The next line. What was read of it stays where it is if nobody waits any longer.
    async fn line(&mut self) -> Result<Vec<u8>, McpError> {
        loop {
            if let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
                let rest = self.line.split_off(end.saturating_add(1));
                return Ok(std::mem::replace(&mut self.line, rest));
            }
            if self.line.len() > MOST_BYTES {
                return Err(McpError::Broken("a line never ends".to_owned()));
            }
            let read = self.output.read_buf(&mut self.line).await;
            if !matches!(read, Ok(bytes) if bytes > 0) {
                return Err(McpError::Unknown("the program ended".to_owned()));
            }
        }
    }
}
