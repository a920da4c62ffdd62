//! The pichroot command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(pichroot::main())
}
