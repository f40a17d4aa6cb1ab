//! An AWS that answers what functions ask while they start, at once and the same to everybody: the network's share of a
//! start is then constant. It is no emulator.

use tokio::net::TcpListener;

use crate::deployment::{configuration, parameter};
use crate::http::{Message, Wire, answer};

const ETAG: &str = "\"bench\"";

/// Starts it on a port of its own; it runs until the program ends. Returns its URL.
pub(crate) async fn start() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    // Nobody sends replies while functions only start.
    let config = configuration("http://127.0.0.1:9/replies");
    tokio::spawn(async move {
        while let Ok(mut wire) = Wire::accept(&listener).await {
            let config = config.clone();
            tokio::spawn(async move {
                while let Ok(Some(request)) = wire.read_request().await {
                    if wire.write(&reply(&request, &config)).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(url)
}

fn reply(request: &Message, config: &str) -> Vec<u8> {
    let operation = request.header("x-amz-target").unwrap_or_default();
    let is_config = request.target().contains(crate::deployment::CONFIG_KEY);
    match operation.rsplit('.').next().unwrap_or_default() {
        "GetParameter" => answer(200, "", parameter().to_string().as_bytes()),
        // Warming asks for something that is refused.
        "SendMessage" => {
            answer(400, "", br#"{"__type":"com.amazonaws.sqs#InvalidParameterValue","message":"no group"}"#)
        }
        "" if is_config && request.header("if-none-match") == Some(ETAG) => b"HTTP/1.1 304 -\r\n\r\n".to_vec(),
        "" if is_config && request.method() == "HEAD" => {
            format!("HTTP/1.1 200 -\r\netag: {ETAG}\r\ncontent-length: {}\r\n\r\n", config.len()).into_bytes()
        }
        "" if is_config => answer(200, &format!("etag: {ETAG}\r\n"), config.as_bytes()),
        "" if request.target().contains("list-type=2") => answer(
            200,
            "",
            b"<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>",
        ),
        "" => answer(404, "", b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>"),
        _ => answer(200, "", b"{}"),
    }
}
