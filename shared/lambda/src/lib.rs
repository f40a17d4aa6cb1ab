//! What the functions have in common: how they begin on AWS, and how a Function URL's requests read.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use chela_agent::ChannelNotes;
use chela_app::install::Scope;
use chela_app::live::{CONFIG_KEY, Commands, Ground, Inside, Records};
use chela_app::mcp::{Grants, McpHome};
use chela_app::receive::Ports;
use chela_aws::{AwsClients, AwsEnvironment, Bucket, Lanes, SandboxFunction, ScheduleGroup, Secrets, Table, variable};
use chela_clock::SystemClock;
use chela_core::channel::Ack;
use chela_core::clock::Clock as _;
use chela_core::sandbox::Sandbox;
use chela_http::HttpClient;
use lambda_http::{Body, Response};

/// The parts of a deployment that most functions use. Opening them asks nobody anything.
pub struct Deployment {
    /// Variables of the function.
    pub environment: AwsEnvironment,
    /// What further adapters are made from.
    pub clients: AwsClients,
    /// Time.
    pub clock: Arc<SystemClock>,
    /// The three lanes.
    pub queue: Arc<Lanes>,
    /// Configuration and workspaces.
    pub files: Arc<Bucket>,
    http: HttpClient,
}

impl Deployment {
    /// Starts logging and opens what every function has.
    pub fn open() -> anyhow::Result<Self> {
        chela_app::log::init_json(variable("CHELA_LOG").as_deref());
        let environment = AwsEnvironment::from_env(variable);
        let http = HttpClient::new(environment.http_options()).context("no way out")?;
        let clients = AwsClients::new(&environment, http.clone())?;
        let queue = Arc::new(Lanes::new(&clients, &environment)?);
        let files = Arc::new(Bucket::new(&clients, &environment)?);
        Ok(Self { environment, clients, clock: Arc::new(SystemClock), queue, files, http })
    }

    /// What the configuration stands on here.
    pub fn ground(&self, scope: Scope) -> Ground {
        let stage = self.environment.stage.as_ref();
        let grants = stage.map_or(Grants::Said, |stage| Grants::Parameters(format!("/chela/{stage}/mcp")));
        Ground {
            config_files: self.files.clone(),
            config_key: CONFIG_KEY.to_owned(),
            files: self.files.clone(),
            secrets: Arc::new(Secrets::new(&self.clients, self.clock.clone(), variable)),
            variables: Arc::new(variable),
            clock: self.clock.clone(),
            commands: self.commands(),
            scope,
            // A function starts no program.
            mcp: McpHome { launcher: None, grants },
            inside: Inside::default(),
        }
    }

    /// What tools for the house itself work on, in the one function that makes turns.
    pub fn inside(&self, table: &Arc<Table>, schedules: Arc<ScheduleGroup>) -> Inside {
        let records = Records {
            channels: table.clone(),
            cooldowns: table.clone(),
            spend: table.clone(),
            place: "functions on AWS",
            since: self.clock.now(),
        };
        Inside { schedules: Some(schedules), records: Some(records) }
    }

    /// What fires schedules.
    pub fn schedules(&self) -> anyhow::Result<Arc<ScheduleGroup>> {
        Ok(Arc::new(ScheduleGroup::new(&self.clients, &self.environment)?))
    }

    /// Where commands run, in the one function that was told where.
    fn commands(&self) -> Commands {
        let function = SandboxFunction::new(&self.environment, self.http.clone(), self.clock.clone());
        Commands {
            sandbox: function.ok().map(|function| Ok(Arc::new(function) as Arc<dyn Sandbox>)),
            ..Commands::default()
        }
    }

    /// What a webhook works through.
    pub fn doorway(&self) -> anyhow::Result<Ports> {
        let table = self.table()?;
        Ok(Ports {
            queue: self.queue.clone(),
            sessions: table.clone(),
            directory: table.clone(),
            access: table.clone(),
            channels: Arc::new(ChannelNotes::new(table)),
            files: self.files.clone(),
            clock: self.clock.clone(),
        })
    }

    /// The table.
    pub fn table(&self) -> anyhow::Result<Arc<Table>> {
        Ok(Arc::new(Table::new(&self.clients, &self.environment)?))
    }
}

/// The bytes of a request as they were signed.
pub fn body(body: Body) -> Bytes {
    match body {
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    }
}

/// An answer as a Function URL gives it. Every answer of ours is text, and no browser is to take it for a page: handshakes
/// give back words of the request.
pub fn answer(ack: Ack) -> Result<Response<Body>, lambda_http::http::Error> {
    let body = Body::Text(String::from_utf8_lossy(&ack.body).into_owned());
    Response::builder()
        .status(ack.status)
        .header("content-type", ack.content_type)
        .header("x-content-type-options", "nosniff")
        .body(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_browser_takes_an_answer_for_a_page() {
        let said = Ack { body: Bytes::from_static(b"<script>alert(1)</script>"), ..Ack::empty() };
        let answer = answer(said).ok();
        let header = |name: &str| Some(answer.as_ref()?.headers().get(name)?.to_str().ok()?.to_owned());
        assert_eq!(header("content-type").as_deref(), Some("text/plain"));
        assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
    }
}
