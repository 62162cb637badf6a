//! `/dashboard/projects/{name}/logs`: the runtime log.

use askama::Template;

use super::log::{LogLine, Request};
use super::sample;
use super::shell::Shell;
use super::time::Millis;

/// The page. The log has a stream of its own; the form works without it.
#[derive(Template)]
#[template(path = "logs.html")]
pub struct LogsPage {
    pub shell: Shell,
    pub project: String,
    pub filter: Filter,
    /// The filter leaves something out.
    pub chooses: bool,
    /// At most 200, oldest first.
    pub lines: Vec<LogLine>,
    /// The number of the newest line there was, wanted or not; the stream goes on after it.
    pub after: u64,
    /// Where the lines before these are.
    pub older: Option<String>,
    /// Where the newest lines are, when these are older ones.
    pub newest: Option<String>,
    /// Where lines come from as they are written; `None` for older ones.
    pub stream: Option<String>,
    /// All lines as a text.
    pub text: String,
    /// How long lines are kept: `7 days, and of those the newest 1 GiB`.
    pub kept: String,
}

/// A value of a field and its word.
pub type Choice = (&'static str, &'static str);

/// The fields of the form, and what is in them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A part of the message.
    pub text: String,
    /// Name, label, choices and the chosen one.
    pub choices: Vec<(&'static str, &'static str, &'static [Choice], &'static str)>,
    /// Ids of deployments, with their words.
    pub deployments: Vec<(String, String)>,
    /// Empty for all of them.
    pub deployment: String,
}

impl LogsPage {
    /// The short digits of the deployment that is chosen.
    fn of(&self) -> Option<&str> {
        let chosen =
            self.filter.deployments.iter().find(|(id, _)| *id == self.filter.deployment)?;
        chosen.1.split(',').next()
    }

    /// Full and live, older ones, empty, nothing that fits.
    pub fn sample() -> Vec<(&'static str, Self)> {
        vec![
            ("live", Self::full()),
            (
                "older",
                Self {
                    stream: None,
                    newest: Some("/dashboard/projects/web/logs?source=proxy".to_owned()),
                    ..Self::full()
                },
            ),
            (
                "empty",
                Self {
                    lines: Vec::new(),
                    after: 0,
                    older: None,
                    chooses: false,
                    filter: Filter { deployment: String::new(), ..Self::full().filter },
                    ..Self::full()
                },
            ),
            ("nothing fits", Self { lines: Vec::new(), older: None, ..Self::full() }),
        ]
    }

    fn full() -> Self {
        let line = |seq: u64| {
            let at = sample::NOW.plus(i64::try_from(seq).unwrap_or(0) * 1_700);
            let request = |status| {
                let path = "/api/<orders>/7k2m9qhx";
                Request { method: "GET", path, status, took: Millis(12) }
            };
            match seq % 8 {
                0 => LogLine::request(seq, at, &request(503), true),
                1 => LogLine::request(seq, at, &request(404), false),
                2 => LogLine::request(seq, at, &request(304), false),
                3 | 4 => LogLine::request(seq, at, &request(200), false),
                5 => LogLine::output(seq, at, "system", "It has stopped with exit code 1", true),
                6 => {
                    LogLine::output(seq, at, "app", "\x1b[32mready\x1b[0m on <0.0.0.0:3000>", false)
                }
                _ => LogLine::output(seq, at, "app", "Error: connect ECONNREFUSED", true),
            }
        };
        let id = "dep_4q7w1z3c7k2m9qhx".to_owned();
        Self {
            shell: sample::shell(),
            project: "web".to_owned(),
            filter: Filter {
                text: "orders".to_owned(),
                choices: vec![
                    ("source", "Lines", &[("", "All lines"), ("proxy", "Requests")], "proxy"),
                    ("status", "Status of requests", &[("", "Every status"), ("5xx", "5xx")], ""),
                ],
                deployments: vec![(id.clone(), "4f2c9e1, 23 Nov 12:04 UTC".to_owned())],
                deployment: id,
            },
            chooses: true,
            lines: (4_801..5_001).map(line).collect(),
            after: 5_003,
            older: Some("/dashboard/projects/web/logs?source=proxy&before=4801".to_owned()),
            newest: None,
            stream: Some("/dashboard/projects/web/logs/stream?source=proxy".to_owned()),
            text: "/dashboard/projects/web/logs.txt?source=proxy".to_owned(),
            kept: "7 days, and of those the newest 1 GiB".to_owned(),
        }
    }
}
