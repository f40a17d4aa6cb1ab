//! What a channel takes to verify and parse one post.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use bytes::Bytes;
use chela_channel_kit::{AccountSettings, ChannelDescriptor, Simulator};
use chela_clock::SystemClock;
use chela_core::channel::RawRequest;
use chela_core::clock::Clock as _;
use chela_http::{HttpClient, HttpOptions};
use serde_json::Value;

use crate::place::Place;
use crate::report::{Goal, Report};

/// Bytes of the bodies.
const BODY_BYTES: usize = 2 * 1024;

/// Most microseconds one post should take.
const GOAL_US: f64 = 200.0;

/// Posts of one round; the least of all rounds counts, because other programs can only add.
const POSTS: u32 = 50;

pub(crate) async fn measure(place: &Place, rounds: u32, report: &mut Report) -> anyhow::Result<()> {
    report
        .heading(format!("One post of {BODY_BYTES} bytes, verified and parsed (least of {rounds} rounds of {POSTS})"));
    for descriptor in chela_channel_registry::descriptors() {
        let simulator = chela_channel_registry::simulator(descriptor.id).context("every channel can be played")?;
        let micros = one(place, descriptor, simulator, rounds).await.with_context(|| descriptor.id.to_owned())?;
        report.row(&format!("parse_us.{}", descriptor.id), descriptor.title, micros, "µs", Goal::AtMost(GOAL_US));
    }
    Ok(())
}

async fn one(place: &Place, descriptor: &ChannelDescriptor, simulator: &Simulator, rounds: u32) -> anyhow::Result<f64> {
    let options = (simulator.options)("https://platform.example");
    let settings = AccountSettings {
        account: "default".to_owned(),
        options: options.as_object().cloned().unwrap_or_default(),
        secrets: simulator.test_secrets(),
        http: HttpClient::new(HttpOptions { allow_hosts: vec![], user_agent: "chela".to_owned(), extra_roots: None })?,
        clock: Arc::new(SystemClock),
    };
    let channel = descriptor.open(&settings)?;
    let body = body(place, descriptor.id)?;
    let now = SystemClock.now();
    let request = RawRequest {
        method: simulator.method.clone(),
        path: simulator.path.to_owned(),
        query: String::new(),
        headers: (simulator.sign_sample)(&body, &settings.secrets, now),
        body,
        received_at: now,
    };
    channel.fetch_keys(&request).await?;
    let mut least = f64::MAX;
    for _ in 0..rounds {
        let requests: Vec<RawRequest> = (0..POSTS).map(|_| request.clone()).collect();
        let started = Instant::now();
        for request in requests {
            channel.parse(&channel.verify(request)?)?;
        }
        least = least.min(started.elapsed().as_secs_f64() * 1e6 / f64::from(POSTS));
    }
    Ok(least)
}

/// The recorded direct message of a channel, with a field nobody reads that makes it so long.
fn body(place: &Place, channel: &str) -> anyhow::Result<Bytes> {
    let path = place.root.join("events").join(channel).join("text.json");
    let event: Value = serde_json::from_slice(&std::fs::read(&path).with_context(|| path.display().to_string())?)?;
    let text = event.get("body").and_then(Value::as_str).context("no body")?;
    let padding = "x".repeat(BODY_BYTES.saturating_sub(text.len()));
    let padded = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(mut fields)) => {
            fields.insert("zz_padding".to_owned(), Value::String(padding));
            Value::Object(fields).to_string()
        }
        _ if text.contains("\r\n") || text.contains("\n\n") => format!("{text}{padding}"),
        _ => format!("{text}&zz_padding={padding}"),
    };
    Ok(Bytes::from(padded))
}
