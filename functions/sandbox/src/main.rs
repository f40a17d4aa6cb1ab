//! The `sandbox` function: runs one command that a model chose, where there is nothing to steal.

use chela_sandbox::{CommandRequest, run};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().json().flatten_event(true).with_target(false).init();
    lambda_runtime::run(service_fn(async |event: LambdaEvent<CommandRequest>| {
        let result = run(&event.payload).await?;
        tracing::info!(exit_code = result.exit_code, timed_out = result.timed_out, ms = result.duration_ms, "command");
        Ok::<_, Error>(result)
    }))
    .await
}
