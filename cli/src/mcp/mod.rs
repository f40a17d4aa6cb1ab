//! `chela mcp`: servers of the Model Context Protocol that agents use, and being one.

mod login;
mod serve;

use anyhow::Context as _;
use chela_app::live::Live;
use chela_mcp::{Server, Way};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::place::Place;
use crate::remote::RemoteOptions;
use crate::show::{BAD, CODE, FAINT, GOOD, WARN, line, table};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chela mcp ls\n  chela mcp tools github --refresh\n  chela mcp tools github --agree create_issue\n  chela mcp login docs\n  chela mcp login docs --ssm /chela/prod/mcp/docs\n  chela mcp serve --url https://….lambda-url.eu-central-1.on.aws"
)]
pub(crate) struct Mcp {
    #[command(subcommand)]
    command: McpCommand,
    /// For machines
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum McpCommand {
    /// Name the servers of the configuration; nobody is asked
    Ls,
    /// Name the tools of a server, how far they are trusted, and the digests of their definitions
    Tools {
        /// The server
        server: String,
        /// Ask it now
        #[arg(long)]
        refresh: bool,
        /// Trust this tool as it is defined now
        #[arg(long, value_name = "TOOL")]
        agree: Option<String>,
    },
    /// Sign in to a server that wants it, in a browser on this machine
    Login(login::LoginOptions),
    /// Be a server on standard input and output, for programs on this machine
    #[command(
        after_help = "For a desktop client:\n  { \"mcpServers\": { \"chela\": { \"command\": \"chela\", \"args\": [\"mcp\", \"serve\"] } } }"
    )]
    Serve,
}

impl Mcp {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        match &self.command {
            McpCommand::Serve => serve::run(&self.remote.open(&self.place).await?).await,
            McpCommand::Login(options) => options.run(&self.place).await,
            McpCommand::Ls => self.list(&live(&self.place).await?).await,
            McpCommand::Tools { server, refresh, agree } => {
                let live = live(&self.place).await?;
                let built = live.current().await;
                let server = built.mcp.get(server).with_context(|| {
                    let names: Vec<&str> = built.mcp.iter().map(|server| server.settings.name.as_str()).collect();
                    format!("there is no server \"{server}\" under mcp.servers; there are: {}", names.join(", "))
                })?;
                if let Some(tool) = agree {
                    let agreed = server.agree(tool).await.map_err(anyhow::Error::msg)?;
                    anyhow::ensure!(agreed, "the server has no tool \"{tool}\"; `chela mcp tools` names them");
                }
                self.tools(server, *refresh).await
            }
        }
    }

    async fn list(&self, live: &Live) -> anyhow::Result<()> {
        let built = live.current().await;
        let rows: Vec<Value> = built
            .config
            .mcp
            .servers
            .iter()
            .map(|(name, server)| {
                let place = server.url.clone().or_else(|| server.command.clone()).unwrap_or_default();
                let opened = built.mcp.get(name);
                let login =
                    opened.is_some_and(|server| matches!(server.settings.way, Way::Http { grant: Some(_), .. }));
                json!({
                    "server": name, "place": place, "enabled": server.enabled, "login": login,
                    "risk": opened.map(|server| server.settings.risk.name()),
                })
            })
            .collect();
        if self.json {
            line(&json!({ "servers": rows }).to_string());
            return Ok(());
        }
        if rows.is_empty() {
            line("No servers: write them under mcp.servers, see docs/mcp.md.");
            return Ok(());
        }
        let text = |row: &Value, key: &str| match row.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(true)) => "yes".to_owned(),
            _ => "–".to_owned(),
        };
        let cells = |row: &Value| ["server", "place", "enabled", "login", "risk"].map(|key| text(row, key)).to_vec();
        table(&["server", "place", "enabled", "login", "risk"], &rows.iter().map(cells).collect::<Vec<_>>());
        Ok(())
    }

    async fn tools(&self, server: &Server, refresh: bool) -> anyhow::Result<()> {
        let (catalog, problem) = server.catalog(refresh).await;
        let (rules, usual) = (&server.settings.tools, server.settings.risk);
        let rows: Vec<Value> = catalog
            .tools
            .iter()
            .map(|tool| {
                let state = match (rules.allows(&tool.name), &tool.schema, catalog.trusts(tool, rules)) {
                    (false, ..) => "left out".to_owned(),
                    (_, Err(why), _) => why.clone(),
                    (.., false) => "changed".to_owned(),
                    _ => "on".to_owned(),
                };
                let risk = tool.risk(rules, usual).name();
                let (name, description, hash) = (&tool.name, &tool.description, &tool.hash);
                json!({ "tool": name, "state": state, "risk": risk, "hash": hash, "description": description })
            })
            .collect();
        if self.json {
            line(&json!({ "version": catalog.version, "tools": rows, "problem": problem }).to_string());
            return Ok(());
        }
        let text = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        for row in &rows {
            let (state, style) = match text(row, "state").as_str() {
                "on" => ("on".to_owned(), GOOD),
                "left out" => ("left out".to_owned(), FAINT),
                other => (other.to_owned(), BAD),
            };
            // A name is the server's own words: what nobody sees in it is shown.
            let name = text(row, "tool").escape_debug().to_string();
            line(&format!("{style}{state}{style:#}  {name}  {FAINT}{}{FAINT:#}", text(row, "risk")));
            line(&format!("    {}", text(row, "description")));
            line(&format!("    {FAINT}{}{FAINT:#}", text(row, "hash")));
        }
        if rows.iter().any(|row| text(row, "state") == "changed") {
            let name = &server.settings.name;
            line(&format!(
                "Trust a changed tool with {CODE}chela mcp tools {name} --agree <tool>{CODE:#}, or pin it: mcp.servers.{name}.tools.pins."
            ));
        }
        if let Some(problem) = problem {
            line(&format!("{WARN}look{WARN:#}  {problem}"));
        }
        Ok(())
    }
}

/// The configuration and the files of the embedded store, which need not exist yet.
async fn live(place: &Place) -> anyhow::Result<Live> {
    std::fs::create_dir_all(place.data.join("files"))
        .with_context(|| format!("cannot write to {}", place.data.display()))?;
    crate::memory::live(place).await
}

/// How the servers are, for `chela doctor`: whether they answer, or did within the hour.
pub(crate) async fn look(place: &Place) -> Vec<(bool, String)> {
    let Ok(live) = crate::memory::live(place).await else { return Vec::new() };
    let built = live.current().await;
    let mut found = Vec::new();
    for server in built.mcp.iter() {
        let name = &server.settings.name;
        if let Way::Http { grant: Some(_), .. } = &server.settings.way
            && !login::is_signed_in(&built.config, place, name).await
        {
            found.push((false, format!("{name}: nobody has signed in; run `chela mcp login {name}`")));
            continue;
        }
        let (catalog, problem) = server.catalog(false).await;
        let rules = &server.settings.tools;
        let changed =
            catalog.tools.iter().filter(|tool| rules.allows(&tool.name) && !catalog.trusts(tool, rules)).count();
        found.push(match (problem, changed) {
            (Some(problem), _) => (false, format!("{name}: {problem}")),
            (None, 0) => (true, format!("{name}: {} tools", catalog.tools.len())),
            (None, changed) => {
                (false, format!("{name}: {changed} tools have changed; look with `chela mcp tools {name}`"))
            }
        });
    }
    found
}
