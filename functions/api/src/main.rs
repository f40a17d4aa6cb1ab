//! The `api` function: health, readiness, `POST /message`, pairing, channels, sessions, dead letters, metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_app::api::Api;
use chela_app::install::Scope;
use chela_app::live::Live;
use chela_core::queue::Lane;
use chela_lambda::Deployment;
use lambda_http::{Error, Request, run, service_fn};

/// Each look at the table is billed, and the answer of a model takes seconds.
const POLL_EVERY: Duration = Duration::from_millis(250);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let deployment = Deployment::open()?;
    let table = deployment.table()?;
    let ground = deployment.ground(Scope::Api);
    let (live, queue, warm) = tokio::join!(Live::open(ground), deployment.queue.warm(Lane::Live), table.warm());
    queue?;
    warm?;
    let api = Api {
        queue: deployment.queue.clone(),
        dead_letters: deployment.queue,
        sessions: table.clone(),
        directory: table.clone(),
        erasure: table.clone(),
        access: table.clone(),
        channels: table.clone(),
        spend: table.clone(),
        approvals: table.clone(),
        audit: table,
        live: Arc::new(live?),
        clock: deployment.clock,
        metrics: Arc::default(),
        own_key: None,
        poll_every: POLL_EVERY,
    };
    run(service_fn(async |request: Request| {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let (path, query, body) = (parts.uri.path(), parts.uri.query().unwrap_or_default(), chela_lambda::body(body));
        let ack = api.handle(&parts.method, path, query, &parts.headers, &body).await;
        let ms = started.elapsed().as_millis();
        tracing::info!(method = %parts.method, path, status = ack.status.as_u16(), ms, "api");
        Ok::<_, Error>(chela_lambda::answer(ack)?)
    }))
    .await
}
