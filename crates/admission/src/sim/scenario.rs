//! The scenarios that the law must pass, as data: what changes when, how long it runs, how it is judged.

/// Something that happens at a second.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// So many times the plant's servers.
    Servers(f64),
    /// Service takes so many times longer.
    Slower(f64),
    /// Share of the released who never come.
    NoShow(f64),
    /// Share of sessions that end without a word.
    Silent(f64),
    /// Fans think so many times faster.
    ThinkFaster(f64),
    /// The backend stands still for 3 s.
    Stall,
    /// Every request fails.
    Outage(bool),
    /// The law gets no signals.
    SignalsLost(bool),
    /// The operator paused.
    Paused(bool),
    /// So many fans wait from now on.
    Waiting(u64),
}

/// What is asked of a run. Times are seconds of the run.
#[derive(Debug, Clone, Copy)]
pub enum Judge {
    /// 75 % of capacity within so long, at least 0.9 on average after that time.
    ColdStart {
        /// Seconds allowed.
        within_s: u32,
    },
    /// Settled within T_session ln 2 plus this, at most 10 s above the target.
    Halves {
        /// Seconds on top.
        extra_s: f64,
    },
    /// 75 % of the new capacity within 200 s.
    Doubles,
    /// Goodput at least 0.85 of capacity, alarm raised.
    Slow,
    /// Settled within so long; share refused in the two minutes after the change.
    Shift {
        /// Seconds allowed.
        within_s: f64,
        /// Share allowed, 1 for no limit.
        refused: f64,
    },
    /// Mean utilisation from a second on.
    Utilisation {
        /// From this second.
        from_s: u32,
        /// At least this.
        at_least: f64,
    },
    /// No more people wanted inside than a cold start asks for at its most, as few refused as then, filled as soon.
    Flood,
    /// The highest rate after the pause against the steady one before.
    Resume,
    /// Seconds above the target.
    Drift,
    /// Nobody let in from 5 s after the outage began; back within 60 s of its end.
    Outage,
    /// Who found nothing; time to sell out against an oracle's.
    Stock,
}

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Name on the command line and of the picture.
    pub name: &'static str,
    /// What happens, for people.
    pub title: &'static str,
    /// Seconds simulated.
    pub seconds: u32,
    /// Calibrated capacity as a share of the truth.
    pub calibrated: f64,
    /// What happens when.
    pub changes: Vec<(u32, Change)>,
    /// Second of the change that judgement starts from.
    pub turn_s: u32,
    /// Seats on sale, where it matters.
    pub seats: Option<u64>,
    /// Fans in line, where it matters.
    pub line: Option<u64>,
    /// How it is judged.
    pub judge: Judge,
}

/// Second at which most changes come: the law has settled by then.
const TURN_S: u32 = 300;

impl Scenario {
    fn new(name: &'static str, title: &'static str, seconds: u32, judge: Judge) -> Self {
        Self {
            name,
            title,
            seconds,
            calibrated: 0.8,
            changes: Vec::new(),
            turn_s: TURN_S,
            seats: None,
            line: None,
            judge,
        }
    }

    fn with(mut self, changes: impl IntoIterator<Item = (u32, Change)>) -> Self {
        self.changes.extend(changes);
        self
    }

    /// The scenario of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|s| s.name == name)
    }

    /// Every scenario, in the order of the table.
    pub fn all() -> Vec<Self> {
        let mut all = Self::starts();
        all.extend(Self::backend_changes());
        all.extend(Self::fan_changes());
        all.extend(Self::disturbances());
        all
    }

    fn starts() -> Vec<Self> {
        let cold = |name, title, seconds, calibrated, within_s| Self {
            calibrated,
            turn_s: 0,
            ..Self::new(name, title, seconds, Judge::ColdStart { within_s })
        };
        vec![
            cold(
                "cold-50",
                "cold start, calibrated at 50 % of the truth",
                450,
                0.5,
                150,
            ),
            cold(
                "cold-10",
                "cold start, calibrated at 10 % of the truth",
                600,
                0.1,
                300,
            ),
        ]
    }

    fn backend_changes() -> Vec<Self> {
        // To -60 % in 24 steps over ten minutes.
        let drift = (0..24).map(|i| {
            (
                TURN_S + 25 * i,
                Change::Servers(1.0 - 0.025 * f64::from(i + 1)),
            )
        });
        vec![
            Self::new(
                "halves",
                "capacity halves",
                600,
                Judge::Halves { extra_s: 30.0 },
            )
            .with([(TURN_S, Change::Servers(0.5))]),
            Self::new("doubles", "capacity doubles", 600, Judge::Doubles)
                .with([(TURN_S, Change::Servers(2.0))]),
            Self::new(
                "slow",
                "service time doubles, target nearly out of reach",
                700,
                Judge::Slow,
            )
            .with([(TURN_S, Change::Slower(2.0))]),
            Self::new(
                "drift",
                "capacity drifts to -60 % over ten minutes",
                1_000,
                Judge::Drift,
            )
            .with(drift),
        ]
    }

    fn fan_changes() -> Vec<Self> {
        let shift = |name, title, within_s, refused| {
            Self::new(name, title, 600, Judge::Shift { within_s, refused })
        };
        vec![
            shift("no-show", "no-show share 0.6 to 0.1", 45.0, 0.02)
                .with([(0, Change::NoShow(0.6)), (TURN_S, Change::NoShow(0.1))]),
            shift("think", "think time halves", 75.0, 1.0)
                .with([(TURN_S, Change::ThinkFaster(2.0))]),
            Self::new(
                "silent",
                "90 % leave silently",
                900,
                Judge::Utilisation {
                    from_s: 150,
                    at_least: 0.9,
                },
            )
            .with([(0, Change::Silent(0.9))]),
            Self {
                line: Some(400),
                ..Self::new("flood", "400 quiet fans, then a flood", 600, Judge::Flood)
            }
            .with([
                (0, Change::ThinkFaster(0.05)),
                (TURN_S, Change::ThinkFaster(1.0)),
                (TURN_S, Change::Waiting(1_000_000)),
            ]),
        ]
    }

    fn disturbances() -> Vec<Self> {
        let stalls = (1..15).map(|minute| (60 * minute, Change::Stall));
        vec![
            Self::new(
                "blind",
                "60 s without signals while capacity halves",
                650,
                Judge::Halves { extra_s: 45.0 },
            )
            .with([
                (TURN_S, Change::Servers(0.5)),
                (TURN_S, Change::SignalsLost(true)),
                (TURN_S + 60, Change::SignalsLost(false)),
            ]),
            Self::new("pause", "pause for 180 s, then resume", 750, Judge::Resume).with([
                (TURN_S, Change::Paused(true)),
                (TURN_S + 180, Change::Paused(false)),
            ]),
            Self::new(
                "stalls",
                "a 3 s stall each minute",
                900,
                Judge::Utilisation {
                    from_s: 150,
                    at_least: 0.8,
                },
            )
            .with(stalls),
            Self::new("outage", "30 s outage", 550, Judge::Outage).with([
                (TURN_S, Change::Outage(true)),
                (TURN_S + 30, Change::Outage(false)),
            ]),
            Self {
                seats: Some(5_000),
                line: Some(50_000),
                turn_s: 0,
                ..Self::new("stock", "5000 seats, 50000 fans", 6_000, Judge::Stock)
            },
        ]
    }
}
