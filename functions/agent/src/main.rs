//! The `agent` function: a batch from one of the lanes, several sessions at once, partial failures.

mod batch;

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use chela_agent::{Agent, Slice};
use chela_app::answer::Answerer;
use chela_app::install::Scope;
use chela_app::live::{CONFIG_KEY, Ground, Live};
use chela_aws::{AwsClients, AwsEnvironment, Bucket, Bus, Lanes, Secrets, Table, LambdaClock};
use chela_core::clock::Millis;
use chela_core::queue::Lane;
use chela_http::HttpClient;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

/// Left at the end of an invocation, so that it ends by itself: time for one last write and the answer.
const MARGIN_MS: u64 = 15_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let lookup = chela_aws::variable;
    chela_app::log::init_json(lookup("CHELA_LOG").as_deref());
    let environment = AwsEnvironment::from_env(lookup);
    let clients = AwsClients::new(&environment, HttpClient::new(environment.http_options())?)?;
    let (clock, queue) = (Arc::new(LambdaClock), Arc::new(Lanes::new(&clients, &environment)?));
    let files = Arc::new(Bucket::new(&clients, &environment)?);
    let table = Arc::new(Table::new(&clients, &environment)?);
    let events = Arc::new(Bus::new(&clients, &environment)?);
    let ground = Ground {
        config_files: files.clone(),
        config_key: CONFIG_KEY.to_owned(),
        files: files.clone(),
        secrets: Arc::new(Secrets::new(&clients, clock.clone(), lookup)),
        variables: Arc::new(lookup),
        clock: clock.clone(),
        scope: Scope::Everything,
    };
    let (live, queue_warm, table_warm) = tokio::join!(
        Live::open(ground),
        queue.warm(Lane::Live),
        table.warm()
    );
    queue_warm?;
    table_warm?;
    let agent = Agent { sessions: table.clone(), access: table, files, events, clock };
    let metrics = Arc::default();
    let answerer = Answerer { agent, queue, live: Arc::new(live?), metrics };
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let started = std::time::Instant::now();
        let slice = Slice { deadline: Millis(event.context.deadline.saturating_sub(MARGIN_MS)) };
        let deliveries = batch::read(event.payload, &environment)?;
        let received = deliveries.len();
        let batch = answerer.answer(deliveries, slice).await;
        let ms = started.elapsed().as_millis();
        tracing::info!(received, turns = batch.turns, failed = batch.failed.len(), notes = ?batch.notes, ms, "batch");
        Ok::<_, Error>(batch::answer(batch.failed))
    }))
    .await
}
