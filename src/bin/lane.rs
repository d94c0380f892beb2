//! `lane`: `lp` under a name that CUPS does not have.

use std::process::ExitCode;

fn main() -> ExitCode {
    lp::cli::main()
}
