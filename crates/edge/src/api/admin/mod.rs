//! The operators' API: see and steer an on-sale. Every change is told with who
//! made it and takes effect within a second.

pub mod admission;
pub mod lines;
pub mod status;
