//! The `heartbeat` function: a schedule fired; its turn is queued in the scheduled lane.

use std::sync::Arc;

use chela_app::beat::Beater;
use chela_app::install::Scope;
use chela_app::live::{CONFIG_KEY, Ground, Live};
use chela_aws::{AwsClients, AwsEnvironment, Bucket, Lanes, Secrets, LambdaClock};
use chela_core::clock::Clock as _;
use chela_core::queue::Lane;
use chela_http::HttpClient;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let lookup = chela_aws::variable;
    chela_app::log::init_json(lookup("CHELA_LOG").as_deref());
    let environment = AwsEnvironment::from_env(lookup);
    let clients = AwsClients::new(&environment, HttpClient::new(environment.http_options())?)?;
    let (clock, queue) = (Arc::new(LambdaClock), Arc::new(Lanes::new(&clients, &environment)?));
    let files = Arc::new(Bucket::new(&clients, &environment)?);
    let ground = Ground {
        config_files: files.clone(),
        config_key: CONFIG_KEY.to_owned(),
        files,
        secrets: Arc::new(Secrets::new(&clients, clock.clone(), lookup)),
        variables: Arc::new(lookup),
        clock: clock.clone(),
        scope: Scope::Nothing,
    };
    let (live, warm) =
        tokio::join!(Live::open(ground), queue.warm(Lane::Scheduled));
    warm?;
    let beater = Beater { queue, live: Arc::new(live?), clock: clock.clone() };
    run(service_fn(async |event: LambdaEvent<Value>| {
        let firing = chela_aws::firing(&event.payload, clock.now())?;
        let beat = beater.beat(&firing).await?;
        tracing::info!(schedule = firing.name, scheduled_at = firing.scheduled_at.0, beat = ?beat, "heartbeat");
        Ok::<_, Error>(())
    }))
    .await
}
