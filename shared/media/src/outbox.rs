//! Where made files lie: in the agent's workspace, under a name that follows from the call, so that the same call again
//! finds what it made and does not pay twice.

use bytes::Bytes;
use chela_core::blob::Precondition;
use chela_core::shown::{add_line, store};
use chela_core::tool::{ToolAnswer, ToolCall};
use sha2::{Digest, Sha256};

/// The folder of a workspace for files that are to be sent.
const OUTBOX: &str = "outbox";

/// The name of what this call makes, without its extension.
fn stem(call: &ToolCall<'_>) -> String {
    let digest = hex::encode(Sha256::digest(call.idempotency_key.as_bytes()));
    let short: String = digest.chars().take(20).collect();
    format!("{OUTBOX}/{short}")
}

/// The path within the workspace of what an earlier attempt of this call made.
pub(crate) async fn made(call: &ToolCall<'_>) -> Result<Option<String>, String> {
    let root = format!("agents/{}/", call.agent.as_str());
    let found = call.files.list(&format!("{root}{}.", stem(call)), 1).await.map_err(|error| error.to_string())?;
    Ok(found.first().and_then(|file| file.key.strip_prefix(&root)).map(str::to_owned))
}

/// Keeps what was made and answers its path within the workspace.
pub async fn keep(call: &ToolCall<'_>, bytes: Bytes, extension: &str) -> Result<String, String> {
    let path = format!("{}.{extension}", stem(call));
    let key = format!("agents/{}/{path}", call.agent.as_str());
    call.files.put(&key, bytes, Precondition::None).await.map_err(|error| error.to_string())?;
    Ok(path)
}

/// What a tool answers about a picture it has kept: the model sees it, too, if it can be looked at.
pub async fn shown(call: &ToolCall<'_>, what: &str, path: &str) -> ToolAnswer {
    let mut said = answer(what, path);
    let kept = call.files.get(&format!("agents/{}/{path}", call.agent.as_str())).await;
    let file = match kept {
        Ok(Some(kept)) => store(call, kept.bytes).await,
        Ok(None) => Err("It cannot be looked at: it is gone.".to_owned()),
        Err(error) => Err(format!("It cannot be looked at now: {error}.")),
    };
    match file {
        Ok(file) => said.files.push(file),
        Err(reason) => add_line(&mut said.text, &reason),
    }
    said
}

/// What a tool answers about a file it made.
pub fn answer(what: &str, path: &str) -> ToolAnswer {
    ToolAnswer::ok(format!("{what} To send it, put this on a line of its own in your answer:\nMEDIA:{path}"))
}
