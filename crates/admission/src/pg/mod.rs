//! Admission's tables. Only the leader and operators' calls open them.

pub(crate) mod calibrations;
pub(crate) mod checkpoints;
pub(crate) mod policies;
pub(crate) mod prometheus;
