//! A store that does not answer.

use super::*;

/// A store that is out of order.
struct Down;

#[async_trait]
impl BlobStore for Down {
    async fn get(&self, _: &str) -> Result<Option<Blob>, BlobError> {
        Err(BlobError::Unavailable("down".into()))
    }

    async fn get_if_changed(&self, _: &str, _: &str) -> Result<Option<Blob>, BlobError> {
        Err(BlobError::Unavailable("down".into()))
    }

    async fn put(&self, _: &str, _: Bytes, _: Precondition) -> Result<String, BlobError> {
        Err(BlobError::Unavailable("down".into()))
    }

    async fn delete(&self, _: &str, _: Option<&str>) -> Result<(), BlobError> {
        Err(BlobError::Unavailable("down".into()))
    }

    async fn list(&self, _: &str, _: usize) -> Result<Vec<Listed>, BlobError> {
        Err(BlobError::Unavailable("down".into()))
    }
}

#[test]
fn a_store_that_does_not_answer_is_an_answer() {
    run(async {
        let world = World::new();
        let mut input =
            json!({ "path": "a", "content": "x", "oldText": "a", "newText": "b", "text": "t", "query": "q" });
        input["action"] = "read_graph".into();
        for name in ["read", "write", "edit", "memory_save", "memory_search", "memory_graph"] {
            let answer = world.call_on(&Down, name, input.clone(), "k").await;
            assert!(answer.is_error && answer.text.contains("Try again later"), "{name}: {}", answer.text);
        }
    });
}
