//! The `sandbox` function: runs one command that a model chose, where there is nothing to steal.

use std::process::ExitCode;

use chela_core::sandbox::CommandRequest;
use chela_sandbox::{Walls, run, take_over};
use lambda_runtime::{Error, LambdaEvent, service_fn};

fn main() -> Result<ExitCode, Error> {
    // The last stage before a command is this program again.
    if let Some(code) = take_over() {
        return Ok(code);
    }
    tracing_subscriber::fmt().json().flatten_event(true).with_target(false).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lambda_runtime::run(service_fn(async |event: LambdaEvent<CommandRequest>| {
        let result = run(&event.payload, Walls::Closed, &|_| ()).await?;
        tracing::info!(exit_code = result.exit_code, killed = result.killed, ms = result.duration_ms, "command");
        Ok::<_, Error>(result)
    })))?;
    Ok(ExitCode::SUCCESS)
}
