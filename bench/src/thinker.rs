//! A model that costs money, on this machine: it answers at once, after as many calls of a tool as the message wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::{Message, Wire, answer};

/// What it says when it is done: a paragraph.
const WORDS: &str = "Tomorrow there are three things on your list. At nine the dentist, for which you wanted to bring the \
    papers of last year. At noon lunch with Ada, who asked whether the garden door is mended by now. In the evening the \
    plants, because nobody else will be there to water them until Sunday. I have noted that you would like to be reminded \
    of the papers an hour before, and that the door can wait until the weather is better.";

/// It runs until the program ends.
pub(crate) struct Thinker {
    url: String,
    asked: Arc<AtomicU64>,
}

impl Thinker {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        let asked = Arc::new(AtomicU64::new(0));
        let counter = asked.clone();
        tokio::spawn(async move {
            while let Ok(mut wire) = Wire::accept(&listener).await {
                let counter = counter.clone();
                tokio::spawn(async move {
                    while let Ok(Some(request)) = wire.read_request().await {
                        counter.fetch_add(1, Ordering::Relaxed);
                        if wire.write(&reply(&request)).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Ok(Self { url, asked })
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

/// The message that has it call a tool so often, one call in each step.
pub(crate) fn wants(tool: &str, times: usize) -> String {
    format!("Please work: {tool} {times} times.")
}

/// As [`wants`] wrote it, and which of the calls comes next; `None` if there is nothing more to call.
fn next_call(request: &Value) -> Option<(String, usize)> {
    let messages = request.get("messages")?.as_array()?;
    let asked = messages.iter().rposition(|message| message.get("role").is_some_and(|role| role == "user"))?;
    let text = messages.get(asked)?.get("content")?.as_str()?;
    let mut words = text.split_once("Please work: ")?.1.split_whitespace();
    let (tool, times) = (words.next()?.to_owned(), words.next()?.parse::<usize>().ok()?);
    let done = messages.iter().skip(asked).filter(|message| message.get("role").is_some_and(|role| role == "tool"));
    let done = done.count();
    (done < times).then_some((tool, done))
}

fn reply(request: &Message) -> Vec<u8> {
    let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let (delta, stop) = match next_call(&asked) {
        Some((tool, number)) => {
            let arguments = match tool.as_str() {
                "read" => json!({ "path": format!("note-{number}.md") }),
                _ => json!({ "text": format!("Note number {number} of a long piece of work.") }),
            };
            let function = json!({ "name": tool, "arguments": arguments.to_string() });
            let call = json!({ "index": 0, "id": format!("call_{number}"), "type": "function", "function": function });
            (json!({ "tool_calls": [call] }), "tool_calls")
        }
        None => (json!({ "content": WORDS }), "stop"),
    };
    let chunk = |delta: Value, stop: Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": stop });
        format!("data: {}\n\n", json!({ "id": "1", "object": "chat.completion.chunk", "choices": [choice] }))
    };
    let usage = json!({ "prompt_tokens": request.body.len() / 4, "completion_tokens": 100 });
    let last = json!({ "id": "1", "object": "chat.completion.chunk", "choices": [], "usage": usage });
    let stream = [
        chunk(json!({ "role": "assistant", "content": "" }), Value::Null),
        chunk(delta, Value::Null),
        chunk(json!({}), stop.into()),
        format!("data: {last}\n\ndata: [DONE]\n\n"),
    ];
    answer(200, "content-type: text/event-stream\r\n", stream.concat().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_calls_as_often_as_it_is_wanted_and_then_answers() {
        let said = |role: &str, text: &str| json!({ "role": role, "content": text });
        let mut messages = vec![said("user", &wants("write", 9)), said("tool", "old"), said("user", &wants("read", 2))];
        let mut calls = vec![];
        while let Some(call) = next_call(&json!({ "messages": messages })) {
            calls.push(call);
            messages.push(said("tool", "done"));
        }
        assert_eq!(calls, [("read".to_owned(), 0), ("read".to_owned(), 1)]);
        assert_eq!(next_call(&json!({ "messages": [said("user", "hello")] })), None);
    }
}
