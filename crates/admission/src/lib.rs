//! Admission: lets in exactly as many people as the backend bears.
//! `control` is the law (pure: `now` and measurements in, a decision out), `sim` is the world
//! that the law is tried in before it meets a real one.

pub mod control;
pub mod sim;
