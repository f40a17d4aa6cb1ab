//! Somebody on the network, with a client that shows everything.

use std::net::Ipv4Addr;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Duration, timeout};

use super::PATIENCE;
use super::server::Server;

pub(crate) struct Person {
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Person {
    /// Comes to the server and into #lobby.
    pub(crate) async fn join(server: &Server, nick: &str) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).await.unwrap();
        let (read, write) = socket.into_split();
        let mut person = Self { lines: BufReader::new(read).lines(), write };
        if let Some(password) = &server.password {
            person.write(&format!("PASS {password}")).await;
        }
        person.write(&format!("NICK {nick}")).await;
        person.write(&format!("USER {nick} 0 * :{nick}")).await;
        person.sees(|line| line.contains(" 422 ") || line.contains(" 376 ")).await;
        person.write("JOIN #lobby").await;
        person
    }

    pub(crate) async fn write(&mut self, line: &str) {
        self.write.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    }

    pub(crate) async fn say(&mut self, target: &str, text: &str) {
        self.write(&format!("PRIVMSG {target} :{text}")).await;
    }

    async fn next(&mut self) -> String {
        loop {
            let line = timeout(PATIENCE, self.lines.next_line()).await.expect("nothing comes").unwrap();
            let line = line.expect("the server closed the connection");
            assert!(line.len() <= 510, "a line of {} bytes", line.len());
            match line.strip_prefix("PING ") {
                Some(word) => self.write(&format!("PONG {word}")).await,
                None => return line,
            }
        }
    }

    async fn sees(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.next().await;
            if wanted(&line) {
                return line;
            }
        }
    }

    /// Waits until the nick comes into the channel. The server makes sure of it with a PING.
    pub(crate) async fn sees_join(&mut self, nick: &str) {
        let wanted = format!(":{nick}!");
        self.sees(|line| line.starts_with(&wanted) && line.contains(" JOIN ")).await;
    }

    /// The same, if it is not there yet.
    pub(crate) async fn sees_or_finds(&mut self, nick: &str) {
        let (joined, listed) = (format!(":{nick}!"), format!("{nick} "));
        self.sees(|line| {
            let list = line.split_once(" 353 ").and_then(|(_, list)| list.split_once(" :")).map(|(_, nicks)| nicks);
            let here = list.is_some_and(|nicks| {
                format!("{nicks} ").replace(['@', '~'], "").split_inclusive(' ').any(|nick| nick == listed)
            });
            here || (line.starts_with(&joined) && line.contains(" JOIN "))
        })
        .await;
    }

    /// Waits until the nick leaves, and gives what it said in #lobby before.
    pub(crate) async fn sees_quit(&mut self, nick: &str) -> Vec<String> {
        let (prefix, mut said) = (format!(":{nick}!"), Vec::new());
        loop {
            let line = self.next().await;
            if line.starts_with(&prefix) && line.contains(" QUIT ") {
                return said;
            }
            said.extend(line.split_once(" PRIVMSG #lobby :").map(|(_, text)| text.to_owned()));
        }
    }

    /// The next message to this target: our own nick or a channel.
    pub(crate) async fn hears(&mut self, target: &str) -> String {
        let marker = format!(" PRIVMSG {target} :");
        let line = self.sees(|line| line.contains(&marker)).await;
        line.split_once(&marker).unwrap().1.to_owned()
    }

    /// Nobody says anything for a while.
    pub(crate) async fn is_silent(&mut self) {
        let said = timeout(Duration::from_millis(700), self.sees(|line| line.contains(" PRIVMSG "))).await;
        assert!(said.is_err(), "{said:?}");
    }
}
