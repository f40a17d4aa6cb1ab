//! Before a process is halted, tools give back what they keep open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chela_app::install::Scope;
use chela_app::live::Commands;
use chela_core::clock::Millis;
use chela_core::model::ToolSpec;
use chela_core::tool::{Effect, Tool, ToolAnswer, ToolCall};
use chela_embedded::Embedded;
use chela_testkit::clock::ManualClock;
use serde_json::json;

use crate::house::{configure, live_with};

/// A browser that counts how often it was let go.
#[derive(Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl Tool for Counting {
    fn spec(&self) -> ToolSpec {
        ToolSpec { name: "browser".into(), description: String::new(), input_schema: true.into() }
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    async fn rest(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    async fn run(&self, _: ToolCall<'_>) -> ToolAnswer {
        ToolAnswer::ok("")
    }
}

#[tokio::test]
async fn tools_give_back_what_they_keep_open() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Millis(1_800_000_000_000)));
    let store = Embedded::open(folder.path(), clock.clone()).unwrap();
    configure(&store, &json!({})).await;
    let browser = Arc::new(Counting::default());
    let opened = browser.clone();
    let commands = Commands {
        browser: Some(Arc::new(move |_, _| Ok(Some(opened.clone() as Arc<dyn Tool>)))),
        ..Commands::default()
    };
    let live = live_with(&store, &clock, Scope::Everything, commands).await;
    assert_eq!(browser.0.load(Ordering::Relaxed), 0);
    live.rest().await;
    assert_eq!(browser.0.load(Ordering::Relaxed), 1);
}
