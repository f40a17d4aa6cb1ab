//! The `agent` function: a batch from one of the lanes, several sessions at once, partial failures.

mod batch;

use std::sync::Arc;
use std::time::Instant;

use aws_lambda_events::event::sqs::SqsEvent;
use chela_agent::{Agent, ChannelNotes, Known, Slice};
use chela_app::answer::Answerer;
use chela_app::install::Scope;
use chela_app::live::{Ground, Live};
use chela_app::wished::Wished;
use chela_aws::Bus;
use chela_core::clock::Millis;
use chela_lambda::Deployment;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

/// Left at the end of an invocation, so that it ends by itself: time for one last write and the answer.
const MARGIN_MS: u64 = 15_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let deployment = Deployment::open()?;
    let table = deployment.table()?;
    let events = Arc::new(Bus::new(&deployment.clients, &deployment.environment)?);
    let schedules = deployment.schedules()?;
    let inside = deployment.inside(&table, schedules.clone());
    let ground = Ground { inside, ..deployment.ground(Scope::Everything) };
    // The queue is not warmed: only a turn that has to wait speaks to it.
    let (live, warm) = tokio::join!(Live::open(ground), table.warm());
    warm?;
    let live = Arc::new(live?);
    let Deployment { environment, clock, queue, .. } = deployment;
    let channels = Arc::new(ChannelNotes::new(table.clone()));
    let agent = Agent {
        sessions: table.clone(),
        access: table.clone(),
        files: live.files().clone(),
        channels,
        events,
        queue: queue.clone(),
        directory: table.clone(),
        spend: table.clone(),
        approvals: table.clone(),
        audit: table.clone(),
        schedules,
        cooldowns: table,
        known: Known::default(),
        clock,
    };
    let answerer = Answerer { agent, queue, live, metrics: Arc::default(), wished: Wished::default() };
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let started = Instant::now();
        let slice = Slice { deadline: Millis(event.context.deadline.saturating_sub(MARGIN_MS)) };
        let deliveries = batch::read(event.payload, &environment)?;
        let received = deliveries.len();
        answerer.take_over(&deliveries).await;
        let batch = answerer.answer(deliveries, slice).await;
        answerer.live.rest().await;
        let ms = started.elapsed().as_millis();
        tracing::info!(received, turns = batch.turns, failed = batch.failed.len(), notes = ?batch.notes, ms, "batch");
        Ok::<_, Error>(batch::answer(batch.failed))
    }))
    .await
}
