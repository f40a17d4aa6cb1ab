//! Streams as the providers document or are known to send them (`tests/streams/`), cut at every byte.

use bytes::BytesMut;
use chela_core::model::{Block, Delta, ModelAnswer, ModelError, Stop, Usage};
use chela_core::secret::Secret;
use serde_json::json;

use crate::endpoint::{Assembly, Reader};
use crate::failure::Witness;
use crate::framing::Framing;
use crate::{anthropic, bedrock, gemini, ollama, openai_chat, openai_responses};

type Told = (Result<ModelAnswer, ModelError>, String);

fn witness() -> Witness {
    Witness { provider: "p".into(), key: Some(Secret::new("sk-key")) }
}

fn read<A: Assembly>(pieces: &[&[u8]], answer: A, finish: fn(A) -> Result<ModelAnswer, ModelError>) -> Told {
    read_framed(Framing::sse(), pieces, answer, finish)
}

fn read_framed<A: Assembly>(
    framing: Framing,
    pieces: &[&[u8]],
    mut answer: A,
    finish: fn(A) -> Result<ModelAnswer, ModelError>,
) -> Told {
    let witness = witness();
    let (mut reader, mut shown) = (Reader::new(&witness, framing), String::new());
    let mut on_delta = |delta: &Delta| {
        let Delta::Text(text) = delta;
        shown.push_str(text);
    };
    let mut read = || {
        for piece in pieces {
            reader.feed(piece, &mut answer, &mut on_delta)?;
        }
        reader.end(&mut answer, &mut on_delta)
    };
    let result = read();
    (result.and_then(|()| finish(answer)), shown)
}

fn anthropic(pieces: &[&[u8]]) -> Told {
    read(pieces, anthropic::Answer::new(witness()), anthropic::Answer::finish)
}

fn openai(pieces: &[&[u8]], returns_reasoning: bool) -> Told {
    let quirks = openai_chat::Quirks { returns_reasoning, ..openai_chat::Quirks::default() };
    read(pieces, openai_chat::Answer::new(witness(), quirks, 3), openai_chat::Answer::finish)
}

fn openai_plain(pieces: &[&[u8]]) -> Told {
    openai(pieces, false)
}

fn deepseek(pieces: &[&[u8]]) -> Told {
    openai(pieces, true)
}

fn responses(pieces: &[&[u8]]) -> Told {
    read(pieces, openai_responses::Answer::new(witness()), openai_responses::Answer::finish)
}

fn gemini(pieces: &[&[u8]]) -> Told {
    read(pieces, gemini::Answer::new(witness(), 3), gemini::Answer::finish)
}

fn ollama(pieces: &[&[u8]]) -> Told {
    read_framed(Framing::Lines(Vec::new()), pieces, ollama::Answer::new(witness(), 3), ollama::Answer::finish)
}

fn bedrock(pieces: &[&[u8]]) -> Told {
    read_framed(Framing::Aws(BytesMut::new()), pieces, bedrock::Answer::new(witness()), bedrock::Answer::finish)
}

/// A recorded stream, who reads it, and what it says.
struct Recording {
    name: &'static str,
    wire: &'static [u8],
    read: fn(&[&[u8]]) -> Told,
    says: fn() -> ModelAnswer,
}

macro_rules! recording {
    ($name:literal, $read:ident, $says:expr) => {
        Recording {
            name: $name,
            wire: include_bytes!(concat!("../tests/streams/", $name)),
            read: $read,
            says: || $says,
        }
    };
}

fn text(text: &str) -> Block {
    Block::Text { text: text.into() }
}

fn call(id: &str, name: &str, input: serde_json::Value) -> Block {
    Block::ToolUse { id: id.into(), name: name.into(), input }
}

fn answer(blocks: Vec<Block>, stop: Stop, [input, output, cache_read, cache_write]: [u64; 4]) -> ModelAnswer {
    ModelAnswer { blocks, stop, usage: Usage { input, output, cache_read, cache_write } }
}

fn thought_and_calls() -> Vec<Block> {
    let signature = Some("EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds==".to_owned());
    vec![
        Block::Thinking { text: "Two cities, two calls.".into(), signature },
        Block::RedactedThinking { data: "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIw==".into() },
        text("I will look at both."),
        call("toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_weather", json!({"location": "San Francisco, CA"})),
        call("toolu_01A09q90qw90lq917835lq9", "session_status", json!({})),
    ]
}

const RECORDINGS: [Recording; 18] = [
    recording!("anthropic_text.sse", anthropic, answer(vec![text("Grüß Gott, 🦀!")], Stop::End, [25, 15, 2000, 100])),
    recording!("anthropic_thinking_tools.sse", anthropic, answer(thought_and_calls(), Stop::ToolUse, [472, 89, 0, 0])),
    recording!("anthropic_refusal.sse", anthropic, answer(vec![text("First, take")], Stop::Refusal, [20, 9, 0, 0])),
    recording!("openai_text.sse", openai_plain, answer(vec![text("Grüß Gott, 🦀!")], Stop::End, [125, 15, 2000, 0])),
    recording!("openai_tools.sse", openai_plain, {
        let paris = call("call_DdmO9pD3xa9XTPNJ32zg2hcA", "get_weather", json!({"location": "Paris"}));
        let status = call("call_7kGLfpGZdPyLZKhW4DtDYOsq", "session_status", json!({}));
        answer(vec![paris, status], Stop::ToolUse, [80, 30, 0, 0])
    }),
    recording!("openrouter_text.sse", openai_plain, answer(vec![text("Hello.")], Stop::MaxTokens, [10, 7, 30, 10])),
    recording!("deepseek_reasoning.sse", deepseek, {
        let thought = Block::Thinking { text: "I should look.".into(), signature: None };
        answer(vec![thought, call("call_00_x", "read", json!({"path": "a"}))], Stop::ToolUse, [26, 40, 64, 0])
    }),
    recording!("ollama_tools.sse", openai_plain, {
        let calls = vec![call("call_a1", "read", json!({"path": "a"})), call("call_b2", "read", json!({"path": "b"}))];
        answer(calls, Stop::ToolUse, [0; 4])
    }),
    recording!("old_ollama_tools.sse", openai_plain, {
        let calls = vec![
            call("call_a1", "read", json!({"path": "a"})),
            call("call_b2", "read", json!({"path": "b"})),
            call("call_1ab2a932033a021f", "session_status", json!({})),
        ];
        answer(calls, Stop::ToolUse, [0; 4])
    }),
    recording!("mistral_parts.sse", openai_plain, answer(vec![text("Yes.")], Stop::End, [9, 4, 0, 0])),
    recording!("responses_text.sse", responses, answer(vec![text("Grüß Gott, 🦀!")], Stop::End, [125, 15, 2000, 0])),
    recording!("responses_reasoning_tools.sse", responses, {
        let seal = "openai:rs_6820f383d7c08191846711c5df8233bc0ac5ba57aafcbac7:gAAAAABoIPOE7QhTTxJ-AZ_d8pRV==";
        let thought = Block::Thinking { text: "Two cities, two calls.".into(), signature: Some(seal.into()) };
        let paris = call("call_DdmO9pD3xa9XTPNJ32zg2hcA", "get_weather", json!({"location": "Paris"}));
        let status = call("call_7kGLfpGZdPyLZKhW4DtDYOsq", "session_status", json!({}));
        answer(vec![thought, paris, status], Stop::ToolUse, [80, 94, 0, 0])
    }),
    recording!("gemini_text.sse", gemini, answer(vec![text("Grüß Gott, 🦀!")], Stop::End, [125, 15, 2000, 0])),
    recording!("gemini_thinking_tools.sse", gemini, {
        let signature = Some("gemini:EpYCCpMCAXLI2ny0==".to_owned());
        let blocks = vec![
            text("I will look at both."),
            Block::Thinking { text: "Two cities, two calls.".into(), signature },
            call("f7k2", "get_weather", json!({"location": "Paris"})),
            call("call_517533fdbd955944", "session_status", json!({})),
        ];
        answer(blocks, Stop::ToolUse, [80, 94, 0, 0])
    }),
    recording!("bedrock_text.bin", bedrock, answer(vec![text("Grüß Gott, 🦀!")], Stop::End, [25, 15, 2000, 100])),
    recording!("bedrock_thinking_tools.bin", bedrock, { answer(thought_and_calls(), Stop::ToolUse, [472, 89, 0, 0]) }),
    recording!("ollama_native_text.ndjson", ollama, {
        answer(vec![text("Grüß Gott, 🦀!")], Stop::End, [26, 28, 0, 0])
    }),
    recording!("ollama_native_tools.ndjson", ollama, {
        let thought = Block::Thinking { text: "I should look.".into(), signature: None };
        let first = call("call_f4479a5cfa06307e", "read", json!({"path": "a"}));
        answer(vec![thought, first, call("call_b2", "read", json!({"path": "b"}))], Stop::ToolUse, [26, 28, 0, 0])
    }),
];

#[test]
fn every_recording_says_what_it_said() {
    for Recording { name, wire, read, says } in RECORDINGS {
        let (result, shown) = read(&[wire]);
        let result = result.unwrap();
        assert_eq!(result, says(), "{name}");
        let visible: Vec<_> = result
            .blocks
            .iter()
            .filter_map(|b| if let Block::Text { text } = b { Some(text.as_str()) } else { None })
            .collect();
        assert_eq!(shown, visible.concat(), "{name}");
    }
}

#[test]
fn where_the_network_cuts_a_stream_changes_nothing() {
    for Recording { name, wire, read, says } in RECORDINGS {
        for cut in 0..=wire.len() {
            let (left, right) = wire.split_at(cut);
            assert_eq!(read(&[left, right]).0.as_ref().ok(), Some(&says()), "{name} cut at {cut}");
        }
        let single: Vec<&[u8]> = wire.chunks(1).collect();
        assert_eq!(read(&single).0.unwrap(), says(), "{name} byte by byte");
    }
}

/// The bill may be lost with the last bytes; the words and the calls are whole or nothing.
#[test]
fn a_stream_that_breaks_off_is_never_half_an_answer() {
    for Recording { name, wire, read, says } in RECORDINGS {
        let whole = says();
        let (mut broken, mut said) = (0, false);
        for cut in 0..wire.len() {
            match read(&[&wire[..cut]]).0 {
                Ok(answer) => {
                    said = true;
                    assert_eq!((&answer.blocks, answer.stop), (&whole.blocks, whole.stop), "{name} to {cut}");
                }
                Err(ModelError::Unavailable { .. }) if !said => broken += 1,
                Err(error) => panic!("{name} to {cut}: {error}"),
            }
        }
        assert!(broken * 2 > wire.len(), "{name} was mostly taken for whole");
    }
}

#[test]
fn an_error_in_the_stream_is_sorted_like_one_with_a_status() {
    let overloaded = anthropic(&[include_bytes!("../tests/streams/anthropic_overloaded.sse")]).0;
    assert!(matches!(overloaded, Err(ModelError::Overloaded { .. })), "{overloaded:?}");
    let limited = openai_plain(&[include_bytes!("../tests/streams/openrouter_error.sse")]).0;
    assert!(matches!(limited, Err(ModelError::RateLimited { .. })), "{limited:?}");
    let limited = responses(&[include_bytes!("../tests/streams/responses_failed.sse")]).0;
    assert!(matches!(limited, Err(ModelError::RateLimited { .. })), "{limited:?}");
    let limited = bedrock(&[include_bytes!("../tests/streams/bedrock_throttled.bin")]).0;
    assert!(matches!(limited, Err(ModelError::RateLimited { .. })), "{limited:?}");
    let broken = ollama(&[b"{\"error\":\"llama runner process has terminated\"}\n"]).0;
    assert!(matches!(broken, Err(ModelError::Unavailable { .. })), "{broken:?}");
    let wire =
        "data: {\"error\":{\"code\":503,\"message\":\"The model is overloaded.\",\"status\":\"UNAVAILABLE\"}}\n\n";
    let overloaded = gemini(&[wire.as_bytes()]).0;
    assert!(matches!(overloaded, Err(ModelError::Overloaded { .. })), "{overloaded:?}");
}

#[test]
fn what_the_provider_blocks_is_a_refusal() {
    let blocked = gemini(&[include_bytes!("../tests/streams/gemini_blocked.sse")]).0.unwrap();
    assert_eq!((blocked.blocks, blocked.stop, blocked.usage.input), (vec![], Stop::Refusal, 9));
    let wire = include_str!("../tests/streams/responses_text.sse");
    let refused = wire.replace(r#""type":"output_text","annotations":[],"text""#, r#""type":"refusal","refusal""#);
    assert_ne!(wire, refused);
    let refused = responses(&[refused.as_bytes()]).0.unwrap();
    assert_eq!((refused.blocks, refused.stop), (vec![text("Grüß Gott, 🦀!")], Stop::Refusal));
}

/// One flipped bit in a frame of AWS is found by its sums, wherever it is.
#[test]
fn a_garbled_frame_is_never_an_answer() {
    let wire = include_bytes!("../tests/streams/bedrock_text.bin");
    let whole = bedrock(&[wire]).0.unwrap();
    for place in 0..wire.len() {
        let mut garbled = wire.to_vec();
        garbled[place] ^= 1;
        match bedrock(&[&garbled]).0 {
            // Everything had been said; only the bill is garbled.
            Ok(answer) => assert_eq!(answer.blocks, whole.blocks, "{place}"),
            Err(error) => assert!(matches!(error, ModelError::Unavailable { .. }), "{place}: {error:?}"),
        }
    }
    for wire in [&[0, 0, 0, 0][..], &[0, 0, 0, 11], &[255; 16], b"<html><body>Bad Gateway"] {
        assert!(matches!(bedrock(&[wire]).0, Err(ModelError::Unavailable { .. })), "{wire:?}");
    }
}

#[test]
fn a_line_that_never_ends_is_refused() {
    let piece = vec![b'x'; 3 * 1024 * 1024];
    let endless = ollama(&[&piece, &piece]).0;
    assert!(
        matches!(&endless, Err(ModelError::Unavailable { reason, .. }) if reason.contains("endless")),
        "{endless:?}"
    );
}

#[test]
fn a_torn_tool_call_is_an_error_that_says_what_to_change() {
    let wire = include_str!("../tests/streams/anthropic_torn_tool.sse");
    let torn = anthropic(&[wire.as_bytes()]).0;
    assert!(
        matches!(&torn, Err(ModelError::Rejected { reason, .. }) if reason.contains("raise maxTokens")),
        "{torn:?}"
    );
    let torn = anthropic(&[wire.replace("max_tokens", "tool_use").as_bytes()]).0;
    assert!(matches!(torn, Err(ModelError::Unavailable { .. })), "{torn:?}");
    let incomplete = responses(&[include_bytes!("../tests/streams/responses_torn_tool.sse")]).0;
    assert!(
        matches!(&incomplete, Err(ModelError::Rejected { reason, .. }) if reason.contains("raise maxTokens")),
        "{incomplete:?}"
    );
    let begun = wire.replace("content_block_delta", "ping").replace("content_block_stop", "ping");
    assert!(anthropic(&[begun.as_bytes()]).0.is_err(), "arguments that were still to come are not taken for none");
    for (arguments, whole) in [("{\\\"a\\\":", false), ("[1]", false), ("{\\\"a\\\":1}", true)] {
        let wire = format!(
            r#"data: {{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"id":"c","function":{{"name":"f","arguments":"{arguments}"}}}}]}},"finish_reason":"tool_calls"}}]}}"#
        );
        let result = openai_plain(&[wire.as_bytes()]).0;
        assert_eq!(result.is_ok(), whole, "{arguments}: {result:?}");
        assert!(whole || matches!(result, Err(ModelError::Unavailable { .. })));
    }
}

#[test]
fn what_is_no_stream_of_the_dialect_is_unavailable() {
    for wire in [
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n",
        "data: <html>\n\n",
        "hello",
        "",
    ] {
        for read in [anthropic, openai_plain, responses, gemini, ollama, bedrock] {
            assert!(matches!(read(&[wire.as_bytes()]).0, Err(ModelError::Unavailable { .. })), "{wire}");
        }
    }
}

#[test]
fn calls_without_index_and_id_are_kept_apart_and_named_apart() {
    let call = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{text}]}}}}]}}\n\n");
    let wire = [
        call(r#"{"function":{"name":"look","arguments":"{\"a\":"}}"#),
        call(r#"{"function":{"arguments":"1}"}}"#),
        call(r#"{"function":{"name":"look","arguments":"{}"}},{"id":"x","function":{"name":"look"}}"#),
        "data: [DONE]\n\n".to_owned(),
    ];
    let answer = openai_plain(&[wire.concat().as_bytes()]).0.unwrap();
    let calls: Vec<_> = answer
        .blocks
        .iter()
        .map(|block| match block {
            Block::ToolUse { id, input, .. } => (id.as_str(), input.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    let [(first, one), (second, none), third] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((one.as_str(), none.as_str(), third), ("{\"a\":1}", "{}", &("x", "{}".to_owned())));
    assert!(first != second && first.starts_with("call_") && second.starts_with("call_"), "{calls:?}");
}
