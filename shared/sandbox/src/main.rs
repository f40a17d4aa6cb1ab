//! The stages of the sandbox as a program of their own.

use std::process::ExitCode;

fn main() -> ExitCode {
    chela_sandbox::take_over().unwrap_or(ExitCode::FAILURE)
}
