//! The `webhook` function: one platform's requests, verified, parsed and queued. Deployed once per platform with
//! `CHANNEL=<id>`.

mod request;

use std::sync::Arc;

use anyhow::Context as _;
use chela_app::install::Scope;
use chela_app::live::{CONFIG_KEY, Ground, Live};
use chela_app::receive::Receiver;
use chela_aws::{AwsClients, AwsEnvironment, Bucket, Lanes, Secrets, Table, LambdaClock};
use chela_core::queue::Lane;
use chela_http::HttpClient;
use lambda_http::{Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let lookup = chela_aws::variable;
    chela_app::log::init_json(lookup("CHELA_LOG").as_deref());
    let channel = lookup("CHANNEL").context("CHANNEL is not set: infra/template.yaml names the channel of each webhook")?;
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
        scope: Scope::Channel(channel.clone()),
    };
    // The connection to the queue is made while the configuration is read: the first message waits for neither.
    let (live, warm) = tokio::join!(Live::open(ground), queue.warm(Lane::Live));
    warm.context("the queue cannot be reached")?;
    let sessions = Arc::new(Table::new(&clients, &environment)?);
    let receiver = Receiver::new(queue, sessions, Arc::new(live?), clock.clone(), Arc::default());
    run(service_fn(async |request: Request| {
        let started = std::time::Instant::now();
        let (account, raw) = request::read(&channel, request, clock.as_ref());
        let (ack, received) = receiver.receive(&channel, &account, raw).await;
        tracing::info!(
            channel, account, status = ack.status.as_u16(), accepted = received.accepted,
            ignored = ?received.ignored, rejected = received.rejected, ms = started.elapsed().as_millis(), "webhook"
        );
        Ok::<_, Error>(request::answer(ack)?)
    }))
    .await
}
