//! What a join has to bring: work done, where the operator or the load asks for it, and a
//! person, where the event does.

use std::net::IpAddr;

use usher_base::FanId;

use crate::api::queue::JoinRequest;
use crate::captcha::{self, Captcha};
use crate::error::ApiResult;
use crate::live::LiveEvent;
use crate::puzzle::{self, Solver};
use crate::state::Edge;

impl Edge {
    /// Hashes that a join costs at this moment: what the operator or the load asks for.
    pub fn join_costs(&self, live: &LiveEvent) -> ApiResult<u32> {
        let asked = self.view(live)?.board().state.puzzle;
        let (rule, now) = (self.settings.puzzle_under_load, self.clock.now());
        Ok(asked.max(self.join_pace.asks(rule, now)))
    }

    /// The CAPTCHA that the event asks of whoever joins.
    pub fn captcha_of(&self, live: &LiveEvent) -> ApiResult<Option<&Captcha>> {
        if !self.view(live)?.board().state.captcha {
            return Ok(None);
        }
        let captcha = self.captcha.as_ref().ok_or_else(|| {
            tracing::error!(event = %live.id, "the event asks for a CAPTCHA; `captcha_provider` is not set");
            captcha::unavailable()
        });
        captcha.map(Some)
    }

    /// Work comes first: it is checked here, so that the CAPTCHA's provider is asked only
    /// about who did it.
    pub async fn ask_for_proof(
        &self,
        live: &LiveEvent,
        fan: FanId,
        from: IpAddr,
        request: &JoinRequest,
    ) -> ApiResult<()> {
        let event = live.id;
        let solver = Solver { event, fan };
        self.ask_for_work(live, solver, request.puzzle.as_deref())?;
        let Some(captcha) = self.captcha_of(live)? else {
            return Ok(());
        };
        let token = request.captcha.as_deref();
        let token = token.ok_or_else(|| captcha.required())?;
        captcha.check(&self.redis, solver, token, from).await
    }

    fn ask_for_work(
        &self,
        live: &LiveEvent,
        solver: Solver,
        solution: Option<&str>,
    ) -> ApiResult<()> {
        let (hashes, now) = (self.join_costs(live)?, self.clock.now());
        if hashes == 0 {
            return Ok(());
        }
        match solution {
            Some(solution) => solver.check(&self.keys, solution, now),
            None => {
                let puzzle = solver.puzzle(&self.keys, hashes, now, &mut rand::rng());
                Err(puzzle::required(&puzzle))
            }
        }
    }
}
