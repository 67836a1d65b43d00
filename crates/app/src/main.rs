//! The one binary `usher`. Parses the command line, loads the settings, and
//! hands over to a command. Whatever fails is one plain sentence on standard
//! error and a non-zero exit.

mod background;
mod beacon;
mod commands;
mod config;
mod fence;
mod fetch;
mod lifecycle;
mod postgres;
mod prometheus;
mod role;
mod signals;
mod telemetry;
mod wiring;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{calibrate, demo, doctor, event, explain, healthcheck, operator, serve, tools};
use config::{Config, Sources};
use role::Role;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A fair waiting room, an admission controller and a booking core for flash sales.
#[derive(Parser)]
#[command(name = "usher", version)]
struct Arguments {
    /// A file of settings; `usher config --defaults` lists them all
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve one role, or all of them in one process
    Serve {
        #[arg(long, value_enum, default_value_t = Role::All)]
        role: Role,
    },
    /// A small on-sale on this machine, with a private redis and postgres
    Demo(demo::DemoArguments),
    /// Bring the database's schema up to date
    Migrate,
    /// Check all that a start depends on, and say what to do about what is wrong
    Doctor {
        #[arg(long, value_enum, default_value_t = Role::All)]
        role: Role,
    },
    /// Ask a running usher whether it is ready; exits non-zero when it is not
    Healthcheck {
        /// Address of the running usher; by default the setting `listen`
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
    },
    /// Print the settings in force, secrets masked
    Config {
        /// Print the documented defaults instead
        #[arg(long)]
        defaults: bool,
    },
    /// Make a fresh set of signing keys
    Keys,
    /// Create events, and check what is derived from their orders
    #[command(subcommand)]
    Event(event::EventCommand),
    /// Say who else may steer a sale
    #[command(subcommand)]
    Operator(operator::OperatorCommand),
    /// Tell one fan's way through a line: when let in, by what decision, who went before
    Explain(explain::ExplainArguments),
    /// Recompute a published draw from its record alone
    VerifyDraw {
        /// The published record: a file, or its address (https://...)
        record: String,
    },
    /// Run the admission law against simulated backends and crowds
    Simulate(tools::SimulateArguments),
    /// Find out how many requests a second the backend bears, so that auto begins from it
    Calibrate(Box<calibrate::CalibrateArguments>),
    /// Send thousands of synthetic fans to a running usher and judge what happened
    Rehearse(Box<usher_rehearsal::RehearseArgs>),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(run(arguments)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// The whole chain of causes in one line, whatever a parser drew below its own.
fn fail(error: &anyhow::Error) -> ExitCode {
    let said = format!("{error:#}");
    let lines: Vec<_> = said.lines().map(str::trim).collect();
    eprintln!("usher: {}", lines.join(" ").trim_end());
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = || load(arguments.config.clone());
    match arguments.command {
        Command::Serve { role } => serve::run(settings()?, role).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Migrate => tools::migrate(&settings()?).await,
        Command::Doctor { role } => Ok(code(doctor::run(&settings()?, role).await)),
        Command::Healthcheck { address } => {
            let address = match address {
                Some(address) => address,
                None => settings()?.listen.to_string(),
            };
            healthcheck::run(&address).await
        }
        Command::Config { defaults: true } => {
            print!("{}", config::DEFAULTS);
            Ok(ExitCode::SUCCESS)
        }
        Command::Config { defaults: false } => {
            print!(
                "{}",
                config::load(&Sources::of_process(arguments.config))?.masked()
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Keys => tools::keys(),
        Command::Event(command) => event::run(&settings()?, command).await,
        Command::Operator(command) => operator::run(&settings()?, command).await,
        Command::Explain(arguments) => explain::run(&settings()?, arguments).await,
        Command::VerifyDraw { record } => tools::verify_draw(&record).await,
        Command::Simulate(simulate) => tools::simulate(&simulate),
        Command::Calibrate(arguments) => calibrate::run(&settings()?, *arguments).await,
        Command::Rehearse(rehearse) => tools::rehearse(*rehearse).await,
    }
}

fn load(file: Option<PathBuf>) -> anyhow::Result<Config> {
    Ok(config::load(&Sources::of_process(file))?.config)
}

fn code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
