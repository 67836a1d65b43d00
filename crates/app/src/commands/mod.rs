//! One file a command; `main` only parses and dispatches.

pub mod demo;
pub mod doctor;
pub mod healthcheck;
pub mod serve;
