//! The progress bar with one live line beneath the fans' heads.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::tally::Live;

const TEMPLATE: &str = "{elapsed_precise} [{bar:30}] {pos}/{len} fans done  {msg}";

#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    pub fn new(fans: u32) -> Self {
        let bar = ProgressBar::new(u64::from(fans));
        // A template that indicatif does not like leaves its own default in place.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(bar)
    }

    pub fn show(&self, live: &Live) {
        self.0.set_position(live.done);
        self.0.set_message(sentence(live));
    }

    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn sentence(live: &Live) -> String {
    format!(
        "joined {} waiting {} streams {} let in {} holds {} conflicts {} orders {} failed {}",
        live.joined,
        live.waiting,
        live.streams,
        live.admitted,
        live.holds,
        live.conflicts,
        live.orders,
        live.failed
    )
}
