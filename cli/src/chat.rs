//! `chela chat`: a conversation in the terminal, with a gateway that runs or with one of its own.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::place::Place;
use crate::remote::{Remote, RemoteOptions};
use crate::show::{BAD, FAINT, GOOD, line, note};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela chat\n  chela chat \"What is on my list?\"\n  chela chat --url https://…lambda-url… --key $CHELA_API_KEY"
)]
pub(crate) struct Chat {
    /// Say this, print the answer, and end
    message: Option<String>,
    /// Who is speaking: one name, one conversation
    #[arg(long, default_value = "owner")]
    peer: String,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    place: Place,
}

impl Chat {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let remote = self.remote.open(&self.place).await?;
        if remote.answers().await {
            return self.talk(&remote).await;
        }
        anyhow::ensure!(!self.remote.is_given(), "{} does not answer", remote.url());
        note(&format!(
            "{FAINT}No gateway answers at {}; starting one here for this conversation.{FAINT:#}",
            remote.url()
        ));
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let gateway = Gateway::open(&self.place, Some(address)).await?;
        let key = gateway.live.current().await.api_key.clone().unwrap_or_else(|| gateway.own_key.clone());
        let remote = Remote::new(&format!("http://{}", gateway.address), Some(key))?;
        let talked = self.talk(&remote).await;
        gateway.close().await?;
        talked
    }

    async fn talk(&self, remote: &Remote) -> anyhow::Result<()> {
        if let Some(message) = &self.message {
            line(&self.say(remote, message).await?);
            return Ok(());
        }
        let interactive = std::io::stdin().is_terminal();
        if interactive {
            note(&format!("{FAINT}/help lists commands; an empty line or Ctrl-D ends.{FAINT:#}"));
        }
        loop {
            if interactive {
                let _ = write!(anstream::stderr(), "{GOOD}you{GOOD:#} ");
                let _ = anstream::stderr().flush();
            }
            let Some(text) = read_line().await? else { return Ok(()) };
            if text.trim().is_empty() {
                if interactive {
                    return Ok(());
                }
                continue;
            }
            match self.say(remote, &text).await {
                Ok(reply) => line(&reply),
                Err(error) => note(&format!("{BAD}not answered{BAD:#} {error:#}")),
            }
        }
    }

    /// Says something and waits, with a sign of life, for the answer.
    async fn say(&self, remote: &Remote, text: &str) -> anyhow::Result<String> {
        let ask = json!({"text": text, "peer": self.peer, "wait": 25});
        let mut answer = waiting(remote.post("/message", &ask)).await?;
        while answer.get("reply").is_none() {
            let part = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let path = format!("/message?session={}&event={}", encode(&part("session")), encode(&part("event")));
            tokio::time::sleep(Duration::from_millis(500)).await;
            answer = waiting(remote.get(&path)).await?;
        }
        Ok(answer.get("reply").and_then(Value::as_str).unwrap_or_default().to_owned())
    }
}

/// A line of standard input; `None` at its end. The gateway of this process goes on meanwhile.
async fn read_line() -> anyhow::Result<Option<String>> {
    let read = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        let bytes = std::io::stdin().lock().read_line(&mut text)?;
        Ok::<_, std::io::Error>((bytes > 0).then_some(text))
    });
    read.await.context("standard input broke")?.context("standard input cannot be read")
}

/// Shows that something happens while it takes long.
async fn waiting<T>(work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    let shows = std::io::stderr().is_terminal();
    for dots in 0usize.. {
        match tokio::time::timeout(Duration::from_millis(400), &mut work).await {
            Ok(done) => {
                if shows && dots > 0 {
                    let _ = write!(anstream::stderr(), "\r\x1b[K");
                }
                return done;
            }
            Err(_) if shows => {
                let _ = write!(anstream::stderr(), "\r{FAINT}thinking{}{FAINT:#}\x1b[K", ".".repeat(dots % 4));
                let _ = anstream::stderr().flush();
            }
            Err(_) => {}
        }
    }
    work.await
}

fn encode(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn session_keys_survive_the_query() {
        assert_eq!(super::encode("agent:main:ü"), "agent%3Amain%3A%C3%BC");
    }
}
