//! The admission law against a real backend whose capacity is halved and given back
//! while real fans wait, claim, hold and pay: what the simulator claims, seen on
//! processes. Leaves a picture of the run, drawn as the simulator's are.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::process::Child;
use usher_admission::sim::{Row, picture};
use usher_base::EventId;
use usher_queue::{LineSettings, Room};

use crate::processes::{Helper, command, usher_binary};
use crate::stack::Stack;
use crate::throttle::Throttled;
use crate::workers::SERVICE;

const SEATS: u32 = 60_000;
const WORKERS: u32 = 20;
/// The shortest there is, for fans who do not say that they are done.
const SESSION: Duration = Duration::from_secs(30);
/// Of a processor, for the booking node: as much as the fans there are can ask for.
const USUAL_SHARE: f64 = 0.03;
/// What such a node needs for a request when nothing else is asked: it is stopped most of the
/// time, and each answer of Redis or Postgres waits for its next turn.
const BOOKING_SERVICE_MS: &str = "250";
/// Full, halved, full again: seconds from the beginning. Nothing is calibrated, so the
/// law has to find the capacity first.
const HALVED_AT: u32 = 270;
const GIVEN_BACK_AT: u32 = 390;
const END_AT: u32 = 510;
/// How much a booking node can do with its share is asked at the end, by letting in more
/// than it bears for so long. The goodput told is a mean over ten seconds.
const OVERLOAD_S: u32 = 40;
const OVERLOAD_PER_MINUTE: u32 = 9_000;
/// As many streams as one edge has local ports for.
const FANS: u32 = 27_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// A shop of twenty workers that pushes its signals
    Workers,
    /// usher's own booking node, with a share of a processor
    Booking,
}

impl Backend {
    /// Target for p99 in ms: the law's default, or for a node that is slow by itself as many
    /// times its service time.
    fn target_ms(self) -> f64 {
        match self {
            Self::Workers => 600.0,
            Self::Booking => 1_500.0,
        }
    }
}

#[derive(Args)]
pub struct CapacityArguments {
    #[arg(value_enum)]
    backend: Backend,
    /// Of a processor, what the booking node has while nothing is taken from it
    #[arg(long, default_value_t = USUAL_SHARE)]
    share: f64,
    /// Folder for the picture and the seconds it was drawn from
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

pub async fn run(arguments: CapacityArguments) -> anyhow::Result<()> {
    std::fs::create_dir_all(&arguments.out)?;
    let stack = Stack::start(1).await?;
    let event = stack.event("bench-capacity", SEATS, Room::On).await?;
    let settings = LineSettings {
        session: SESSION,
        ..LineSettings::default()
    };
    stack.put_line(event, &settings).await?;
    let mut behind = Behind::start(&arguments, &stack, event).await?;
    let target_ms = arguments.backend.target_ms();
    let policy = json!({ "mode": "auto", "target_p99_ms": target_ms });
    stack.set_policy(event, &policy).await?;
    let folder = tempfile::tempdir()?;
    let mut fans = come(&stack, event, &behind.address, folder.path())?;
    let rows = play(&stack, event, &mut behind, &mut fans).await;
    let log = std::fs::read_to_string(folder.path().join(LOG)).unwrap_or_default();
    let rows = rows.with_context(|| log.lines().last().unwrap_or_default().to_owned())?;
    // They have served their purpose; how each of them fared is not asked here.
    let _ = fans.kill().await;
    let name = format!("{:?}", arguments.backend).to_lowercase();
    let title =
        format!("{name}: capacity halved at {HALVED_AT} s, given back at {GIVEN_BACK_AT} s");
    let file = arguments.out.join(format!("real-{name}.svg"));
    std::fs::write(&file, picture(&title, &rows, HALVED_AT, target_ms))?;
    println!("{}", table(&rows, target_ms));
    eprintln!("==> the picture is {}", file.display());
    Ok(())
}

/// What is behind the waiting room.
struct Behind {
    address: String,
    /// Of a processor, when nothing is taken from it.
    whole_share: f64,
    /// What is left of its capacity, from 0 to 1.
    left: f64,
    what: What,
}

enum What {
    Workers(Helper),
    Booking(Throttled),
}

impl Behind {
    async fn start(
        arguments: &CapacityArguments,
        stack: &Stack,
        event: EventId,
    ) -> anyhow::Result<Self> {
        let (what, address) = match arguments.backend {
            Backend::Workers => {
                let shop = [
                    "serve-workers".to_owned(),
                    format!("--usher={}", stack.address()),
                    format!("--event={event}"),
                    format!("--workers={WORKERS}"),
                ];
                let mut shop = Helper::start(&shop)?;
                let address = shop.line().await?;
                (What::Workers(shop), address)
            }
            Backend::Booking => {
                let node = Throttled::new(
                    stack
                        .process("booking", ("BOOKING_SERVICE_MS", BOOKING_SERVICE_MS))
                        .await?,
                );
                node.give(arguments.share);
                let address = node.process.address.clone();
                (What::Booking(node), address)
            }
        };
        Ok(Self {
            address,
            whole_share: arguments.share,
            left: 1.0,
            what,
        })
    }

    /// From now on it has this much of its capacity.
    async fn give(&mut self, left: f64) -> anyhow::Result<()> {
        self.left = left;
        match &mut self.what {
            What::Workers(shop) => {
                let workers = f64::from(WORKERS) * left;
                shop.tell(&format!("{workers:.0}")).await
            }
            What::Booking(node) => {
                node.give(self.whole_share * left);
                Ok(())
            }
        }
    }
}

/// The whole run, each second with the capacity that there was.
async fn play(
    stack: &Stack,
    event: EventId,
    behind: &mut Behind,
    fans: &mut Child,
) -> anyhow::Result<Vec<Row>> {
    let mut rows = watch(stack, event, behind, fans).await?;
    let whole = match behind.what {
        What::Workers(_) => f64::from(WORKERS) / SERVICE.as_secs_f64(),
        What::Booking(_) => most(stack, event).await?,
    };
    for row in &mut rows {
        row.capacity *= whole;
    }
    Ok(rows)
}

/// The requests/s that it does when more is asked than it can do.
async fn most(stack: &Stack, event: EventId) -> anyhow::Result<f64> {
    let crowd = json!({ "mode": "manual", "rate_per_minute": OVERLOAD_PER_MINUTE });
    stack.set_policy(event, &crowd).await?;
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut most = 0.0_f64;
    for _ in 0..OVERLOAD_S {
        tick.tick().await;
        let status = stack.status(event).await?;
        most = most.max(row(&status["decision"]["state"]).goodput);
    }
    eprintln!("    asked for too much, it did {most:.0}/s");
    Ok(most)
}

/// What the rehearsal says, for when it gives up.
const LOG: &str = "rehearse.log";

/// Real fans, who hold and pay at the backend.
fn come(stack: &Stack, event: EventId, backend: &str, out: &Path) -> anyhow::Result<Child> {
    let log = std::fs::File::create(out.join(LOG))?;
    let mut command = command(usher_binary()?);
    command
        .args(["rehearse", "--profile", "calm", "--map-share", "0"])
        .args(["--hesitation-seconds", "2", "--arrive-seconds", "90"])
        .arg(format!("--event={event}"))
        .arg(format!("--target=http://{}", stack.address()))
        .arg(format!("--booking=http://{backend}"))
        .arg(format!("--fans={FANS}"))
        .arg(format!("--max-seconds={}", END_AT + OVERLOAD_S + 30))
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    Ok(command.spawn()?)
}

/// One row a second, while capacity is taken and given back; the capacity as a share.
async fn watch(
    stack: &Stack,
    event: EventId,
    behind: &mut Behind,
    fans: &mut Child,
) -> anyhow::Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut released_before = 0;
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    for second in 0..END_AT {
        tick.tick().await;
        ensure!(fans.try_wait()?.is_none(), "the fans are gone");
        match second {
            HALVED_AT => behind.give(0.5).await?,
            GIVEN_BACK_AT => behind.give(1.0).await?,
            _ => {}
        }
        let status = stack.status(event).await?;
        let released = status["released_total"].as_u64().unwrap_or_default();
        let mut row = row(&status["decision"]["state"]);
        row.capacity = behind.left;
        row.released = u32::try_from(released.saturating_sub(released_before))?;
        released_before = released;
        if second % 15 == 0 {
            let clause = &status["clause"];
            eprintln!(
                "    {second} s of {END_AT}: {:.0}/s done, p99 {:.0} ms, {} inside, {clause}",
                row.goodput, row.p99_ms, row.inside
            );
        }
        rows.push(row);
    }
    ensure!(released_before > 0, "nobody was let in");
    Ok(rows)
}

/// What the leader saw and wanted in its last second.
fn row(state: &Value) -> Row {
    let figure = |name: &str| state[name].as_f64().unwrap_or_default();
    let goodput = figure("goodput_per_s");
    let refused = figure("refused_share").min(0.99);
    Row {
        goodput,
        refused: goodput * refused / (1.0 - refused),
        p99_ms: figure("p99_ms"),
        inside: state["inside"].as_u64().unwrap_or_default(),
        wanted_inside: figure("wanted_inside"),
        ..Row::default()
    }
}

/// Each third of the run by its last minute, when the law has settled.
fn table(rows: &[Row], target_ms: f64) -> String {
    const SETTLED: usize = 60;
    let mut out = String::from(
        "| until | capacity/s | goodput/s | used | p99 ms, median | seconds above target | let in/s |\n\
         | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for until in [HALVED_AT, GIVEN_BACK_AT, END_AT].map(|second| second as usize) {
        let part = &rows[until.saturating_sub(SETTLED)..until.min(rows.len())];
        let mean = |value: fn(&Row) -> f64| part.iter().map(value).sum::<f64>() / part.len() as f64;
        let mut p99: Vec<f64> = part.iter().map(|row| row.p99_ms).collect();
        p99.sort_by(f64::total_cmp);
        let above = p99.iter().filter(|ms| **ms > target_ms).count();
        let (capacity, goodput) = (mean(|row| row.capacity), mean(|row| row.goodput));
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "| {until} s | {capacity:.0} | {goodput:.1} | {:.2} | {:.0} | {above} of {} | {:.1} |",
            goodput / capacity,
            p99[p99.len() / 2],
            part.len(),
            mean(|row| f64::from(row.released)),
        );
    }
    out
}
