//! `usher doctor`: looks at everything a start depends on and says, for each
//! thing that is wrong, what to do about it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, getrlimit};
use sqlx::postgres::PgConnection;
use usher_base::signing::SigningKeys;

use crate::config::Config;
use crate::postgres::{self, PostgresError};
use crate::role::Role;

const REDIS_TIMEOUT: Duration = Duration::from_secs(3);
const OLDEST_REDIS_MAJOR: u32 = 7;
const OLDEST_POSTGRES: i32 = 130_000;
/// Tokens tolerate 5 s between nodes; half of it is the time to act.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_millis(2_500);
/// Descriptors besides streams: connections, logs, the stores.
const FILES_BESIDE_STREAMS: u64 = 1_000;

/// What one check found.
enum Finding {
    Good(String),
    Bad { problem: String, remedy: String },
}

use Finding::Good;

fn bad(problem: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding::Bad {
        problem: problem.into(),
        remedy: remedy.into(),
    }
}

/// Prints a line a check; true when all is well.
pub async fn run(config: &Config, role: Role) -> bool {
    let mut findings = vec![
        ("signing keys", check_keys(config)),
        ("open files", check_files(config)),
    ];
    findings.extend(check_redis(config).await);
    if role.needs_postgres() {
        findings.extend(check_postgres(config).await);
    }
    if role.serves_operators() {
        findings.push(("operator key", check_admin_key(config)));
    }
    let mut all_good = true;
    for (name, finding) in &findings {
        match finding {
            Good(detail) => println!("  ok    {name}: {detail}"),
            Finding::Bad { problem, remedy } => {
                all_good = false;
                println!("  WRONG {name}: {problem}");
                println!("        what to do: {remedy}");
            }
        }
    }
    println!(
        "{}",
        if all_good {
            "Everything is well."
        } else {
            "Not ready to serve."
        }
    );
    all_good
}

fn check_keys(config: &Config) -> Finding {
    let parsed = config
        .signing_key_set()
        .map_err(|e| e.to_string())
        .and_then(|set| {
            SigningKeys::from_jwk_set(&set, &config.public_url).map_err(|e| e.to_string())
        });
    match parsed {
        Ok(keys) => {
            let count = keys.public_jwk_set()["keys"].as_array().map_or(0, Vec::len);
            Good(format!("{count} in the set, the first one signs"))
        }
        Err(problem) => bad(
            problem,
            "run `usher keys > keys.json`, keep the file secret, and set USHER_SIGNING_KEYS=keys.json",
        ),
    }
}

fn check_admin_key(config: &Config) -> Finding {
    if config.admin_api_key.is_empty() {
        let remedy = "set USHER_ADMIN_API_KEY to 24 or more random characters";
        return bad("none is set, so nobody can sign in to the console", remedy);
    }
    Good("set".into())
}

fn check_files(config: &Config) -> Finding {
    let wanted = config.max_streams as u64 + FILES_BESIDE_STREAMS;
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, hard)) if hard < wanted => bad(
            format!(
                "{hard} may be open, but {} streams need {wanted}",
                config.max_streams
            ),
            format!(
                "raise the limit (`ulimit -Hn {wanted}`, LimitNOFILE= in a unit) or lower `max_streams`"
            ),
        ),
        // The soft limit is raised to the hard one at every start.
        Ok((soft, hard)) => Good(format!("{soft} now, up to {hard}, {wanted} wanted")),
        Err(error) => bad(
            format!("the limit cannot be read: {error}"),
            "check `ulimit -n`",
        ),
    }
}

async fn check_redis(config: &Config) -> Vec<(&'static str, Finding)> {
    match tokio::time::timeout(REDIS_TIMEOUT, ask_redis(config)).await {
        Ok(Ok(answers)) => judge_redis(config, &answers),
        Ok(Err(error)) => vec![("redis", redis_down(&error.to_string()))],
        Err(_) => vec![("redis", redis_down("no answer within 3 seconds"))],
    }
}

fn redis_down(problem: &str) -> Finding {
    bad(
        format!("Redis does not answer: {problem}"),
        "start it, or correct `redis_url` (USHER_REDIS_URL)",
    )
}

struct RedisAnswers {
    info: String,
    policy: String,
    min_replicas: String,
    clock: Duration,
    asked_at: Duration,
}

async fn ask_redis(config: &Config) -> redis::RedisResult<RedisAnswers> {
    let client = redis::Client::open(config.redis_url.as_str())?;
    let mut redis = client.get_multiplexed_async_connection().await?;
    let asked_at = since_1970();
    let (seconds, micros): (u64, u32) = redis::cmd("TIME").query_async(&mut redis).await?;
    let mut setting = async |name: &str| -> redis::RedisResult<String> {
        let mut get = redis::cmd("CONFIG");
        let pair: Vec<String> = get.arg("GET").arg(name).query_async(&mut redis).await?;
        Ok(pair.into_iter().nth(1).unwrap_or_default())
    };
    let policy = setting("maxmemory-policy").await?;
    let min_replicas = setting("min-replicas-to-write").await?;
    let info = redis::cmd("INFO").query_async(&mut redis).await?;
    Ok(RedisAnswers {
        info,
        policy,
        min_replicas,
        clock: Duration::new(seconds, micros * 1_000),
        asked_at,
    })
}

fn judge_redis(config: &Config, answers: &RedisAnswers) -> Vec<(&'static str, Finding)> {
    let field = |name: &str| {
        let mut lines = answers.info.lines();
        lines.find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(':')
                .map(str::to_owned)
        })
    };
    let version = field("redis_version").unwrap_or_default();
    let major: u32 = version
        .split('.')
        .next()
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    let version = if major < OLDEST_REDIS_MAJOR {
        bad(
            format!("version {version} is too old"),
            "use Redis 7.0 or newer",
        )
    } else {
        Good(format!("answers, version {version}"))
    };
    let policy = if answers.policy == "noeviction" {
        Good("noeviction".into())
    } else {
        bad(
            format!(
                "maxmemory-policy is {}: a full Redis would forget places",
                answers.policy
            ),
            "set `maxmemory-policy noeviction` in redis.conf",
        )
    };
    let mut findings = vec![
        ("redis", version),
        ("redis memory", policy),
        ("redis clock", judge_clock(answers.asked_at, answers.clock)),
    ];
    let has_replicas = field("connected_slaves").is_some_and(|count| count != "0");
    if config.redis_replicated || has_replicas {
        findings.push((
            "redis replicas",
            judge_replicas(config, &answers.min_replicas),
        ));
    }
    findings
}

fn judge_replicas(config: &Config, min_replicas: &str) -> Finding {
    if !config.redis_replicated {
        let remedy = "set `redis_replicated = true`, so that a failover is noticed";
        return bad(
            "this Redis has replicas, but `redis_replicated` is false",
            remedy,
        );
    }
    if min_replicas == "0" {
        return bad(
            "a master cut off from its replicas would go on selling",
            "set `min-replicas-to-write 1` in redis.conf",
        );
    }
    Good(format!("min-replicas-to-write {min_replicas}"))
}

fn judge_clock(ours: Duration, theirs: Duration) -> Finding {
    let difference = ours.abs_diff(theirs);
    if difference > MAX_CLOCK_DIFFERENCE {
        return bad(
            format!("it differs from ours by {:.1} s", difference.as_secs_f64()),
            "let both machines keep time by NTP (`timedatectl set-ntp true`)",
        );
    }
    Good(format!("within {} ms of ours", difference.as_millis()))
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

async fn check_postgres(config: &Config) -> Vec<(&'static str, Finding)> {
    let mut connection = match postgres::open_connection(&config.database_url).await {
        Ok(connection) => connection,
        Err(error) => {
            let remedy = "start it, or correct `database_url` (USHER_DATABASE_URL)";
            return vec![("postgres", bad(error.to_string(), remedy))];
        }
    };
    let schema = match postgres::check_schema(&mut connection).await {
        Ok(()) => Good("all migrations are applied".into()),
        Err(error @ PostgresError::Ahead) => bad(error.to_string(), "update usher"),
        Err(error) => bad(error.to_string(), "run `usher migrate`"),
    };
    let mut findings = match ask_postgres(&mut connection).await {
        Ok(findings) => findings,
        Err(error) => vec![("postgres", bad(error.to_string(), "look at its log"))],
    };
    findings.push(("postgres schema", schema));
    findings
}

async fn ask_postgres(
    connection: &mut PgConnection,
) -> Result<Vec<(&'static str, Finding)>, sqlx::Error> {
    let asked_at = since_1970();
    let ask = "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
               extract(epoch from clock_timestamp())::float8, current_setting('fsync'), \
               current_setting('synchronous_commit')";
    let (number, version, clock, fsync, commit): (i32, String, f64, String, String) =
        sqlx::query_as(ask).fetch_one(connection).await?;
    let version = if number < OLDEST_POSTGRES {
        bad(
            format!("version {version} is too old"),
            "use Postgres 13 or newer",
        )
    } else {
        Good(format!("answers, version {version}"))
    };
    let durable = if fsync == "off" || commit == "off" {
        let remedy = "set fsync and synchronous_commit to on: a crash could lose paid orders";
        bad(
            format!("fsync is {fsync}, synchronous_commit is {commit}"),
            remedy,
        )
    } else {
        Good("commits are on disk before they are confirmed".into())
    };
    let clock = judge_clock(asked_at, Duration::from_secs_f64(clock.max(0.0)));
    Ok(vec![
        ("postgres", version),
        ("postgres durability", durable),
        ("postgres clock", clock),
    ])
}
