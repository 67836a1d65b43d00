//! Proof of work at the door, in ALTCHA's form: find the number that, behind the salt, has
//! the challenge as its SHA-256. The salt names event, fan and end, and all of it is
//! signed, so nothing is stored: a solution serves one fan, who gets one place by it
//! however often it is shown.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_base::signing::SigningKeys;
use usher_base::{EventId, FanId, Timestamp};
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};

const ALGORITHM: &str = "SHA-256";
const PURPOSE: &str = "puzzle";
/// A slow phone has this long.
const GOOD_FOR: Duration = Duration::from_secs(600);
/// A longer text is no solution.
const MAX_SOLUTION_BYTES: usize = 1_024;

/// As ALTCHA's clients read it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Puzzle {
    algorithm: &'static str,
    /// In hexadecimal
    challenge: String,
    salt: String,
    signature: String,
    /// The number is at most this
    maxnumber: u32,
}

/// ALTCHA's payload, in base64.
#[derive(Debug, Serialize, Deserialize)]
struct Solution {
    algorithm: String,
    challenge: String,
    number: u64,
    salt: String,
    signature: String,
}

/// Whom a puzzle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solver {
    pub event: EventId,
    pub fan: FanId,
}

impl Solver {
    /// A puzzle that costs `hashes` on average.
    pub fn puzzle(
        &self,
        keys: &SigningKeys,
        hashes: u32,
        now: Timestamp,
        rng: &mut impl Rng,
    ) -> Puzzle {
        let maxnumber = hashes.saturating_mul(2).max(1);
        let number = rng.next_u32() % maxnumber;
        let ends = now.plus(GOOD_FOR).seconds();
        // The last sign keeps digits of the number from being taken for the salt's.
        let salt = format!(
            "{:016x}?expires={ends}&for={}&",
            rng.next_u64(),
            self.name()
        );
        let challenge = challenge(&salt, number.into());
        Puzzle {
            algorithm: ALGORITHM,
            signature: seal(keys, &challenge),
            challenge,
            salt,
            maxnumber,
        }
    }

    /// Whether this solves a puzzle that was made for this fan and is still good.
    pub fn check(&self, keys: &SigningKeys, solution: &str, now: Timestamp) -> ApiResult<()> {
        let Solution {
            algorithm,
            challenge: claimed,
            number,
            salt,
            signature,
        } = read(solution).ok_or_else(wrong)?;
        let is_solved = algorithm == ALGORITHM && challenge(&salt, number) == claimed;
        let sealed = format!("{claimed}.{signature}");
        if !is_solved || keys.open_cookie(PURPOSE, &sealed).is_none() {
            return Err(wrong());
        }
        let part = |name: &str| {
            let mut parts = salt
                .split(['?', '&'])
                .filter_map(|part| part.split_once('='));
            parts.find(|(of, _)| *of == name).map(|(_, value)| value)
        };
        if part("for") != Some(&self.name()) {
            return Err(refused(
                "puzzle_not_yours",
                "This puzzle was for somebody else; solve your own.",
            ));
        }
        let ends = part("expires").and_then(|text| text.parse::<i64>().ok());
        if ends.is_none_or(|ends| ends <= now.seconds()) {
            return Err(refused(
                "puzzle_expired",
                "This puzzle is too old; solve a new one.",
            ));
        }
        Ok(())
    }

    fn name(&self) -> String {
        format!("{}.{}", self.event.uuid().simple(), self.fan)
    }
}

fn read(solution: &str) -> Option<Solution> {
    if solution.len() > MAX_SOLUTION_BYTES {
        return None;
    }
    serde_json::from_slice(&STANDARD.decode(solution).ok()?).ok()
}

fn challenge(salt: &str, number: u64) -> String {
    hex::encode(digest(&SHA256, format!("{salt}{number}").as_bytes()))
}

/// The seal alone: the challenge it seals stands beside it.
fn seal(keys: &SigningKeys, challenge: &str) -> String {
    let sealed = keys.seal_cookie(PURPOSE, challenge);
    sealed[challenge.len() + 1..].to_owned()
}

fn refused(code: &'static str, message: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
}

fn wrong() -> ApiError {
    refused(
        "puzzle_wrong",
        "This does not solve the puzzle; fetch a new one and solve that.",
    )
}

/// What a join without a solution hears, with the puzzle to solve.
pub fn required(puzzle: &Puzzle) -> ApiError {
    let message = "Solve this puzzle and join again with its solution; pages do it by themselves.";
    let status = StatusCode::PRECONDITION_REQUIRED;
    ApiError::new(status, "puzzle_required", message).detail("puzzle", json!(puzzle))
}

/// When the load itself asks for puzzles, and how hard ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct PuzzleUnderLoad {
    /// More joins than this in a second; 0 never.
    pub above_joins_per_second: u32,
    pub hashes: u32,
}

/// Joins of this process by the second.
#[derive(Default)]
pub struct JoinPace(Mutex<Pace>);

#[derive(Clone, Copy, Default)]
struct Pace {
    second: i64,
    joins: u32,
    /// Of the second before.
    last: u32,
}

impl JoinPace {
    /// Counts one more try to join.
    pub fn count(&self, now: Timestamp) {
        let mut pace = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pace.turn_to(now);
        pace.joins = pace.joins.saturating_add(1);
    }

    /// The hashes that the load asks for at this moment.
    pub fn asks(&self, rule: PuzzleUnderLoad, now: Timestamp) -> u32 {
        if rule.above_joins_per_second == 0 {
            return 0;
        }
        let mut pace = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pace.turn_to(now);
        let is_loaded = pace.last.max(pace.joins) > rule.above_joins_per_second;
        if is_loaded { rule.hashes } else { 0 }
    }
}

impl Pace {
    fn turn_to(&mut self, now: Timestamp) {
        let second = now.seconds();
        if second != self.second {
            self.last = if second == self.second + 1 {
                self.joins
            } else {
                0
            };
            (self.second, self.joins) = (second, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use usher_base::signing::generate_jwk_set;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn keys(seed: u64) -> SigningKeys {
        let set = generate_jwk_set(&mut StdRng::seed_from_u64(seed));
        SigningKeys::from_jwk_set(&set, "https://usher.example").unwrap()
    }

    fn solver(fan: u8) -> Solver {
        Solver {
            event: EventId::from_uuid(uuid::Uuid::nil()),
            fan: FanId::from_bytes([fan; 16]),
        }
    }

    fn solve(puzzle: &Puzzle) -> Solution {
        let number = (0..=puzzle.maxnumber)
            .map(u64::from)
            .find(|number| challenge(&puzzle.salt, *number) == puzzle.challenge);
        Solution {
            algorithm: puzzle.algorithm.to_owned(),
            challenge: puzzle.challenge.clone(),
            number: number.unwrap(),
            salt: puzzle.salt.clone(),
            signature: puzzle.signature.clone(),
        }
    }

    fn payload(solution: &Solution) -> String {
        STANDARD.encode(serde_json::to_vec(solution).unwrap())
    }

    #[test]
    fn a_solution_is_good_for_its_fan_and_for_a_while() {
        let (keys, fan) = (keys(1), solver(1));
        let puzzle = fan.puzzle(&keys, 500, NOW, &mut StdRng::seed_from_u64(2));
        let solution = payload(&solve(&puzzle));
        assert!(fan.check(&keys, &solution, NOW.plus(GOOD_FOR / 2)).is_ok());
        let code = |refusal: ApiResult<()>| refusal.unwrap_err().code();
        assert_eq!(
            code(fan.check(&keys, &solution, NOW.plus(GOOD_FOR))),
            "puzzle_expired"
        );
        assert_eq!(
            code(solver(2).check(&keys, &solution, NOW)),
            "puzzle_not_yours"
        );
        assert_eq!(
            code(fan.check(&self::keys(2), &solution, NOW)),
            "puzzle_wrong"
        );
        assert_eq!(code(fan.check(&keys, "nonsense", NOW)), "puzzle_wrong");
    }

    #[test]
    fn nothing_of_a_solution_can_be_changed() {
        let (keys, fan) = (keys(1), solver(1));
        let puzzle = fan.puzzle(&keys, 500, NOW, &mut StdRng::seed_from_u64(3));
        let wrong = |solution: &Solution| fan.check(&keys, &payload(solution), NOW).is_err();
        let mut other = solve(&puzzle);
        other.number += 1;
        assert!(wrong(&other));
        // Digits of the number moved into the salt keep the hash and would move the end.
        let mut spliced = solve(&puzzle);
        let digits = spliced.number.to_string();
        spliced.salt.push_str(&digits[..1]);
        spliced.number = digits[1..].parse().unwrap_or(0);
        let same_hash = challenge(&spliced.salt, spliced.number) == puzzle.challenge;
        assert!(same_hash, "the case is worth its name");
        let moved = spliced.salt.split_once("expires=").unwrap().1;
        assert!(moved.starts_with("1800000600&"), "{moved}");
        let mut forged = solve(&puzzle);
        forged.salt = forged.salt.replace("expires=1", "expires=9");
        forged.challenge = challenge(&forged.salt, forged.number);
        assert!(wrong(&forged));
    }

    #[test]
    fn the_load_asks_from_the_second_in_which_it_comes_to_the_one_after() {
        let rule = PuzzleUnderLoad {
            above_joins_per_second: 2,
            hashes: 900,
        };
        let pace = JoinPace::default();
        let at = |second: u64| NOW.plus(Duration::from_secs(second));
        for _ in 0..2 {
            pace.count(at(0));
        }
        assert_eq!(pace.asks(rule, at(0)), 0);
        pace.count(at(0));
        assert_eq!(pace.asks(rule, at(0)), 900);
        assert_eq!(pace.asks(rule, at(1)), 900);
        assert_eq!(pace.asks(rule, at(2)), 0);
        assert_eq!(pace.asks(PuzzleUnderLoad::default(), at(0)), 0);
    }
}
