//! Judges what the fans saw. Everything here is pure: records and tallies in,
//! scores out, so that a planted fault can be shown to turn the report red.

pub mod limit;
pub mod order;
pub mod pace;
pub mod stock;
pub mod waits;

/// The middle value of an unsorted list.
pub fn median(values: &mut [f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value below which `share` of an unsorted list lies.
pub fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    // Within the list: share is at most 1 and the length at least 1.
    let index = ((values.len() - 1) as f64 * share.clamp(0.0, 1.0)).round() as usize;
    values.get(index).copied()
}

/// Takes about `count` entries evenly, so that a chart stays small.
pub fn thin<T: Clone>(all: &[T], count: usize) -> Vec<T> {
    let step = all.len().div_ceil(count.max(1)).max(1);
    all.iter().step_by(step).cloned().collect()
}
