//! Signals of a backend that a Prometheus watches: which queries tell them, and how
//! its answers become the report that the backend itself would push.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use usher_base::{EventId, Timestamp};

use super::{PushError, PushedSignals, Report};
use crate::pg::prometheus as table;

/// The name under which such a backend reports.
pub const PROMETHEUS_NODE: &str = "prometheus";
/// Longest query, in bytes.
const MAX_QUERY_BYTES: usize = 1_000;

/// PromQL, each giving one number: rates a second, times in ms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrometheusQueries {
    /// Requests/s answered well. Without an answer to this one there is no signal.
    pub completed: String,
    /// First attempts/s; the answered and failed ones where it is left out, as what is
    /// turned away comes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<String>,
    /// Requests/s turned away (429, 503).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects: Option<String>,
    /// Requests/s that failed or timed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("{0} must be a query of 1 to {MAX_QUERY_BYTES} characters on one line.")]
    Unusable(&'static str),
}

/// Why an answer gives no number.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("the answer is not Prometheus's")]
    NotPrometheus,
    #[error("the query gives {0} series; aggregate them to one, such as with sum()")]
    SeveralSeries(usize),
}

impl PrometheusQueries {
    /// What came from outside, before it is stored.
    pub fn validate(&self) -> Result<(), QueryError> {
        for (name, query) in self.named() {
            let fits = query.is_none_or(|query| {
                (1..=MAX_QUERY_BYTES).contains(&query.len()) && !query.contains(char::is_control)
            });
            if !fits {
                return Err(QueryError::Unusable(name));
            }
        }
        Ok(())
    }

    /// Each by the name of what it tells.
    pub fn named(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("completed", Some(&self.completed)),
            ("requests", self.requests.as_deref()),
            ("rejects", self.rejects.as_deref()),
            ("errors", self.errors.as_deref()),
            ("p50_ms", self.p50_ms.as_deref()),
            ("p99_ms", self.p99_ms.as_deref()),
        ]
    }
}

/// The report that these numbers make, in the order of `PrometheusQueries::named`;
/// `None` when what was served is not known.
pub fn report(numbers: [Option<f64>; 6], now: Timestamp) -> Result<Option<Report>, PushError> {
    let [Some(completed), requests, rejects, errors, p50_ms, p99_ms] = numbers else {
        return Ok(None);
    };
    let (rejects, errors) = (rejects.unwrap_or(0.0), errors.unwrap_or(0.0));
    let pushed = PushedSignals {
        node: PROMETHEUS_NODE.to_owned(),
        requests: requests.unwrap_or(completed + errors),
        completed,
        rejects,
        errors,
        p50_ms,
        p99_ms,
        pool_wait_ms: None,
    };
    pushed.accept(now).map(|(_, report)| Some(report))
}

/// The number in an answer of `/api/v1/query`; `None` when it found nothing, or no
/// number (a quantile of nothing is NaN).
pub fn number(answer: &[u8]) -> Result<Option<f64>, AnswerError> {
    let answer: Value = serde_json::from_slice(answer).map_err(|_| AnswerError::NotPrometheus)?;
    let data = &answer["data"];
    let sample = match data["resultType"].as_str() {
        Some("scalar") => &data["result"],
        Some("vector") => match data["result"].as_array().map(Vec::as_slice) {
            Some([]) => return Ok(None),
            Some([one]) => &one["value"],
            Some(several) => return Err(AnswerError::SeveralSeries(several.len())),
            None => return Err(AnswerError::NotPrometheus),
        },
        _ => return Err(AnswerError::NotPrometheus),
    };
    let text = sample[1].as_str().ok_or(AnswerError::NotPrometheus)?;
    let value: f64 = text.parse().map_err(|_| AnswerError::NotPrometheus)?;
    Ok(Some(value).filter(|value| value.is_finite()))
}

/// Which events' backends are asked about with which queries.
#[derive(Clone)]
pub struct PrometheusSources {
    pool: PgPool,
}

impl PrometheusSources {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub async fn all(&self) -> Result<Vec<(EventId, PrometheusQueries)>, sqlx::Error> {
        table::all(&self.pool).await
    }

    pub async fn get(&self, event: EventId) -> Result<Option<PrometheusQueries>, sqlx::Error> {
        table::read(&self.pool, event).await
    }

    pub async fn put(
        &self,
        event: EventId,
        queries: &PrometheusQueries,
        who: &str,
    ) -> Result<(), sqlx::Error> {
        table::write(&self.pool, event, queries, who).await
    }

    pub async fn remove(&self, event: EventId) -> Result<(), sqlx::Error> {
        table::remove(&self.pool, event).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_000);

    fn vector(result: &str) -> Vec<u8> {
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{result}}}}}"#)
            .into_bytes()
    }

    #[test]
    fn one_number_is_taken_and_nothing_is_no_number() {
        let one = vector(r#"[{"metric":{},"value":[1795255200.1,"41.5"]}]"#);
        assert_eq!(number(&one), Ok(Some(41.5)));
        let scalar = br#"{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}"#;
        assert_eq!(number(scalar), Ok(Some(7.0)));
        assert_eq!(number(&vector("[]")), Ok(None));
        let nan = vector(r#"[{"metric":{},"value":[1,"NaN"]}]"#);
        assert_eq!(number(&nan), Ok(None));
    }

    #[test]
    fn what_is_not_one_number_is_said_to_be_wrong() {
        let two = vector(r#"[{"value":[1,"1"]},{"value":[1,"2"]}]"#);
        assert_eq!(number(&two), Err(AnswerError::SeveralSeries(2)));
        for odd in [
            &b"<html>"[..],
            b"{}",
            br#"{"data":{"resultType":"matrix"}}"#,
        ] {
            assert_eq!(number(odd), Err(AnswerError::NotPrometheus));
        }
    }

    #[test]
    fn without_the_served_there_is_no_report_and_who_is_turned_away_comes_again() {
        assert_eq!(report([None; 6], NOW), Ok(None));
        let numbers = [Some(40.0), None, Some(2.0), Some(1.0), None, Some(210.0)];
        let signals = report(numbers, NOW).unwrap().unwrap().signals;
        assert_eq!((signals.requests, signals.p99_ms), (41.0, Some(210.0)));
        let negative = [Some(-1.0), None, None, None, None, None];
        assert!(report(negative, NOW).is_err());
    }

    #[test]
    fn a_query_is_one_line_of_bounded_length() {
        let queries = |completed: &str| PrometheusQueries {
            completed: completed.to_owned(),
            ..PrometheusQueries::default()
        };
        assert_eq!(queries("sum(rate(x[5s]))").validate(), Ok(()));
        for bad in ["", "a\nb", &"x".repeat(1_001)] {
            assert_eq!(
                queries(bad).validate(),
                Err(QueryError::Unusable("completed"))
            );
        }
    }
}
