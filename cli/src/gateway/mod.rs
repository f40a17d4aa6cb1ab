//! `chela run`: every function in one process, on the embedded store.

mod expiry;
mod key;
mod server;
mod timer;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chela_agent::{Agent, ChannelNotes, Known};
use chela_app::answer::Answerer;
use chela_app::api::Api;
use chela_app::beat::Beater;
use chela_app::install::Scope;
use chela_app::live::{Inside, Live, Records};
use chela_app::metrics::Metrics;
use chela_app::receive::{Ports, Receiver};
use chela_app::wished::Wished;
use chela_core::agent_id::AgentId;
use chela_core::clock::{Clock, Millis};
use chela_core::queue::Lane;
use chela_embedded::Embedded;
use clap::Args;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub(crate) use self::key::read_key;
use crate::place::{Place, variable};
use crate::show::{BAD, CODE, FAINT, GOOD, WARN, note};

/// How often an answer is looked for by `POST /message`: a look at the embedded store costs microseconds.
const POLL_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela run\n  chela run --config ~/.chela/chela.json5 --data ~/.chela --listen 127.0.0.1:9000"
)]
pub(crate) struct Run {
    #[command(flatten)]
    place: Place,
    /// Address and port, instead of `gateway.listen`
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// A gateway whose doors are open.
pub(crate) struct Gateway {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The key of its API, if the configuration has none.
    pub(crate) own_key: chela_core::secret::Secret,
    /// What is configured.
    pub(crate) live: Arc<Live>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// Runs a command that waits.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // One thread: a turn is a few hundred microseconds of work between waits, and the store has a thread of its own.
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?.block_on(work)
}

impl Run {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        start_logging();
        let gateway = Gateway::open(&self.place, self.listen).await?;
        let built = gateway.live.current().await;
        greet(&gateway, &built, &self.place);
        interrupted().await;
        note(&format!("{FAINT}finishing what has begun …{FAINT:#}"));
        gateway.close().await
    }
}

impl Gateway {
    /// Opens the store, the doors and the workers. The workspace of every agent is seeded; what is there stays.
    pub(crate) async fn open(place: &Place, listen: Option<SocketAddr>) -> anyhow::Result<Self> {
        let store = place.open_store()?;
        let clock = Place::clock();
        let mut ground = place.ground(store.blobs.clone(), Scope::Everything)?;
        ground.commands = Place::commands().await;
        ground.inside = inside(&store, clock.now());
        let live = Arc::new(Live::open(ground).await?);
        let built = live.current().await;
        for id in built.config.agents.ids() {
            // Seeds the workspace, so that a newcomer finds its files before the first message.
            live.installation(&AgentId::new(&id)).await;
        }
        let own_key = key::own_key(&place.data, clock.as_ref())?;
        let wanted = listen.unwrap_or(built.config.gateway.listen);
        anyhow::ensure!(
            wanted.ip().is_loopback() || built.api_key.is_some(),
            "{wanted} can be reached from elsewhere: set gateway.auth.token first, or listen on 127.0.0.1"
        );
        let listener = server::listen(wanted).await?;
        let address = listener.local_addr().context("the listener has no address")?;
        let metrics = Arc::new(Metrics::default());
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let doors = doors(&store, &live, &clock, &metrics, own_key.clone());
        tasks.spawn(server::serve(listener, Arc::new(doors), stopped(stopping.clone())));
        let answerer = Arc::new(answerer(&store, &live, &clock, &metrics));
        for lane in Lane::ALL {
            let (queue, answerer, clock) = (store.queue.clone(), answerer.clone(), clock.clone());
            let worker = worker::Worker { lane, queue, answerer, clock };
            let stopping = stopping.clone();
            tasks.spawn(async move {
                worker.run(stopping).await;
                Ok(())
            });
        }
        let beater = Beater { queue: store.queue.clone(), live: live.clone(), clock: clock.clone() };
        let timer = timer::Timer { schedules: store.schedules.clone(), beater, live: live.clone(), clock };
        tasks.spawn(timer.run(stopped(stopping.clone())));
        tasks.spawn(expiry::run(store.blobs.clone(), stopped(stopping)));
        Ok(Self { address, own_key, live, stop, tasks })
    }

    /// Closes the doors and finishes what has begun.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        let _ = self.stop.send(true);
        while let Some(task) = self.tasks.join_next().await {
            task.context("a task broke")??;
        }
        Ok(())
    }
}

/// What tools for the house itself work on.
fn inside(store: &Embedded, since: Millis) -> Inside {
    let sessions = &store.sessions;
    let records = Records {
        channels: sessions.clone(),
        cooldowns: sessions.clone(),
        spend: sessions.clone(),
        place: "chela run, on a machine of its own",
        since,
    };
    Inside { schedules: Some(store.schedules.clone()), records: Some(records) }
}

fn doors(
    store: &Embedded,
    live: &Arc<Live>,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
    own_key: chela_core::secret::Secret,
) -> server::Doors {
    let (queue, sessions) = (store.queue.clone(), store.sessions.clone());
    let ports = Ports {
        queue: queue.clone(),
        sessions: sessions.clone(),
        directory: sessions.clone(),
        access: sessions.clone(),
        channels: Arc::new(ChannelNotes::new(sessions.clone())),
        files: store.blobs.clone(),
        clock: clock.clone(),
    };
    let receiver = Receiver::new(ports, live.clone(), metrics.clone());
    let api = Api {
        queue: queue.clone(),
        dead_letters: queue,
        sessions: sessions.clone(),
        directory: sessions.clone(),
        erasure: sessions.clone(),
        access: sessions.clone(),
        channels: sessions.clone(),
        spend: sessions.clone(),
        approvals: sessions.clone(),
        audit: sessions,
        live: live.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        own_key: Some(own_key),
        poll_every: POLL_EVERY,
    };
    server::Doors { receiver, api, clock: clock.clone() }
}

fn answerer(store: &Embedded, live: &Arc<Live>, clock: &Arc<dyn Clock>, metrics: &Arc<Metrics>) -> Answerer {
    let agent = Agent {
        sessions: store.sessions.clone(),
        access: store.sessions.clone(),
        files: live.files().clone(),
        channels: Arc::new(ChannelNotes::new(store.sessions.clone())),
        events: store.events.clone(),
        queue: store.queue.clone(),
        directory: store.sessions.clone(),
        spend: store.sessions.clone(),
        approvals: store.sessions.clone(),
        audit: store.sessions.clone(),
        schedules: store.schedules.clone(),
        cooldowns: store.sessions.clone(),
        known: Known::default(),
        clock: clock.clone(),
    };
    let (queue, wished) = (store.queue.clone(), Wished::default());
    Answerer { agent, queue, live: live.clone(), metrics: metrics.clone(), wished }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone: that is a stop too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Resolves when a person or the system asks the process to end.
pub(crate) async fn interrupted() {
    tokio::select! {
        // Where there are no signals, one can still be killed.
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = terminated() => {}
    }
}

async fn terminated() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

/// People read logs in a terminal, machines read JSON from a pipe.
pub(crate) fn start_logging() {
    let level = variable("CHELA_LOG");
    if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        chela_app::log::hush_panics();
        let lines = tracing_subscriber::fmt::layer().compact().with_target(false);
        let lines = lines.with_filter(chela_app::log::filter(level.as_deref()));
        let _ = tracing_subscriber::registry().with(lines).try_init();
    } else {
        chela_app::log::init_json(level.as_deref());
    }
}

fn greet(gateway: &Gateway, built: &chela_app::live::Built, place: &Place) {
    let url = format!("http://{}", gateway.address);
    note(&format!("{GOOD}Chela is listening on {url}{GOOD:#}"));
    for (channel, account) in built.accounts.keys() {
        note(&format!("  {channel}/{account}: {url}/webhook/{channel}/{account}"));
    }
    for problem in &built.problems {
        note(&format!("  {BAD}not working{BAD:#} {problem}"));
    }
    if built
        .installation
        .agents
        .values()
        .any(|agent| agent.models.iter().all(|choice| choice.name.starts_with("echo/")))
    {
        note(&format!(
            "  {WARN}No model is configured{WARN:#}: the offline echo answers. Name one at agents.defaults.model in {}.",
            place.config.display()
        ));
    }
    let key = if built.api_key.is_some() { "$CHELA_API_KEY".to_owned() } else { gateway.own_key.expose().to_owned() };
    note("Say something:");
    note(&format!(
        "  {CODE}curl -s {url}/message -H 'authorization: Bearer {key}' -d '{{\"text\":\"Hello\"}}'{CODE:#}"
    ));
    let program = std::env::args().next().unwrap_or_else(|| "chela".to_owned());
    note(&format!("  {CODE}{program} chat --url {url} --data {}{CODE:#}", place.data.display()));
}
