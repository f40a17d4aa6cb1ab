//! The `webhook` function: one platform's requests, verified, parsed and queued. Deployed once per platform with
//! `CHANNEL=<id>`.

mod request;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use chela_app::install::Scope;
use chela_app::live::Live;
use chela_app::receive::Receiver;
use chela_core::queue::Lane;
use chela_lambda::Deployment;
use lambda_http::{Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let channel = chela_aws::variable("CHANNEL")
        .context("CHANNEL is not set: infra/template.yaml names the channel of each webhook")?;
    let deployment = Deployment::open()?;
    let ground = deployment.ground(Scope::Channel(channel.clone()));
    // The connection to the queue is made while the configuration is read: the first message waits for neither.
    let (live, warm) = tokio::join!(Live::open(ground), deployment.queue.warm(Lane::Live));
    warm.context("the queue cannot be reached")?;
    let clock = deployment.clock.clone();
    let receiver = Receiver::new(deployment.doorway()?, Arc::new(live?), Arc::default());
    run(service_fn(async |request: Request| {
        let started = Instant::now();
        let (account, raw) = request::read(&channel, request, clock.as_ref());
        let (ack, received) = receiver.receive(&channel, &account, raw).await;
        tracing::info!(
            channel,
            account,
            status = ack.status.as_u16(),
            accepted = received.accepted,
            ignored = ?received.ignored,
            rejected = received.rejected,
            ms = started.elapsed().as_millis(),
            "webhook"
        );
        Ok::<_, Error>(chela_lambda::answer(ack)?)
    }))
    .await
}
