//! The `api` function: health, readiness, `POST /message`, metrics.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chela_app::api::Api;
use chela_app::install::Scope;
use chela_app::live::{CONFIG_KEY, Ground, Live};
use chela_aws::{AwsClients, AwsEnvironment, Bucket, Lanes, Secrets, Table, LambdaClock};
use chela_core::queue::Lane;
use chela_http::HttpClient;
use lambda_http::{Body, Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let lookup = chela_aws::variable;
    chela_app::log::init_json(lookup("CHELA_LOG").as_deref());
    let environment = AwsEnvironment::from_env(lookup);
    let clients = AwsClients::new(&environment, HttpClient::new(environment.http_options())?)?;
    let (clock, queue) = (Arc::new(LambdaClock), Arc::new(Lanes::new(&clients, &environment)?));
    let files = Arc::new(Bucket::new(&clients, &environment)?);
    let sessions = Arc::new(Table::new(&clients, &environment)?);
    let ground = Ground {
        config_files: files.clone(),
        config_key: CONFIG_KEY.to_owned(),
        files,
        secrets: Arc::new(Secrets::new(&clients, clock.clone(), lookup)),
        variables: Arc::new(lookup),
        clock: clock.clone(),
        scope: Scope::Api,
    };
    let (live, queue_warm, table_warm) = tokio::join!(
        Live::open(ground),
        queue.warm(Lane::Live),
        sessions.warm()
    );
    queue_warm?;
    table_warm?;
    // Each look at the table is billed; the answer of a model takes seconds.
    let poll_every = Duration::from_millis(250);
    let api = Api { queue, sessions: sessions.clone(), access: sessions, live: Arc::new(live?), clock, metrics: Arc::default(), own_key: None, poll_every };
    run(service_fn(async |request: Request| {
        let started = std::time::Instant::now();
        let (parts, body) = request.into_parts();
        let body = match body {
            Body::Text(text) => Bytes::from(text),
            Body::Binary(bytes) => Bytes::from(bytes),
            _ => Bytes::new(),
        };
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let ack = api.handle(&parts.method, path, query, &parts.headers, &body).await;
        let ms = started.elapsed().as_millis();
        tracing::info!(method = %parts.method, path, status = ack.status.as_u16(), ms, "api");
        let body = Body::Text(String::from_utf8_lossy(&ack.body).into_owned());
        Ok::<_, Error>(Response::builder().status(ack.status).header("content-type", ack.content_type).body(body)?)
    }))
    .await
}
