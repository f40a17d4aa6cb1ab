//! `chela run` as a whole: how soon it is ready, what it holds in memory, what a turn costs, how many it takes a second.

use std::fs::File;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::http::{Message, Wire};
use crate::load::{Load, Window};
use crate::place::Place;
use crate::platform::Platform;
use crate::process::Process;
use crate::report::{Goal, Report, best, median};
use crate::signing::{self, Signer};

/// As many conversations as the goal speaks of.
const SESSIONS: usize = 100;

/// Messages of each session before anything is measured: connections, statements and caches are then warm.
const WARM_UP: u64 = 5;

/// A gateway that is not ready by then never will be.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How often readiness is asked for: short beside what is measured, long enough not to take the CPU from it.
const ASK_EVERY: Duration = Duration::from_micros(250);

/// How much is done.
pub(crate) struct Effort {
    /// Starts of the gateway.
    pub(crate) starts: usize,
    /// Repetitions of the load, each with an empty data folder.
    pub(crate) runs: usize,
    /// Messages of each session in the measured round.
    pub(crate) messages: u64,
    /// Messages of each session when long conversations are measured; none measures no such.
    pub(crate) long: Option<u64>,
}

struct Gateway {
    process: Process,
    address: SocketAddr,
    ready_ms: f64,
}

/// What one run of the load showed.
struct Run {
    window: Window,
    long: Option<Window>,
    rss_mb: f64,
    peak_mb: f64,
}

pub(crate) async fn measure(place: &Place, effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    let platform = Platform::start(Signer::new()?).await?;
    let config = place.file("chela.json5");
    std::fs::write(&config, configuration(&platform.callback_url()))?;
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    for start in 0..effort.starts {
        let data = place.folder(&format!("start-{start}"))?;
        fresh.push(Gateway::start(place, &config, &data).await?.ready_ms);
        again.push(Gateway::start(place, &config, &data).await?.ready_ms);
    }
    let idle = Gateway::start(place, &config, &place.folder("idle")?).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle_mb = idle.process.memory_mb("VmRSS")?;
    drop(idle);
    let mut runs = Vec::new();
    for number in 0..effort.runs {
        let name = format!("load-{number}");
        runs.push(run(place, &config, &name, &platform, effort).await.context("the gateway did not keep its word")?);
    }
    let sync_ms = disk_sync_ms(&place.file("sync"))?;
    report.heading(format!("gateway: chela run, {SESSIONS} sessions, offline echo model, every answer durable"));
    describe(report, &runs);
    report.row("disk_sync_ms", "one durable write to this disk, by anybody", sync_ms, "ms", Goal::None);
    report.row("rss_idle_mb", "memory, idle for a second", idle_mb, "MB", Goal::AtMost(25.0));
    let peak = best(runs.iter().map(|run| run.peak_mb), f64::max);
    report.row("rss_loaded_mb", "memory, after the load", median(runs.iter().map(|run| run.rss_mb)), "MB", Goal::None);
    report.row("rss_peak_mb", "memory, most ever", peak, "MB", Goal::None);
    report.row(
        "ready_ms",
        "start to ready, new data folder",
        best(fresh.iter().copied(), f64::min),
        "ms",
        Goal::AtMost(50.0),
    );
    report.row("ready_ms_median", "  median", median(fresh), "ms", Goal::None);
    report.row("ready_again_ms", "start to ready, data folder in use before", best(again, f64::min), "ms", Goal::None);
    Ok(())
}

fn describe(report: &mut Report, runs: &[Run]) {
    let cpu = || runs.iter().map(|run| run.window.cpu_ms);
    let per_s = || runs.iter().map(|run| run.window.per_s);
    report.row("cpu_ms_per_turn", "CPU per plain turn", best(cpu(), f64::min), "ms", Goal::AtMost(1.0));
    report.row("cpu_ms_per_turn_median", "  median of the runs", median(cpu()), "ms", Goal::None);
    let long: Vec<f64> = runs.iter().filter_map(|run| Some(run.long.as_ref()?.cpu_ms)).collect();
    if !long.is_empty() {
        let label = "  in conversations longer than the window";
        report.row("cpu_ms_per_turn_long", label, best(long, f64::min), "ms", Goal::None);
    }
    report.row("turns_per_s_100_sessions", "durable turns", best(per_s(), f64::max), "/s", Goal::AtLeast(1200.0));
    report.row("turns_per_s_100_sessions_median", "  median of the runs", median(per_s()), "/s", Goal::None);
    let waits = |share: f64| {
        let of = |run: &Run| {
            let waits = &run.window.waits_ms;
            waits.get((waits.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN)
        };
        best(runs.iter().map(of), f64::min)
    };
    report.row("wait_ms_p50", "message sent to reply received, half of them", waits(0.5), "ms", Goal::None);
    report.row("wait_ms_p99", "  99 of 100", waits(0.99), "ms", Goal::None);
    let own = median(runs.iter().map(|run| run.window.own_cpu_ms));
    report.row("generator_cpu_ms_per_turn", "CPU the load itself takes from the machine", own, "ms", Goal::None);
}

async fn run(place: &Place, config: &Path, name: &str, platform: &Platform, effort: &Effort) -> anyhow::Result<Run> {
    let mut gateway = Gateway::start(place, config, &place.folder(name)?).await?;
    let outcome = load(&gateway, name, platform, effort).await;
    let ((window, long), process) = (outcome.or_else(|error| blame(error, &mut gateway))?, &gateway.process);
    Ok(Run { window, long, rss_mb: process.memory_mb("VmRSS")?, peak_mb: process.memory_mb("VmHWM")? })
}

async fn load(
    gateway: &Gateway,
    name: &str,
    platform: &Platform,
    effort: &Effort,
) -> anyhow::Result<(Window, Option<Window>)> {
    let before = platform.replies()?;
    let mut load = Load::open(name, SESSIONS, gateway.address, gateway.process.id(), platform).await?;
    load.round(platform, WARM_UP, 1).await?;
    let window = load.round(platform, effort.messages, 1).await?;
    let long = match effort.long {
        None => None,
        Some(messages) => {
            load.round(platform, messages.saturating_sub(effort.messages), 1).await?;
            Some(load.round(platform, effort.messages, 1).await?)
        }
    };
    // Several messages at once show whether the order within a session holds; with one at a time it cannot break.
    load.round(platform, 6, 3).await?;
    load.close(platform, before).await?;
    Ok((window, long))
}

/// How long this disk takes to make 4 KB durable: the least any commit takes. The median of 50.
fn disk_sync_ms(path: &Path) -> anyhow::Result<f64> {
    let mut file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut times_ms = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).context("the disk takes no more")?;
        times_ms.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(median(times_ms))
}

/// The error, with what the gateway said about it.
fn blame<T>(error: anyhow::Error, gateway: &mut Gateway) -> anyhow::Result<T> {
    gateway.process.check()?;
    Err(error.context(format!("the gateway's last words:\n{}\n", gateway.process.last_words())))
}

impl Gateway {
    async fn start(place: &Place, config: &Path, data: &Path) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let (config, folder, listen) = (text(config), text(data), address.to_string());
        let arguments = ["run", "--config", &config, "--data", &folder, "--listen", &listen];
        let started = Instant::now();
        let mut process = Process::start(&place.binary("chela"), &arguments, &[], data.with_extension("log"))?;
        loop {
            let answer = ready(address).await;
            let ready_ms = started.elapsed().as_secs_f64() * 1000.0;
            if matches!(&answer, Ok(answer) if answer.status() == 200) {
                return Ok(Self { process, address, ready_ms });
            }
            process.check()?;
            let late = started.elapsed() > READY_WITHIN;
            ensure!(!late, "chela run is not ready: {answer:?}\n{}", process.last_words());
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

async fn ready(address: SocketAddr) -> std::io::Result<Message> {
    let mut wire = Wire::connect(address).await?;
    wire.ask(format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await
}

/// Everybody may write, each sender has a session, and each message is a turn of its own.
fn configuration(callback: &str) -> String {
    let webhook = serde_json::json!({
        "webhookSecret": signing::secret(), "callbackUrl": callback, "dmPolicy": "open", "allowFrom": ["*"],
    });
    serde_json::json!({
        "session": { "dmScope": "per-channel-peer" },
        "messages": { "queue": { "mode": "followup" } },
        "gateway": { "limits": { "messagesPerMinute": 0 } },
        "channels": { "webhook": webhook },
    })
    .to_string()
}
