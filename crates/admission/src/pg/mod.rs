//! Admission's tables. Only the leader and operators' calls open them.

pub(crate) mod audit;
pub(crate) mod calibrations;
pub(crate) mod checkpoints;
pub(crate) mod constants;
pub(crate) mod law_settings;
pub(crate) mod policies;
pub(crate) mod prometheus;
