//! `/dashboard/projects/{name}/metrics`: figures over time, of a project or one of its deployments.

use askama::Template;

use super::chart::{Axis, HEIGHT, Line, WIDTH, round_up, y};
use super::sample;
use super::shell::Shell;
use super::time::Moment;

/// Most rows of the table beside a chart; the file has all.
const ROWS: usize = 24;

/// The page.
#[derive(Template)]
#[template(path = "metrics.html", blocks = ["figures"])]
pub struct MetricsPage {
    pub shell: Shell,
    pub project: String,
    pub project_id: String,
    /// Id and short name of the deployment, when only one is shown.
    pub deployment: Option<(String, String)>,
    /// The chosen one of [`RANGES`].
    pub range: &'static str,
    /// Something was deployed once.
    pub deployed: bool,
    pub axis: Axis,
    pub figures: Vec<Figure>,
    /// Deployments that went live in this time: id, short name, when.
    pub marks: Vec<(String, String, Moment)>,
}

/// What can be chosen, with its word.
pub const RANGES: [(&str, &str); 4] =
    [("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")];

/// One chart.
#[derive(Clone, Debug)]
pub struct Figure {
    /// `requests`.
    pub id: &'static str,
    pub title: &'static str,
    /// What it says, in a sentence.
    pub sentence: String,
    pub lines: Vec<Line>,
    /// What must not be reached.
    pub limit: Option<f64>,
    /// Writes a value with its unit.
    pub unit: fn(f64) -> String,
}

impl MetricsPage {
    fn width(&self) -> i64 {
        WIDTH
    }

    fn height(&self) -> i64 {
        HEIGHT
    }

    /// The same page with another range.
    fn address(&self, range: &str) -> String {
        self.of("", range)
    }

    fn file(&self) -> String {
        self.of(".csv", self.range)
    }

    /// What the page fetches again.
    fn part(&self) -> String {
        self.address(self.range).replacen('?', "?part=figures&", 1)
    }

    /// How often, in seconds: the newest step of an hour grows all the time.
    fn every(&self) -> u32 {
        if self.range == "1h" { 15 } else { 60 }
    }

    fn of(&self, suffix: &str, range: &str) -> String {
        let deployment = self.deployment.as_ref();
        let deployment = deployment.map(|(id, _)| format!("&deployment={id}")).unwrap_or_default();
        format!("/dashboard/projects/{}/metrics{suffix}?range={range}{deployment}", self.project)
    }

    fn ranges(&self) -> [(&'static str, &'static str); 4] {
        RANGES
    }

    fn is_empty(&self) -> bool {
        self.figures.iter().all(|figure| figure.lines.is_empty())
    }
}

impl Figure {
    /// The value at the upper edge.
    fn top(&self) -> f64 {
        let values = self.lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value);
        let most = values.fold(0.0, f64::max);
        self.limit.map_or_else(|| round_up(most), |limit| limit.max(most) * 1.05)
    }

    fn top_word(&self) -> String {
        (self.unit)(self.limit.unwrap_or_else(|| self.top()))
    }

    fn limit_y(&self) -> Option<i64> {
        self.limit.map(|limit| y(limit, self.top()))
    }

    fn paths(&self, axis: &Axis) -> Vec<(&Line, String)> {
        self.lines.iter().map(|line| (line, axis.path(&line.points, self.top()))).collect()
    }

    /// The values of a line as words, a step after the other with `|` between them. A gap has none, and what is as before
    /// is `=`, because many are.
    fn words(&self, line: &Line, axis: &Axis) -> String {
        let mut words = vec![String::new(); axis.count()];
        for (at, value) in &line.points {
            if let Some(word) = axis.step_of(*at).and_then(|step| words.get_mut(step)) {
                *word = (self.unit)(*value);
            }
        }
        for step in (1..words.len()).rev() {
            if !words[step].is_empty() && words[step] == words[step - 1] {
                words[step] = "=".to_owned();
            }
        }
        words.join("|")
    }

    /// The newest moments of the table with a value, or none, of each line.
    fn rows(&self) -> Vec<(Moment, Vec<String>)> {
        let moments = self.lines.iter().flat_map(|line| &line.points).map(|(at, _)| *at);
        let mut moments: Vec<_> = moments.collect();
        moments.sort_unstable();
        moments.dedup();
        let newest = moments.into_iter().rev().take(ROWS);
        let of = |at: Moment| {
            let cell = |line: &Line| {
                let found = line.points.binary_search_by_key(&at, |(at, _)| *at);
                found.map_or_else(|_| "–".to_owned(), |index| (self.unit)(line.points[index].1))
            };
            (at, self.lines.iter().map(cell).collect())
        };
        newest.map(of).collect()
    }
}

impl MetricsPage {
    /// Full, of one deployment, nothing in this time, nothing deployed.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let full = Self::full;
        vec![
            ("full", full()),
            (
                "deployment",
                Self {
                    deployment: Some(("dep_4q7w1z3c7k2m9qhx".to_owned(), "4f2c9e1".to_owned())),
                    range: "24h",
                    ..full()
                },
            ),
            ("nothing", Self { figures: Vec::new(), marks: Vec::new(), ..full() }),
            ("empty", Self { figures: Vec::new(), marks: Vec::new(), deployed: false, ..full() }),
        ]
    }

    fn full() -> Self {
        let minute = |number: i64| sample::NOW.plus((number - 60) * sample::MINUTE);
        let line = |name: &str, value: fn(i64) -> f64| Line {
            name: name.to_owned(),
            // A gap, as of a deployment that slept.
            points: (0..60)
                .filter(|number| !(20..27).contains(number))
                .map(|number| (minute(number), value(number)))
                .collect(),
        };
        let figure = |id, title, sentence: &str, lines, limit, unit| Figure {
            id,
            title,
            sentence: sentence.to_owned(),
            lines,
            limit,
            unit,
        };
        Self {
            shell: sample::shell(),
            project: "web".to_owned(),
            project_id: "prj_7c7k2m9qhx5m8qhx".to_owned(),
            deployment: None,
            range: "1h",
            deployed: true,
            axis: Axis { from: minute(0), to: minute(60), step: sample::MINUTE },
            figures: vec![
                figure(
                    "requests",
                    "Requests",
                    "5,310 requests, 7 of them failed with 5xx.",
                    vec![
                        line("Requests", |n| (90 + n * 7 % 31) as f64),
                        line("Errors", |n| (n % 9 / 8) as f64),
                    ],
                    None,
                    |value| format!("{value}"),
                ),
                figure(
                    "latency",
                    "Response time",
                    "p95 41 ms now, highest 220 ms at 11:58.",
                    vec![
                        line("p50", |n| (12 + n % 3) as f64),
                        line("p95", |n| (41 + n * 5 % 23) as f64),
                        line("p99", |n| (80 + n * 13 % 140) as f64),
                    ],
                    None,
                    |value| format!("{value} ms"),
                ),
                figure(
                    "memory",
                    "Memory",
                    "498 MiB now, highest 498 MiB at 12:03, limit 512 MiB.",
                    vec![line("Instance 1", |n| (200 + n * 5) as f64)],
                    Some(512.0),
                    |value| format!("{value} MiB"),
                ),
            ],
            marks: vec![
                ("dep_4q7w1z3c7k2m9qhx".to_owned(), "4f2c9e1".to_owned(), minute(30)),
                ("dep_0000000000000000".to_owned(), "9b1d220".to_owned(), minute(12)),
            ],
        }
    }
}
