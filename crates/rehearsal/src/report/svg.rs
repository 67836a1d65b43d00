//! Small inline charts: lines and dots over one pair of axes. Colours come
//! from the page's own CSS classes, so that light and dark both read well.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 34.0;
const TICKS: usize = 5;

/// A chart that is being drawn; x and y are in the units of the data.
#[derive(Debug)]
pub struct Chart {
    body: String,
    x_max: f64,
    y_max: f64,
}

impl Chart {
    /// Axes from zero to (about) the given ends, labelled.
    pub fn new(title: &str, x_label: &str, y_label: &str, x_max: f64, y_max: f64) -> Self {
        let (x_max, y_max) = (x_max.max(1.0), nice_end(y_max));
        let mut chart = Self {
            body: String::new(),
            x_max,
            y_max,
        };
        chart.put(format_args!(
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
            escape(title)
        ));
        chart.axes(x_label, y_label);
        chart
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.body.write_fmt(text);
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (value / self.x_max).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (value / self.y_max).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }

    fn axes(&mut self, x_label: &str, y_label: &str) {
        for tick in 0..=TICKS {
            let part = tick as f64 / TICKS as f64;
            let (value, at) = (self.y_max * part, self.y(self.y_max * part));
            let (far, text_x, text_y) = (WIDTH - RIGHT, LEFT - 6.0, at + 4.0);
            self.put(format_args!(
                r#"<line class="grid" x1="{LEFT}" x2="{far}" y1="{at:.1}" y2="{at:.1}"/>"#
            ));
            self.put(format_args!(
                r#"<text x="{text_x}" y="{text_y:.1}" text-anchor="end">{}</text>"#,
                short(value)
            ));
            let (value, at, text_y) = (
                self.x_max * part,
                self.x(self.x_max * part),
                HEIGHT - BOTTOM + 15.0,
            );
            self.put(format_args!(
                r#"<text x="{at:.1}" y="{text_y}" text-anchor="middle">{}</text>"#,
                short(value)
            ));
        }
        let (middle, bottom) = (LEFT.midpoint(WIDTH - RIGHT), HEIGHT - 4.0);
        self.put(format_args!(
            r#"<text x="{middle}" y="{bottom}" text-anchor="middle">{}</text>"#,
            escape(x_label)
        ));
        let (inset, first) = (LEFT + 6.0, TOP + 10.0);
        self.put(format_args!(
            r#"<text x="{inset}" y="{first}">{}</text>"#,
            escape(y_label)
        ));
    }

    pub fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        if points.is_empty() {
            return;
        }
        self.put(format_args!(r#"<polyline class="line {class}" points=""#));
        self.points(points.iter());
        self.put(format_args!(r#""/>"#));
    }

    pub fn dots(&mut self, class: &str, radius: f64, points: &[(f64, f64)]) {
        for (x, y) in points {
            let (x, y) = (self.x(*x), self.y(*y));
            self.put(format_args!(
                r#"<circle class="dot {class}" cx="{x:.1}" cy="{y:.1}" r="{radius}"/>"#
            ));
        }
    }

    fn points<'a>(&mut self, points: impl Iterator<Item = &'a (f64, f64)>) {
        for (x, y) in points {
            let (x, y) = (self.x(*x), self.y(*y));
            self.put(format_args!("{x:.1},{y:.1} "));
        }
    }

    pub fn finish(mut self) -> String {
        self.body.push_str("</svg>");
        self.body
    }
}

/// The next round number at or above `value`, so that ticks are readable.
fn nice_end(value: f64) -> f64 {
    if value <= 1.0 || !value.is_finite() {
        return 1.0;
    }
    let magnitude = 10f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let end = steps
        .into_iter()
        .find(|step| step * magnitude >= value)
        .unwrap_or(10.0);
    end * magnitude
}

fn short(value: f64) -> String {
    match value {
        v if v >= 10_000.0 => format!("{:.0}k", v / 1000.0),
        v if v >= 1_000.0 => format!("{:.1}k", v / 1000.0),
        v if v >= 10.0 || v == 0.0 => format!("{v:.0}"),
        v => format!("{v:.1}"),
    }
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_on_round_numbers_above_the_data() {
        assert_eq!(nice_end(0.0), 1.0);
        assert_eq!(nice_end(1300.0), 1500.0);
        assert_eq!(nice_end(99.0), 100.0);
        assert_eq!(nice_end(f64::NAN), 1.0);
    }

    #[test]
    fn nothing_leaves_the_picture_and_labels_are_escaped() {
        let mut chart = Chart::new("<b>", "x & y", "y", 10.0, 10.0);
        chart.dots("a", 2.0, &[(-5.0, 1e9)]);
        let svg = chart.finish();
        assert!(svg.contains("&lt;b&gt;") && svg.contains("x &amp; y"));
        assert!(
            svg.contains(&format!(r#"cx="{LEFT:.1}" cy="{TOP:.1}""#)),
            "{svg}"
        );
    }
}
