//! The shop under its server.

use std::process::ExitCode;

use ferricorn::Context;

fn main() -> ExitCode {
    ferricorn::serve(|context: Context| autoshop_native::shop(context.pool()?))
}
