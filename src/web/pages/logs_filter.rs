//! What chooses lines of a runtime log, as it stands in the address of the page.

use std::time::Duration;

use super::params::Params;
use crate::logs::Selection;
use crate::model::log_line::{LogLevel, LogSource};
use crate::model::timestamp::Timestamp;
use crate::web::view::logs::{Choice, Filter as View};

/// Longest text that is looked for, in characters.
const LONGEST: usize = 200;

type Words = &'static [Choice];

/// The sources; what stands in the address, and its word.
const SOURCES: Words = &[
    ("", "All lines"),
    ("app", "The app's output"),
    ("proxy", "Requests"),
    ("system", "From Orbitra"),
];
const LEVELS: Words = &[("", "Every level"), ("warn", "Warnings and errors"), ("error", "Errors")];
const STATUSES: Words = &[
    ("", "Every status"),
    ("2xx", "2xx"),
    ("3xx", "3xx"),
    ("4xx", "4xx"),
    ("5xx", "5xx"),
    (">=400", "400 and above"),
];
const SPANS: Words = &[
    ("", "All that is kept"),
    ("15m", "Last 15 minutes"),
    ("1h", "Last hour"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
];

/// The filter. What is unknown is as if it were not there.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    text: String,
    source: &'static str,
    level: &'static str,
    status: &'static str,
    since: &'static str,
    /// The id of a deployment, as it was sent.
    pub deployment: String,
}

fn known(words: Words, sent: &str) -> &'static str {
    words.iter().find(|(value, _)| *value == sent).map_or("", |(value, _)| value)
}

impl Filter {
    /// Reads the parameters of a page.
    pub fn of(params: &Params) -> Self {
        Self {
            text: params.get("q").trim().chars().take(LONGEST).collect(),
            source: known(SOURCES, params.get("source")),
            level: known(LEVELS, params.get("level")),
            status: known(STATUSES, params.get("status")),
            since: known(SPANS, params.get("since")),
            deployment: params.get("deployment").to_owned(),
        }
    }

    /// Which lines are wanted; those of a deployment are chosen by who looks it up.
    pub fn selection(&self, now: Timestamp) -> Selection {
        let sources = LogSource::ALL.into_iter().filter(|source| source.as_str() == self.source);
        let levels: &[LogLevel] = match self.level {
            "warn" => &[LogLevel::Warn, LogLevel::Error],
            "error" => &[LogLevel::Error],
            _ => &[],
        };
        let hours = match self.since {
            "15m" => Some(Duration::from_secs(15 * 60)),
            "1h" => Some(Duration::from_secs(3600)),
            "24h" => Some(Duration::from_secs(24 * 3600)),
            "7d" => Some(Duration::from_secs(7 * 24 * 3600)),
            _ => None,
        };
        let ago = |span: Duration| {
            Timestamp(now.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
        };
        Selection {
            since: hours.map(ago),
            sources: sources.collect(),
            levels: levels.to_vec(),
            text: (!self.text.is_empty()).then(|| self.text.clone()),
            statuses: match self.status {
                "2xx" => Some((200, 299)),
                "3xx" => Some((300, 399)),
                "4xx" => Some((400, 499)),
                "5xx" => Some((500, 599)),
                ">=400" => Some((400, 599)),
                _ => None,
            },
            ..Selection::default()
        }
    }

    /// Whether anything is left out.
    pub fn chooses(&self) -> bool {
        self.pairs().next().is_some()
    }

    fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("q", self.text.as_str()),
            ("source", self.source),
            ("level", self.level),
            ("status", self.status),
            ("since", self.since),
            ("deployment", self.deployment.as_str()),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty())
    }

    /// An address with this filter, and the lines before one when it is given.
    pub fn address(&self, path: &str, before: Option<u64>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs());
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// The fields of the form.
    pub fn view(&self, deployments: Vec<(String, String)>) -> View {
        View {
            text: self.text.clone(),
            choices: vec![
                ("source", "Lines", SOURCES, self.source),
                ("level", "Level", LEVELS, self.level),
                ("status", "Status of requests", STATUSES, self.status),
                ("since", "Time", SPANS, self.since),
            ],
            deployments,
            deployment: self.deployment.clone(),
        }
    }
}
