//! `usher operator`: makes, lists and takes back the keys of those who steer a
//! sale beside the holder of the first key.

use std::process::ExitCode;

use clap::Subcommand;
use usher_booking::operators::{OperatorKey, Role};
use usher_booking::pg::operators::Operators;
use uuid::Uuid;

use crate::config::Config;
use crate::postgres;

/// Who the audit log names: whoever may read the settings.
const ACTOR: &str = "command line";
const MAX_NAME_CHARS: usize = 64;

#[derive(Subcommand)]
pub enum OperatorCommand {
    /// Make a key and print it, this once
    Add {
        /// Stands in the audit log
        name: String,
        /// viewer, staff, operator or admin
        #[arg(long)]
        role: Role,
    },
    /// Print whose keys are good
    List,
    /// Take a key back, and the sessions it opened
    Revoke {
        /// As `usher operator list` prints it
        id: Uuid,
    },
}

pub async fn run(config: &Config, command: OperatorCommand) -> anyhow::Result<ExitCode> {
    let operators = Operators::new(postgres::open_postgres(config).await?);
    match command {
        OperatorCommand::Add { name, role } => {
            let name = name.trim();
            let fits = (1..=MAX_NAME_CHARS).contains(&name.chars().count());
            anyhow::ensure!(fits, "the name must have 1 to 64 characters");
            let key = OperatorKey::random(&mut rand::rng());
            operators.add(&key, name, role, ACTOR).await?;
            println!("{}", key.text);
        }
        OperatorCommand::List => {
            for operator in operators.list().await? {
                println!("{}  {:8}  {}", operator.id, operator.role, operator.name);
            }
        }
        OperatorCommand::Revoke { id } => operators.revoke(id, ACTOR).await?,
    }
    Ok(ExitCode::SUCCESS)
}
