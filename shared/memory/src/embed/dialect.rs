//! What is sent to providers of embeddings, and what of their answers is read.

use serde::Deserialize;
use serde_json::{Value, json};

use super::provider::Dialect;

/// Vectors in the order of the texts, and how many tokens were paid for, if the provider says.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) vectors: Vec<Vec<f32>>,
    pub(super) tokens: Option<u64>,
}

/// The address of a request.
pub(super) fn url(dialect: Dialect, base: &str, model: &str) -> String {
    let base = base.trim_end_matches('/');
    match dialect {
        Dialect::OpenAi | Dialect::Voyage => format!("{base}/embeddings"),
        Dialect::Gemini => format!("{base}/models/{}:batchEmbedContents", model.trim_start_matches("models/")),
        // Its API is beside the one for clients of OpenAI, whose address is often what is configured.
        Dialect::Ollama => format!("{}/api/embed", base.trim_end_matches("/v1")),
    }
}

/// The body of a request.
pub(super) fn body(
    dialect: Dialect,
    model: &str,
    texts: &[String],
    dimensions: Option<u32>,
    input_type: Option<&str>,
) -> Value {
    let mut body = match dialect {
        Dialect::OpenAi | Dialect::Voyage | Dialect::Ollama => json!({ "model": model, "input": texts }),
        Dialect::Gemini => {
            let model = format!("models/{}", model.trim_start_matches("models/"));
            let one = |text: &String| {
                let mut request = json!({ "model": model, "content": { "parts": [{ "text": text }] } });
                set(&mut request, "outputDimensionality", dimensions.map(Value::from));
                set(&mut request, "taskType", input_type.map(Value::from));
                request
            };
            return json!({ "requests": texts.iter().map(one).collect::<Vec<_>>() });
        }
    };
    let name = if dialect == Dialect::Voyage { "output_dimension" } else { "dimensions" };
    set(&mut body, name, dimensions.map(Value::from));
    set(&mut body, "input_type", input_type.filter(|_| dialect != Dialect::Ollama).map(Value::from));
    body
}

fn set(body: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(fields), Some(value)) = (body.as_object_mut(), value) {
        fields.insert(name.to_owned(), value);
    }
}

/// Reads an answer; `None` if it is none of this dialect.
pub(super) fn read(dialect: Dialect, body: &[u8]) -> Option<Answer> {
    #[derive(Deserialize)]
    struct OpenAi {
        data: Vec<Datum>,
        #[serde(default)]
        usage: Option<Usage>,
    }
    #[derive(Deserialize)]
    struct Datum {
        embedding: Vec<f32>,
        #[serde(default)]
        index: Option<usize>,
    }
    #[derive(Deserialize)]
    struct Usage {
        #[serde(default)]
        total_tokens: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Gemini {
        embeddings: Vec<Values>,
    }
    #[derive(Deserialize)]
    struct Values {
        values: Vec<f32>,
    }
    #[derive(Deserialize)]
    struct Ollama {
        embeddings: Vec<Vec<f32>>,
        #[serde(default)]
        prompt_eval_count: Option<u64>,
    }
    Some(match dialect {
        Dialect::OpenAi | Dialect::Voyage => {
            let OpenAi { mut data, usage } = serde_json::from_slice(body).ok()?;
            data.sort_by_key(|datum| datum.index);
            let tokens = usage.and_then(|usage| usage.total_tokens);
            Answer { vectors: data.into_iter().map(|datum| datum.embedding).collect(), tokens }
        }
        Dialect::Gemini => {
            let Gemini { embeddings } = serde_json::from_slice(body).ok()?;
            Answer { vectors: embeddings.into_iter().map(|values| values.values).collect(), tokens: None }
        }
        Dialect::Ollama => {
            let Ollama { embeddings, prompt_eval_count } = serde_json::from_slice(body).ok()?;
            Answer { vectors: embeddings, tokens: prompt_eval_count }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_is_asked_in_its_own_form() {
        let texts = ["a".to_owned(), "b".to_owned()];
        assert_eq!(url(Dialect::OpenAi, "https://x/v1/", "m"), "https://x/v1/embeddings");
        assert_eq!(
            body(Dialect::OpenAi, "m", &texts, Some(256), Some("query")),
            json!({"model": "m", "input": ["a", "b"], "dimensions": 256, "input_type": "query"})
        );
        assert_eq!(
            body(Dialect::Voyage, "m", &texts, Some(256), Some("query")),
            json!({"model": "m", "input": ["a", "b"], "output_dimension": 256, "input_type": "query"})
        );
        assert_eq!(
            url(Dialect::Gemini, "https://x/v1beta", "models/m"),
            "https://x/v1beta/models/m:batchEmbedContents"
        );
        assert_eq!(
            body(Dialect::Gemini, "m", &texts[..1], Some(768), Some("RETRIEVAL_QUERY")),
            json!({"requests": [{"model": "models/m", "content": {"parts": [{"text": "a"}]},
                "outputDimensionality": 768, "taskType": "RETRIEVAL_QUERY"}]})
        );
        assert_eq!(url(Dialect::Ollama, "http://x:11434/v1", "m"), "http://x:11434/api/embed");
        assert_eq!(body(Dialect::Ollama, "m", &texts, None, None), json!({"model": "m", "input": ["a", "b"]}));
    }

    #[test]
    fn each_answer_is_read_in_its_own_form() {
        let openai =
            br#"{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}],"usage":{"total_tokens":7}}"#;
        let both = |tokens| Some(Answer { vectors: vec![vec![1.0], vec![2.0]], tokens });
        assert_eq!(read(Dialect::OpenAi, openai), both(Some(7)), "in the order of the texts");
        assert_eq!(read(Dialect::Gemini, br#"{"embeddings":[{"values":[1]},{"values":[2]}]}"#), both(None));
        assert_eq!(read(Dialect::Ollama, br#"{"embeddings":[[1],[2]],"prompt_eval_count":3}"#), both(Some(3)));
        for dialect in [Dialect::OpenAi, Dialect::Voyage, Dialect::Gemini, Dialect::Ollama] {
            for wrong in [&b""[..], b"{}", b"[]", b"{\"data\":[{\"embedding\":\"AAAA\"}]}", b"\xff"] {
                assert_eq!(read(dialect, wrong), None);
            }
        }
    }
}
