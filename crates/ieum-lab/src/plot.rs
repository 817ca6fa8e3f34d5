//! The course of a flow as a picture: three panels above each other, over the same time. Plain SVG, written by hand.
//!
//! The windows and what is in flight (segments); the round trip (ms); bytes delivered.

use std::fmt::Write as _;

use crate::series::{Sample, Series};

/// Sizes of the picture, in its own units.
const WIDTH: f64 = 960.0;
const PANEL: f64 = 220.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const GAP: f64 = 40.0;

/// Nothing finer is drawn than this, so that a picture stays small however long its flow was.
const COLUMN: f64 = 0.8;

/// A line of a panel: its name, its colour, and its value at a moment.
struct Line {
    name: &'static str,
    colour: &'static str,
    value: fn(&Sample) -> Option<f64>,
}

/// A panel: what its axis says, and its lines.
struct Panel {
    axis: &'static str,
    lines: &'static [Line],
}

const PANELS: &[Panel] = &[
    Panel {
        axis: "segments",
        lines: &[
            Line { name: "in flight", colour: "#9aa5b1", value: |sample| Some(sample.in_flight.into()) },
            Line { name: "ssthresh", colour: "#d97706", value: |sample| sample.ssthresh.map(f64::from) },
            Line { name: "cwnd", colour: "#1d4ed8", value: |sample| Some(sample.cwnd.into()) },
        ],
    },
    Panel {
        axis: "ms",
        lines: &[Line {
            name: "round trip",
            colour: "#b91c1c",
            value: |sample| sample.rtt.map(|rtt| rtt.as_secs_f64() * 1e3),
        }],
    },
    Panel {
        axis: "MB",
        lines: &[Line {
            name: "delivered",
            colour: "#15803d",
            value: |sample| Some(std::time::Duration::from_micros(sample.delivered_bytes).as_secs_f64()),
        }],
    },
];

/// The picture, under a title.
pub fn svg(title: &str, series: &Series) -> String {
    let samples = series.samples();
    let seconds = |sample: &Sample| std::time::Duration::from_micros(sample.at.micros()).as_secs_f64();
    let first = samples.first().map_or(0.0, seconds);
    let span = (samples.last().map_or(1.0, seconds) - first).max(1e-6);
    let x = |sample: &Sample| LEFT + (seconds(sample) - first) / span * (WIDTH - LEFT - RIGHT);
    let mut top = TOP;
    let mut body = String::new();
    for panel in PANELS {
        draw(&mut body, panel, samples, top, x);
        times(&mut body, top, first, span);
        top += PANEL + GAP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"15\">{}</text>\n{body}</svg>\n",
        escaped(title)
    )
}

/// One panel, whose upper edge is at `top`.
fn draw(body: &mut String, panel: &Panel, samples: &[Sample], top: f64, x: impl Fn(&Sample) -> f64) {
    let all = panel.lines.iter().flat_map(|line| samples.iter().filter_map(line.value));
    // A threshold far above all windows would press them flat.
    let most = all.fold(0.0, f64::max).max(1e-9);
    let windows =
        samples.iter().map(|sample| f64::from(sample.cwnd.max(sample.in_flight))).fold(0.0, f64::max);
    let most = if panel.axis == "segments" { most.min(windows * 1.5 + 1.0) } else { most };
    let y = |value: f64| top + PANEL - value.min(most) / most * PANEL;
    let _ = writeln!(
        body,
        "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{}\" height=\"{PANEL}\" fill=\"none\" stroke=\"#d1d5db\"/>",
        WIDTH - LEFT - RIGHT
    );
    for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let (at, value) = (y(most * part), most * part);
        let digits = usize::from(most < 10.0);
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#6b7280\">{value:.digits$}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    let mut legend = LEFT;
    let _ = writeln!(body, "<text x=\"10\" y=\"{:.1}\" fill=\"#6b7280\">{}</text>", top - 8.0, panel.axis);
    for Line { name, colour, value } in panel.lines {
        let _ = writeln!(body, "<text x=\"{legend}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>", top - 8.0);
        legend += 90.0;
        let mut path = String::new();
        let mut last: Option<(f64, f64)> = None;
        for sample in samples {
            let Some(value) = value(sample) else { continue };
            let (at, height) = (x(sample), y(value));
            match last {
                None => {
                    let _ = write!(path, "M{at:.1} {height:.1}");
                }
                Some((before, _)) if at - before < COLUMN => continue,
                Some((_, level)) if (level - height).abs() < 0.05 => continue,
                // What stays, stays until it changes: steps, not slopes.
                Some(_) => {
                    let _ = write!(path, "H{at:.1}V{height:.1}");
                }
            }
            last = Some((at, height));
        }
        let end = samples.last().map_or(LEFT, &x);
        if last.is_some() {
            let _ = write!(path, "H{end:.1}");
        }
        let _ = writeln!(body, "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.2\" d=\"{path}\"/>");
    }
}

/// The times below a panel, in seconds.
fn times(body: &mut String, top: f64, first: f64, span: f64) {
    for tenth in 0..=10 {
        let part = f64::from(tenth) / 10.0;
        let at = LEFT + part * (WIDTH - LEFT - RIGHT);
        let _ = writeln!(
            body,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#6b7280\">{:.1} s</text>",
            top + PANEL + 16.0,
            first + part * span
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ieum_wire::Instant;

    #[test]
    fn every_line_is_drawn_and_a_title_cannot_break_the_picture() {
        let mut series = Series::default();
        for step in 0..10u32 {
            series.add(Sample {
                at: Instant::from_micros(u64::from(step) * 1000),
                cwnd: 10 + step,
                ssthresh: Some(20),
                in_flight: step,
                rtt: None,
                delivered_bytes: u64::from(step) * 1_000_000,
            });
        }
        let picture = svg("a < b & c", &series);
        assert_eq!(picture.matches("<path").count(), 5);
        assert!(picture.contains("a &lt; b &amp; c") && picture.ends_with("</svg>\n"));
        assert!(!picture.contains("NaN") && !svg("nothing", &Series::default()).contains("NaN"));
    }
}
