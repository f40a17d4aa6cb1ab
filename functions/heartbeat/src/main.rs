//! The `heartbeat` function: a schedule fired; its turn is queued in the scheduled lane.

use std::sync::Arc;

use chela_app::beat::Beater;
use chela_app::install::Scope;
use chela_app::live::Live;
use chela_core::clock::Clock as _;
use chela_core::queue::Lane;
use chela_lambda::Deployment;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let deployment = Deployment::open()?;
    let ground = deployment.ground(Scope::Nothing);
    let (live, warm) = tokio::join!(Live::open(ground), deployment.queue.warm(Lane::Scheduled));
    warm?;
    let clock = deployment.clock;
    let beater = Beater { queue: deployment.queue, live: Arc::new(live?), clock: clock.clone() };
    run(service_fn(async |event: LambdaEvent<Value>| {
        let firing = chela_aws::firing(&event.payload, clock.now())?;
        let beat = beater.beat(&firing).await?;
        tracing::info!(schedule = firing.name, scheduled_at = firing.scheduled_at.0, beat = ?beat, "heartbeat");
        Ok::<_, Error>(())
    }))
    .await
}
