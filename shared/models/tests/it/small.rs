//! What a new agent sends for one word is paid for with every message, so it stays small.

use chela_core::agent_id::AgentId;
use chela_core::model::ModelRequest;
use chela_embedded::FolderBlobs;
use chela_models::Api;
use chela_tools::workspace::{Limits, context, seed};

use crate::server::{Provider, call, request, sse, text, user};

const MOST_BYTES: usize = 8 * 1024;

async fn ping() -> ModelRequest {
    let folder = tempfile::tempdir().unwrap();
    let (files, agent) = (
        FolderBlobs::open(&folder.path().join("files"), &folder.path().join("incoming")).unwrap(),
        AgentId::new("main"),
    );
    seed(&files, &agent).await.unwrap();
    let system = context(&files, &agent, &Limits::default()).await.unwrap();
    let tools = chela_tools::all(&chela_tools::ToolSettings::default());
    let tools = chela_tools::on_demand::offered(tools, &Default::default(), &agent);
    ModelRequest {
        system: format!("{}\n\nToday is Saturday, 2026-11-21.", system.owner),
        tools: tools.iter().filter(|tool| !tool.on_demand()).map(|tool| tool.spec_for(&Default::default())).collect(),
        ..request(vec![user(vec![text("ping")])])
    }
}

#[tokio::test]
async fn one_word_costs_no_more_than_eight_kilobytes() {
    let request = ping().await;
    assert!(request.tools.len() >= 6 && request.system.contains("SOUL.md"));
    let provider = Provider::start([
        sse(include_str!("../streams/anthropic_text.sse")),
        sse(include_str!("../streams/openai_text.sse")),
    ])
    .await;
    call(&*provider.anthropic(), &request).await.0.unwrap();
    call(&*provider.model("openai", Api::OpenaiCompletions), &request).await.0.unwrap();
    for asked in provider.asked() {
        let bytes = asked.body.to_string().len();
        assert!(bytes > 4_000 && bytes <= MOST_BYTES, "{bytes} bytes");
    }
    assert_eq!(provider.asked().len(), 2);
}
