//! The core of the benchmarks: a load generator, and the table that sets each
//! figure beside the ceiling of the same run. The benchmarks are built on these.

pub mod load;
pub mod table;
