//! The `corelane` binary.

use corelane::cli::{self, Command, Launch, LogFormat, UsageError, ending};
use corelane::runtime::machine;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Many small, short-lived buffers on pinned threads: its free lists are per thread, and memory goes back to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os(), cli::environment()) {
        Ok(Command::Print(text)) => {
            // Whoever reads may have had enough (`--help | head`).
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(Command::Work(work, environment)) => ending::conclude(work.run(&environment)),
        Ok(Command::Run(launch)) => run(*launch),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(UsageError::EXIT_CODE)
        }
    }
}

fn run(launch: Launch) -> ExitCode {
    log_to_standard_error(launch.log_format);
    launch.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    let code = machine::run(&launch.config, launch.cores, |listeners| {
        if let Some(welcome) = launch.welcome(listeners) {
            eprintln!("{welcome}");
        }
        let mut out = std::io::stdout().lock();
        // Nobody may be listening; that is no reason not to serve.
        let _ = writeln!(out, "{}", launch.ready_line(listeners)).and_then(|()| out.flush());
    });
    // Removes a temporary data directory.
    drop(launch);
    ExitCode::from(code as u8)
}

/// `RUST_LOG` says what is logged; info without it. The reactor's own debug lines are not for operators.
fn log_to_standard_error(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.init(),
    }
}
