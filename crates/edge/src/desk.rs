//! What only roles with Postgres have: the booking core's orders and the
//! operators' controls. The edge role runs without and says so.

use std::sync::Arc;

use axum::http::StatusCode;
use usher_admission::Policies;
use usher_booking::orders::Orders;
use usher_queue::pg::Store as LineStore;

use crate::error::{ApiError, ApiResult};
use crate::state::Edge;

pub struct Desk {
    pub policies: Policies,
    pub lines: LineStore,
    pub orders: Arc<Orders>,
    pub test_payments: bool,
}

impl Edge {
    pub fn desk(&self) -> ApiResult<&Desk> {
        self.desk.as_ref().ok_or_else(|| {
            let message = "This is served by the booking role; check the proxy's routes.";
            ApiError::new(StatusCode::NOT_FOUND, "not_served_here", message)
        })
    }
}
