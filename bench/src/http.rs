//! Just enough HTTP/1.1 for a load generator on loopback. A full client or server would cost more CPU than the gateway
//! that is measured beside it, and the counting proxy must see messages as they are.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longest head that is read; ours have a few hundred bytes.
const HEAD_BYTES: usize = 64 * 1024;

/// A request or an answer, its body without framing.
#[derive(Debug)]
pub(crate) struct Message {
    /// First line and headers, without the empty line.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// A word of the first line: method, target, version; or version, status, reason.
    fn word(&self, at: usize) -> &str {
        self.head.lines().next().unwrap_or_default().split(' ').nth(at).unwrap_or_default()
    }

    pub(crate) fn method(&self) -> &str {
        self.word(0)
    }

    pub(crate) fn target(&self) -> &str {
        self.word(1)
    }

    pub(crate) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The message with a length instead of any other framing.
    pub(crate) fn with_length(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.head.len() + self.body.len() + 64);
        for line in self.head.lines() {
            let name = line.split(':').next().unwrap_or_default();
            if !name.eq_ignore_ascii_case("content-length") && !name.eq_ignore_ascii_case("transfer-encoding") {
                bytes.extend_from_slice(line.as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// An answer with a JSON body.
pub(crate) fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    // A header that stands twice is read as its first.
    let kind = if headers.contains("content-type:") { "" } else { "content-type: application/json\r\n" };
    let head = format!("HTTP/1.1 {status} -\r\n{kind}{headers}content-length: {}\r\n\r\n", body.len());
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// One connection, kept alive.
pub(crate) struct Wire {
    stream: TcpStream,
    /// Bytes read and not yet used.
    read: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(to: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(to).await?)
    }

    pub(crate) async fn accept(listener: &TcpListener) -> io::Result<Self> {
        Self::over(listener.accept().await?.0)
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// Writes bytes that are a whole message.
    pub(crate) async fn write(&mut self, message: &[u8]) -> io::Result<()> {
        self.stream.write_all(message).await
    }

    /// The next request; `None` when the other side has closed.
    pub(crate) async fn read_request(&mut self) -> io::Result<Option<Message>> {
        let Some(head) = self.read_head().await? else { return Ok(None) };
        if header(&head, "expect").is_some() {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let body = self.read_body(&head, false).await?;
        Ok(Some(Message { head, body }))
    }

    /// The answer to a request; one to `HEAD` has no body, whatever it says.
    pub(crate) async fn read_answer(&mut self, to_head: bool) -> io::Result<Message> {
        loop {
            let head = self.read_head().await?.ok_or_else(|| broken("closed instead of an answer"))?;
            let mut message = Message { head, body: Vec::new() };
            match message.status() {
                100 => continue,
                204 | 304 => {}
                _ if to_head => {}
                _ => message.body = self.read_body(&message.head, true).await?,
            }
            return Ok(message);
        }
    }

    /// Asks on this connection.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Message> {
        self.write(request).await?;
        self.read_answer(request.starts_with(b"HEAD ")).await
    }

    async fn read_head(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.read.split_off(end + 4);
                let mut head = std::mem::replace(&mut self.read, rest);
                head.truncate(end);
                return String::from_utf8(head).map(Some).map_err(|_| broken("a head that is not text"));
            }
            if self.read.len() > HEAD_BYTES {
                return Err(broken("a head without end"));
            }
            if !self.read_more().await? {
                return if self.read.is_empty() { Ok(None) } else { Err(broken("closed within a head")) };
            }
        }
    }

    /// Without any framing a request has no body, and that of an answer ends with the connection.
    async fn read_body(&mut self, head: &str, of_answer: bool) -> io::Result<Vec<u8>> {
        if header(head, "transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.read_chunks().await;
        }
        if let Some(length) = header(head, "content-length") {
            let length = length.parse().map_err(|_| broken("a length that is no number"))?;
            return self.take(length).await;
        }
        if !of_answer {
            return Ok(Vec::new());
        }
        while self.read_more().await? {}
        Ok(std::mem::take(&mut self.read))
    }

    async fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| broken("a chunk without a size"))?;
            if size == 0 {
                while !self.read_line().await?.is_empty() {}
                return Ok(body);
            }
            body.append(&mut self.take(size).await?);
            self.read_line().await?;
        }
    }

    async fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|window| window == b"\r\n") {
                let mut line = self.take(end + 2).await?;
                line.truncate(end);
                return String::from_utf8(line).map_err(|_| broken("a line that is not text"));
            }
            if !self.read_more().await? {
                return Err(broken("closed within a line"));
            }
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < length {
            if !self.read_more().await? {
                return Err(broken("closed within a body"));
            }
        }
        let rest = self.read.split_off(length);
        Ok(std::mem::replace(&mut self.read, rest))
    }

    async fn read_more(&mut self) -> io::Result<bool> {
        self.read.reserve(4096);
        Ok(self.stream.read_buf(&mut self.read).await? > 0)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
