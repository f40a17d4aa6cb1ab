//! The Lambda Runtime API, as much of it as a function needs: the real binary asks for events and answers them.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::http::{Wire, answer};
use crate::process::Process;
use crate::signing::now_s;

/// Longest wait for a function to say anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time of an invocation, as infra/template.yaml gives it to the agent.
const FUNCTION_TIMEOUT_S: u64 = 180;

/// A function that runs and waits for its next event.
pub(crate) struct Function {
    name: String,
    process: Process,
    said: UnboundedReceiver<Said>,
    next: oneshot::Sender<Vec<u8>>,
    invocations: u32,
}

/// How a function started.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    /// From spawning it to its first request for an event.
    pub(crate) wall_ms: f64,
    /// CPU it took till then.
    pub(crate) cpu_ms: f64,
}

/// What a function says to the Runtime API.
enum Said {
    /// It wants an event, which is to be sent there.
    Next(Instant, oneshot::Sender<Vec<u8>>),
    /// It answered an event.
    Done(Vec<u8>),
    /// It could not start, or could not answer.
    Failed(String),
}

impl Function {
    /// Starts a binary as Lambda does, with `variables` beside Lambda's own, and waits until it asks for an event.
    pub(crate) async fn start(
        binary: &Path,
        variables: &[(String, String)],
        log: PathBuf,
    ) -> anyhow::Result<(Self, Start)> {
        let name = binary.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut environment = lambda_variables(&listener.local_addr()?.to_string(), &name);
        environment.extend_from_slice(variables);
        let (sender, mut said) = unbounded_channel();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    wire = Wire::accept(&listener) => {
                        let Ok(wire) = wire else { return };
                        tokio::spawn(serve(wire, sender.clone()));
                    }
                    () = sender.closed() => return,
                }
            }
        });
        let spawned = Instant::now();
        let mut process = Process::start(binary, &[], &environment, log)?;
        match hear(&mut said, &mut process).await.with_context(|| format!("{name} does not start"))? {
            Said::Next(at, next) => {
                let start = Start { wall_ms: (at - spawned).as_secs_f64() * 1000.0, cpu_ms: process.precise_cpu_ms()? };
                Ok((Self { name, process, said, next, invocations: 0 }, start))
            }
            Said::Failed(reason) => bail!("{name} could not start: {reason}\n{}", process.last_words()),
            Said::Done(_) => bail!("{name} answered before it was asked"),
        }
    }

    /// Hands it an event and returns what it answers.
    pub(crate) async fn invoke(mut self, event: &Value) -> anyhow::Result<(Self, Value)> {
        self.invocations += 1;
        let deadline = (now_s() + FUNCTION_TIMEOUT_S) * 1000;
        let headers = format!(
            "lambda-runtime-aws-request-id: 00000000-0000-0000-0000-{:012}\r\nlambda-runtime-deadline-ms: {deadline}\r\n\
             lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:chela-bench\r\n",
            self.invocations
        );
        let event = answer(200, &headers, event.to_string().as_bytes());
        let name = self.name.clone();
        self.next.send(event).ok().with_context(|| format!("{name} hung up"))?;
        let body = match hear(&mut self.said, &mut self.process).await? {
            Said::Done(body) => body,
            Said::Failed(reason) => bail!("{name} failed: {reason}\n{}", self.process.last_words()),
            Said::Next(..) => bail!("{name} wants another event before it has answered this one"),
        };
        let Said::Next(_, next) = hear(&mut self.said, &mut self.process).await? else {
            bail!("{name} answered twice");
        };
        self.next = next;
        let value = serde_json::from_slice(&body).with_context(|| format!("the answer of {name} is no JSON"))?;
        Ok((self, value))
    }

    /// CPU it took so far, in ms.
    pub(crate) fn cpu_ms(&self) -> anyhow::Result<f64> {
        self.process.precise_cpu_ms()
    }

    /// A line of its `/proc/<pid>/status`, in MB.
    pub(crate) fn memory_mb(&self, line: &str) -> anyhow::Result<f64> {
        self.process.memory_mb(line)
    }

    /// Bytes it logged so far.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.process.log_bytes()
    }
}

/// One connection of a function. It may use several: which one carries what is its business.
async fn serve(mut wire: Wire, sender: UnboundedSender<Said>) {
    let accepted = answer(202, "", b"{}");
    while let Ok(Some(request)) = wire.read_request().await {
        if request.target().ends_with("/invocation/next") {
            let (event, wanted) = oneshot::channel();
            if sender.send(Said::Next(Instant::now(), event)).is_err() {
                return;
            }
            let Ok(event) = wanted.await else { return };
            if wire.write(&event).await.is_err() {
                return;
            }
            continue;
        }
        let said = match request.target().ends_with("/response") {
            true => Said::Done(request.body),
            false => Said::Failed(String::from_utf8_lossy(&request.body).into_owned()),
        };
        if wire.write(&accepted).await.is_err() || sender.send(said).is_err() {
            return;
        }
    }
}

async fn hear(said: &mut UnboundedReceiver<Said>, process: &mut Process) -> anyhow::Result<Said> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        // Short, so that a function that ended is not waited for.
        if let Ok(said) = timeout(Duration::from_millis(200), said.recv()).await {
            return said.context("the Runtime API has ended");
        }
        process.check()?;
    }
    bail!("nothing for {PATIENCE:?}:\n{}", process.last_words())
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
fn lambda_variables(api: &str, name: &str) -> Vec<(String, String)> {
    let variables = [
        ("AWS_LAMBDA_RUNTIME_API", api),
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/chela-bench"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("_HANDLER", "bootstrap"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}
