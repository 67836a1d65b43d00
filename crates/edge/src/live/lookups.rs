//! Questions that the board cannot answer, "why is my number gone?", gathered
//! so that a release of a thousand costs Redis two calls and not a thousand.

use std::collections::HashMap;

use tokio::sync::{mpsc, oneshot};
use usher_base::redis::CallError;
use usher_base::{EventId, FanId, Lane};
use usher_queue::{Line, MAX_FANS_PER_LOOKUP, Place};

/// Questions that may wait; a fan whose question does not fit asks next tick.
const MAX_WAITING_QUESTIONS: usize = 50_000;

pub struct Question {
    lane: Lane,
    fan: FanId,
    answer: oneshot::Sender<Result<Place, CallError>>,
}

#[derive(Clone)]
pub struct Lookups {
    questions: mpsc::Sender<Question>,
}

impl Lookups {
    /// Starts the task that answers; it ends with the last handle.
    pub fn start(line: Line, event: EventId) -> Self {
        let (questions, waiting) = mpsc::channel(MAX_WAITING_QUESTIONS);
        tokio::spawn(answer(line, event, waiting));
        Self { questions }
    }

    pub async fn place(&self, lane: &Lane, fan: FanId) -> Result<Place, CallError> {
        let (answer, answered) = oneshot::channel();
        let question = Question {
            lane: lane.clone(),
            fan,
            answer,
        };
        self.questions
            .try_send(question)
            .map_err(|_| CallError::Busy)?;
        answered.await.map_err(|_| CallError::Busy)?
    }
}

async fn answer(line: Line, event: EventId, mut waiting: mpsc::Receiver<Question>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, MAX_FANS_PER_LOOKUP).await > 0 {
        let mut by_lane: HashMap<Lane, Vec<Question>> = HashMap::new();
        for question in batch.drain(..) {
            by_lane
                .entry(question.lane.clone())
                .or_default()
                .push(question);
        }
        for (lane, questions) in by_lane {
            let fans: Vec<FanId> = questions.iter().map(|q| q.fan).collect();
            let places = line.places(event, &lane, &fans).await;
            tell(questions, places);
        }
    }
}

fn tell(questions: Vec<Question>, places: Result<Vec<Place>, CallError>) {
    match places {
        Ok(places) => {
            for (question, place) in questions.into_iter().zip(places) {
                // Who hung up meanwhile needs no answer.
                let _ = question.answer.send(Ok(place));
            }
        }
        Err(error) => {
            for question in questions {
                let _ = question.answer.send(Err(error.clone()));
            }
        }
    }
}
