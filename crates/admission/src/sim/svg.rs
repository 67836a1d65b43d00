//! A picture of one run, as a small SVG: four panels over time. Written by hand, because four polylines and their
//! axes are less than a plotting library.

use std::fmt::Write as _;

use super::meter::Row;

const WIDTH: f64 = 820.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 26.0;
const TOP: f64 = 46.0;
const PANEL: f64 = 120.0;
const GAP: f64 = 44.0;
/// Points of one line at most; a longer run is averaged, which keeps the file small.
const POINTS: usize = 260;

struct Line {
    label: &'static str,
    colour: &'static str,
    dashed: bool,
    values: Vec<f64>,
}

struct Panel {
    title: &'static str,
    lines: Vec<Line>,
}

/// Draws a run, simulated or real. `turn_s` is the second of the change, 0 for none.
pub fn draw(title: &str, rows: &[Row], turn_s: u32, target_ms: f64) -> String {
    let panels = panels(rows, target_ms);
    let height = TOP + panels.len() as f64 * (PANEL + GAP) + 8.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\" font-weight=\"600\">{title}</text>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        let top = TOP + index as f64 * (PANEL + GAP);
        draw_panel(&mut svg, panel, top, rows.len(), turn_s);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panels(rows: &[Row], target_ms: f64) -> Vec<Panel> {
    let line = |label, colour, value: &dyn Fn(&Row) -> f64| Line {
        label,
        colour,
        dashed: false,
        values: thin(rows, value),
    };
    let dashed = |label, colour, value: &dyn Fn(&Row) -> f64| Line {
        dashed: true,
        ..line(label, colour, value)
    };
    vec![
        Panel {
            title: "requests/s",
            lines: vec![
                line("refused", "#c0392b", &|r| r.refused),
                line("goodput", "#1b6ca8", &|r| r.goodput),
                dashed("capacity", "#666", &|r| r.capacity),
            ],
        },
        Panel {
            title: "p99, ms",
            lines: vec![
                Line {
                    values: worst(rows, &|r| r.p99_ms),
                    ..line("p99, worst second", "#7d3c98", &|r| r.p99_ms)
                },
                dashed("target", "#666", &|_| target_ms),
            ],
        },
        Panel {
            title: "people inside",
            lines: vec![
                line("inside", "#1b6ca8", &|r| r.inside as f64),
                dashed("wanted", "#d35400", &|r| r.wanted_inside),
            ],
        },
        Panel {
            title: "released/s",
            lines: vec![line("released", "#1e7d4f", &|r| f64::from(r.released))],
        },
    ]
}

/// Seconds that share one point.
fn stretch(rows: &[Row]) -> usize {
    rows.len().div_ceil(POINTS).max(1)
}

/// Means of equal stretches, at most `POINTS` of them.
fn thin(rows: &[Row], value: &dyn Fn(&Row) -> f64) -> Vec<f64> {
    let mean = |chunk: &[Row]| chunk.iter().map(value).sum::<f64>() / chunk.len() as f64;
    rows.chunks(stretch(rows)).map(mean).collect()
}

/// The worst of each stretch, so that averaging hides no spike.
fn worst(rows: &[Row], value: &dyn Fn(&Row) -> f64) -> Vec<f64> {
    let worst = |chunk: &[Row]| chunk.iter().map(value).fold(0.0, f64::max);
    rows.chunks(stretch(rows)).map(worst).collect()
}

fn draw_panel(svg: &mut String, panel: &Panel, top: f64, seconds: usize, turn_s: u32) {
    let highest = highest(panel);
    let bottom = top + PANEL;
    let x_of = |second: f64| LEFT + second / seconds.max(1) as f64 * (WIDTH - LEFT - RIGHT);
    let y_of = |value: f64| bottom - (value.min(highest) / highest) * PANEL;
    for step in 0..=4 {
        let value = highest * f64::from(step) / 4.0;
        let y = y_of(value);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.0}H{:.0}\" stroke=\"#ddd\"/><text x=\"{:.0}\" y=\"{:.0}\" \
             text-anchor=\"end\">{value:.0}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
        );
    }
    for step in 0..=5_u32 {
        let second = seconds as f64 * f64::from(step) / 5.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{second:.0} s</text>",
            x_of(second),
            bottom + 16.0,
        );
    }
    if turn_s > 0 {
        let x = x_of(f64::from(turn_s));
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.0} {top:.0}V{bottom:.0}\" stroke=\"#bbb\" stroke-dasharray=\"2 3\"/>"
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{:.0}\" font-weight=\"600\">{}</text>",
        top - 8.0,
        panel.title,
    );
    for (index, line) in panel.lines.iter().enumerate() {
        draw_line(svg, line, index, top, &x_of, &y_of, seconds);
    }
}

fn draw_line(
    svg: &mut String,
    line: &Line,
    index: usize,
    top: f64,
    x_of: &dyn Fn(f64) -> f64,
    y_of: &dyn Fn(f64) -> f64,
    seconds: usize,
) {
    let dashes = if line.dashed {
        " stroke-dasharray=\"6 4\""
    } else {
        ""
    };
    let stroke = format!(
        "fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"{dashes}",
        line.colour
    );
    let mut points = String::new();
    for (i, value) in line.values.iter().enumerate() {
        let second = (i as f64 + 0.5) * seconds as f64 / line.values.len() as f64;
        let _ = write!(points, "{:.1},{:.1} ", x_of(second), y_of(*value));
    }
    let _ = writeln!(svg, "<polyline points=\"{}\" {stroke}/>", points.trim_end());
    let x = WIDTH - RIGHT - 150.0 * (index as f64 + 1.0);
    let y = top - 12.0;
    let _ = writeln!(
        svg,
        "<path d=\"M{x:.0} {y:.0}h22\" {stroke}/><text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
        x + 28.0,
        y + 4.0,
        line.label,
    );
}

/// The axis ends at a round number above nearly all of the values; a single spike is cut off.
fn highest(panel: &Panel) -> f64 {
    let mut top: f64 = 1.0;
    for line in &panel.lines {
        let mut values = line.values.clone();
        values.sort_by(f64::total_cmp);
        let nearly_all = values.len().saturating_sub(1) * 98 / 100;
        top = top.max(values.get(nearly_all).copied().unwrap_or(0.0));
    }
    let unit = 10.0_f64.powf((top * 1.1).log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0]
        .into_iter()
        .map(|factor| factor * unit)
        .find(|end| *end >= top * 1.05)
        .unwrap_or(10.0 * unit)
}
