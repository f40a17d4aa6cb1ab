//! The `chela` command.

mod approvals;
mod audit;
mod bridge;
mod browser;
mod channels;
mod chat;
mod config;
mod deadletters;
mod doctor;
mod explain;
mod forget;
mod gateway;
mod invoke;
mod mail;
mod mcp;
mod memory;
mod pairing;
mod place;
mod remote;
mod sessions;
mod show;
mod skills;
mod usage;

use clap::{Parser, Subcommand};

/// One AI assistant that answers in every messaging app you use.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "Begin with `chela run`, then `chela chat` in another terminal.\nEvery command has examples: `chela <command> --help`."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole gateway in this process, on an embedded store
    Run(gateway::Run),
    /// Talk in the terminal
    Chat(chat::Chat),
    /// Look over configuration, store, channels and models, and say what to mend
    Doctor(doctor::Doctor),
    /// Look for doors left open: in the configuration, its files and the template of the deployment
    Audit(audit::Audit),
    /// Check the configuration, print its schema or a commented example
    Config(config::ConfigCommand),
    /// Say which rule decides about a message, a session key or a long text
    Explain(explain::Explain),
    /// Post a recorded event, signed afresh, to a running gateway
    Invoke(invoke::Invoke),
    /// Hand on a message of e-mail from standard input, signed, to a gateway
    Mail(mail::Mail),
    /// Hold the connection of a platform without webhooks: IRC, Discord's Gateway
    Bridge(bridge::Bridge),
    /// Register webhooks with platforms, or ask how accounts are doing
    Channels(channels::Channels),
    /// Instructions that agents load when they need them: install, list, verify
    Skills(skills::Skills),
    /// Let senders in who asked with a pairing code
    Pairing(pairing::Pairing),
    /// Delete all that is stored of a person
    Forget(forget::Forget),
    /// Search, name, print what agents remember, or make its index anew
    Memory(memory::Memory),
    /// Servers of the Model Context Protocol that agents use: list, sign in; be one
    Mcp(mcp::Mcp),
    /// Show conversations, those of sub-agents among them
    Sessions(sessions::Sessions),
    /// Decide about replies that were not confirmed and messages that could not be handled
    #[command(name = "deadletters")]
    DeadLetters(deadletters::DeadLetters),
    /// Calls that wait for your consent: allow or deny them; what is allowed for ever
    Approvals(approvals::Approvals),
    /// What was spent on models, by day; stop all spending, or let it go on
    Usage(usage::UsageCommand),
}

fn main() -> std::process::ExitCode {
    // The stages of the sandbox are this program, started again.
    if let Some(code) = chela_sandbox::take_over() {
        return code;
    }
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Explain(explain) => explain.run(),
        Command::Audit(audit) => gateway::block_on(audit.run()),
        Command::Config(config) => config.run(),
        Command::Run(run) => gateway::block_on(run.run()),
        Command::Chat(chat) => gateway::block_on(chat.run()),
        Command::Doctor(doctor) => gateway::block_on(doctor.run()),
        Command::Invoke(invoke) => gateway::block_on(invoke.run()),
        Command::Mail(mail) => return mail.run(),
        Command::Bridge(bridge) => gateway::block_on(bridge.run()),
        Command::Channels(channels) => gateway::block_on(channels.run()),
        Command::Skills(skills) => gateway::block_on(skills.run()),
        Command::Pairing(pairing) => gateway::block_on(pairing.run()),
        Command::Approvals(approvals) => gateway::block_on(approvals.run()),
        Command::Usage(usage) => gateway::block_on(usage.run()),
        Command::Forget(forget) => gateway::block_on(forget.run()),
        Command::Memory(memory) => gateway::block_on(memory.run()),
        Command::Mcp(mcp) => gateway::block_on(mcp.run()),
        Command::Sessions(sessions) => gateway::block_on(sessions.run()),
        Command::DeadLetters(dead_letters) => gateway::block_on(dead_letters.run()),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            show::failure(&error);
            std::process::ExitCode::FAILURE
        }
    }
}
