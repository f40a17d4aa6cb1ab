//! Telegram on this machine: keeps files, and shows each chat what was sent there, as it stands after all edits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::local::PATIENCE;

/// A message in a chat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    chat: i64,
    pub(crate) number: i64,
    /// What stands there now.
    pub(crate) text: String,
    /// What stood there before, the oldest first.
    pub(crate) earlier: Vec<String>,
    /// The method that sent it, such as `sendPhoto`.
    pub(crate) method: String,
    /// The form that brought its file.
    pub(crate) form: Bytes,
    /// The buttons under it.
    pub(crate) keyboard: Value,
}

impl Shown {
    /// What stands on its buttons.
    pub(crate) fn labels(&self) -> Vec<String> {
        let rows = self.keyboard["inline_keyboard"].as_array().cloned().unwrap_or_default();
        let buttons = rows.iter().flat_map(|row| row.as_array().unwrap());
        buttons.map(|button| button["text"].as_str().unwrap().to_owned()).collect()
    }

    /// What Telegram posts when somebody presses the button with this label.
    pub(crate) fn pressed(&self, label: &str) -> Value {
        let rows = self.keyboard["inline_keyboard"].as_array().cloned().unwrap_or_default();
        let mut buttons = rows.iter().flat_map(|row| row.as_array().unwrap());
        let button = buttons.find(|button| button["text"] == label);
        let button = button.unwrap_or_else(|| panic!("no button \"{label}\" under: {self:?}"));
        json!({
            "id": "1", "data": button["callback_data"],
            "message": {"message_id": self.number, "date": 1, "reply_markup": self.keyboard},
        })
    }
}

/// The platform.
#[derive(Clone, Default)]
pub(crate) struct Telegram {
    pub(crate) url: String,
    shown: Arc<Mutex<Vec<Shown>>>,
    files: Arc<Mutex<Vec<Bytes>>>,
    typing: Arc<AtomicUsize>,
    fetched: Arc<Mutex<Vec<String>>>,
}

impl Telegram {
    pub(crate) async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let telegram = Self { url: format!("http://{}", listener.local_addr().unwrap()), ..Self::default() };
        let router = Router::new().fallback(serve).with_state(telegram.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        telegram
    }

    /// Keeps a file that somebody sends, and returns its id.
    pub(crate) fn keep(&self, bytes: &[u8]) -> String {
        let mut files = self.files.lock().unwrap();
        files.push(Bytes::copy_from_slice(bytes));
        (files.len() - 1).to_string()
    }

    pub(crate) fn shown(&self, chat: i64) -> Vec<Shown> {
        self.shown.lock().unwrap().iter().filter(|shown| shown.chat == chat).cloned().collect()
    }

    /// Waits until a chat looks like this.
    pub(crate) async fn wait_for(&self, chat: i64, wanted: impl Fn(&[Shown]) -> bool) -> Vec<Shown> {
        let until = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown(chat);
            if wanted(&shown) {
                return shown;
            }
            assert!(Instant::now() < until, "in chat {chat} stands only: {shown:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The ids of files that somebody asked for.
    pub(crate) fn fetched(&self) -> Vec<String> {
        self.fetched.lock().unwrap().clone()
    }

    /// How often somebody was seen typing.
    pub(crate) fn typing(&self) -> usize {
        self.typing.load(Ordering::SeqCst)
    }

    /// What a method does; returns its result.
    fn does(&self, method: &str, fields: &Value, form: Bytes) -> Value {
        let mut all = self.shown.lock().unwrap();
        let text = fields["text"].as_str().or(fields["caption"].as_str()).unwrap_or_default().to_owned();
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default();
        let chat = number(&fields["chat_id"]);
        match method {
            "sendMessage" | "sendPhoto" | "sendDocument" => {
                let number = i64::try_from(all.len()).unwrap() + 1_000;
                let (method, keyboard) = (method.to_owned(), fields["reply_markup"].clone());
                all.push(Shown { chat, number, text, method, form, keyboard, ..Shown::default() });
                json!({"message_id": number, "date": 1, "chat": {"id": chat, "type": "private"}})
            }
            "editMessageText" => {
                let edited = number(&fields["message_id"]);
                let message = all.iter_mut().find(|shown| shown.number == edited).unwrap();
                message.earlier.push(std::mem::replace(&mut message.text, text));
                json!({"message_id": edited, "date": 1, "chat": {"id": chat, "type": "private"}})
            }
            "sendChatAction" => {
                self.typing.fetch_add(1, Ordering::SeqCst);
                json!(true)
            }
            "getFile" => {
                self.fetched.lock().unwrap().extend(fields["file_id"].as_str().map(str::to_owned));
                json!({"file_id": fields["file_id"], "file_path": fields["file_id"]})
            }
            _ => json!(true),
        }
    }
}

async fn serve(State(telegram): State<Telegram>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let body = to_bytes(request.into_body(), 8 << 20).await.unwrap();
    let last = path.rsplit('/').next().unwrap();
    if path.starts_with("/file/bot") {
        let file = telegram.files.lock().unwrap()[last.parse::<usize>().unwrap()].clone();
        return Response::new(Body::from(file));
    }
    let fields = serde_json::from_slice(&body).unwrap_or_else(|_| form_fields(&body));
    let result = telegram.does(last, &fields, body);
    let answer = json!({"ok": true, "result": result});
    let response = Response::builder().header("content-type", "application/json");
    response.body(Body::from(answer.to_string())).unwrap()
}

/// The fields of a form that are text.
fn form_fields(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    let field = |part: &str| {
        let (head, value) = part.split_once("\r\n\r\n")?;
        let name = head.split("name=\"").nth(1)?.split('"').next()?;
        (!head.contains("filename=")).then(|| (name.to_owned(), json!(value.trim_end_matches("\r\n--").trim_end())))
    };
    let boundary = text.lines().next().unwrap_or_default();
    Value::Object(text.split(boundary).filter_map(field).collect())
}
