//! One file a command; `main` only parses and dispatches.

pub mod calibrate;
pub mod demo;
pub mod doctor;
pub mod event;
pub mod explain;
pub mod healthcheck;
pub mod operator;
pub mod serve;
pub mod tools;
pub mod views;

use std::process::ExitCode;

pub fn exit_code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
