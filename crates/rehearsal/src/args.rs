//! What `usher rehearse` can be told. Everything has a default except the target,
//! and everything that costs is bounded.

use std::path::PathBuf;

use clap::Args;

use crate::curve::Curve;
use crate::plan::Profile;

/// Most fans of one rehearsal.
const FANS_MAX: i64 = 500_000;
/// Longest rehearsal in seconds: four hours.
const SECONDS_MAX: i64 = 4 * 3600;

#[derive(Debug, Clone, Args)]
pub struct RehearseArgs {
    /// Where usher's edge listens, like http://127.0.0.1:8080; repeat it for several edges
    #[arg(long = "target", value_name = "URL", required = true)]
    pub targets: Vec<String>,
    /// Where holds, orders and the operators' status are served, if not at the first target
    #[arg(long, value_name = "URL")]
    pub booking: Option<String>,
    /// Id of the event; may be left out if the target has only one
    #[arg(long)]
    pub event: Option<String>,
    /// How many fans come
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=FANS_MAX))]
    pub fans: u32,
    /// When they come
    #[arg(long, value_enum, default_value = "flash")]
    pub curve: Curve,
    /// What kind of crowd it is
    #[arg(long, value_enum, default_value = "usual")]
    pub profile: Profile,
    /// Within how many seconds all of them arrive
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=SECONDS_MAX))]
    pub arrive_seconds: u32,
    /// After how many seconds the rehearsal ends, whoever still waits
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=SECONDS_MAX))]
    pub max_seconds: u32,
    /// The same seed gives the same crowd
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Mean seconds that a fan looks around, and again before paying
    #[arg(long, default_value_t = 6.0)]
    pub hesitation_seconds: f64,
    /// Share of the admitted who load the whole seat map
    #[arg(long, default_value_t = 0.3)]
    pub map_share: f64,
    /// Tolerance of the order check: how often usher pushes near the front
    #[arg(long, default_value_t = 1000)]
    pub push_interval_ms: u64,
    /// Tolerance of the waits check in seconds: they are shown rounded and pushed at intervals
    #[arg(long, default_value_t = 3.0)]
    pub wait_tolerance_seconds: f64,
    /// Operator key, to compare with what usher itself reports
    #[arg(long, env = "USHER_ADMIN_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// TOML file with objectives that replace the defaults
    #[arg(long, value_name = "FILE")]
    pub objectives: Option<PathBuf>,
    /// Folder for report.html and report.json
    #[arg(long, value_name = "FOLDER", default_value = "rehearsal")]
    pub out: PathBuf,
    /// Processes to spread the fans over; by default as few as the open-file limit allows
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub processes: Option<u32>,
    /// All fans come from this machine's own address, instead of one X-Forwarded-For each
    #[arg(long)]
    pub one_address: bool,
    /// Confirms a target that is not this machine, by repeating its host name
    #[arg(long, value_name = "HOSTNAME")]
    pub i_own_this_target: Vec<String>,
    /// Which part of the crowd this child process plays (set by its parent)
    #[arg(long, hide = true, value_name = "INDEX/COUNT")]
    pub shard: Option<String>,
    /// When the rehearsal starts, for all processes alike (set by the parent)
    #[arg(long, hide = true)]
    pub start_at_unix_ms: Option<u64>,
}
