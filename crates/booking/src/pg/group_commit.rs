//! Group commit: what is asked of Postgres while a transaction runs waits and
//! goes with the next one, so that a thousand orders a second cost tens of
//! transactions. One transaction of a kind at a time: a second beside it would
//! only halve the batches, and planning, locking and syncing cost as much for
//! few jobs as for many. Each node has its own queues and wakes its own callers;
//! there is nothing to hand over between nodes.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};

/// Jobs in one transaction.
pub const MAX_BATCH_JOBS: usize = 200;
/// Jobs that may wait; past that we refuse at once.
const MAX_WAITING_JOBS: usize = 4_096;

/// Why a job was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// The job was not taken: nothing has happened.
    #[error("too many orders are waiting to be written; try again shortly")]
    Full,
    /// The node is shutting down: it may or may not have happened.
    #[error("the outcome is not known")]
    Unknown,
}

struct Waiting<J, A> {
    job: J,
    answer: oneshot::Sender<A>,
}

/// One kind of job, done in batches.
pub struct GroupCommit<J, A> {
    name: &'static str,
    waiting: mpsc::Sender<Waiting<J, A>>,
}

impl<J: Send + 'static, A: Send + 'static> GroupCommit<J, A> {
    /// `work` answers every job of a batch, in the batch's order. It ends when
    /// the queue is dropped.
    pub fn start<W, F>(name: &'static str, work: W) -> Self
    where
        W: Fn(Vec<J>) -> F + Send + 'static,
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        let (waiting, queue) = mpsc::channel(MAX_WAITING_JOBS);
        tokio::spawn(drain(name, queue, work));
        Self { name, waiting }
    }

    pub async fn submit(&self, job: J) -> Result<A, NotDone> {
        let answered = self.post(job)?;
        answered.await.map_err(|_| NotDone::Unknown)
    }

    /// The same without waiting; whoever drops the answer goes on at once.
    pub fn post(&self, job: J) -> Result<oneshot::Receiver<A>, NotDone> {
        let (answer, answered) = oneshot::channel();
        let taken = self.waiting.try_send(Waiting { job, answer });
        if taken.is_err() {
            metrics::counter!("usher_writer_refused_total", "kind" => self.name).increment(1);
            return Err(NotDone::Full);
        }
        Ok(answered)
    }
}

async fn drain<J, A, W, F>(name: &'static str, mut queue: mpsc::Receiver<Waiting<J, A>>, work: W)
where
    W: Fn(Vec<J>) -> F,
    F: Future<Output = Vec<A>> + Send + 'static,
    A: Send + 'static,
{
    let mut batch = Vec::with_capacity(MAX_BATCH_JOBS);
    loop {
        let taken = queue.recv_many(&mut batch, MAX_BATCH_JOBS).await;
        if taken == 0 {
            return;
        }
        let started = std::time::Instant::now();
        let (jobs, callers): (Vec<J>, Vec<_>) = batch
            .drain(..)
            .map(|waiting| (waiting.job, waiting.answer))
            .unzip();
        // In a task of its own: what breaks one batch must not end the queue.
        match tokio::spawn(work(jobs)).await {
            Ok(answers) => {
                for (caller, answer) in callers.into_iter().zip(answers) {
                    // A caller that went away hears it from the reconciler's work.
                    let _ = caller.send(answer);
                }
            }
            Err(error) => tracing::error!(%error, kind = name, "a batch was broken off"),
        }
        metrics::histogram!("usher_writer_batch_seconds", "kind" => name)
            .record(started.elapsed().as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "at most MAX_BATCH_JOBS")]
        metrics::histogram!("usher_writer_batch_jobs", "kind" => name).record(taken as f64);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_batch_that_breaks_does_not_end_the_queue() {
        let queue = GroupCommit::start("test", |jobs: Vec<u32>| async move {
            assert!(!jobs.contains(&13), "planted");
            jobs
        });
        assert_eq!(queue.submit(13).await, Err(NotDone::Unknown));
        assert_eq!(queue.submit(7).await, Ok(7));
    }
}
