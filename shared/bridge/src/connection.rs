//! A connection to a platform, and keeping it.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::backoff::Backoff;

/// A platform's connection.
#[async_trait]
pub trait Connection: Send {
    /// What it connects to, for the log.
    fn name(&self) -> String;

    /// Connects, and holds the connection until it breaks or `stopping` becomes true. What it hears is in the store
    /// before it is confirmed to the platform. Called again after each loss.
    async fn hold(&mut self, stopping: &mut watch::Receiver<bool>) -> Ended;

    /// How patient to be with the platform.
    fn patience(&self) -> Backoff {
        Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) }
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// We were asked to stop.
    Stopped,
    /// It broke: connect again.
    Lost {
        /// What was seen, free of secrets.
        reason: String,
        /// Whether it had worked before.
        worked: bool,
    },
    /// The platform will never take us as we are: its owner must change something.
    Hopeless(String),
}

/// Keeps a connection until `stopping` becomes true. The error is what its owner must change.
pub async fn keep(connection: &mut dyn Connection, mut stopping: watch::Receiver<bool>) -> Result<(), String> {
    let (name, patience) = (connection.name(), connection.patience());
    let mut failures = 0_u32;
    loop {
        if *stopping.borrow_and_update() {
            return Ok(());
        }
        let (reason, worked) = match connection.hold(&mut stopping).await {
            Ended::Stopped => return Ok(()),
            Ended::Hopeless(reason) => return Err(format!("{name}: {reason}")),
            Ended::Lost { reason, worked } => (reason, worked),
        };
        failures = if worked { 1 } else { failures.saturating_add(1) };
        let wait = patience.after(failures);
        tracing::warn!(%name, reason, failures, wait_ms = wait.as_millis(), "connection lost");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stopped(&mut stopping) => return Ok(()),
        }
    }
}

/// Resolves once `stopping` is true, or nobody is left who could say so.
pub async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scripted(Vec<Ended>);

    #[async_trait]
    impl Connection for Scripted {
        fn name(&self) -> String {
            "x".to_owned()
        }

        async fn hold(&mut self, stopping: &mut watch::Receiver<bool>) -> Ended {
            match self.0.pop() {
                Some(ended) => ended,
                None => {
                    stopped(stopping).await;
                    Ended::Stopped
                }
            }
        }
    }

    fn lost(worked: bool) -> Ended {
        Ended::Lost { reason: "gone".to_owned(), worked }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_connection_is_made_again_ever_later_until_it_worked() {
        let (_stop, stopping) = watch::channel(false);
        let began = tokio::time::Instant::now();
        let mut script = Scripted(vec![Ended::Hopeless("the password".to_owned()), lost(true)]);
        script.0.extend((0..6).map(|_| lost(false)));
        assert_eq!(keep(&mut script, stopping).await, Err("x: the password".to_owned()));
        // Half to whole of 1+2+4+8+16+32 s, and then of 1 s, because it had worked.
        let took = began.elapsed().as_secs_f64();
        assert!((32.0..=64.1).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_ends_the_wait_and_the_connection() {
        for script in [vec![], vec![lost(false)]] {
            let (stop, stopping) = watch::channel(false);
            let mut connection = Scripted(script);
            let (kept, ()) = tokio::join!(keep(&mut connection, stopping), async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                stop.send(true).unwrap();
            });
            assert_eq!(kept, Ok(()));
        }
    }
}
