//! The forms for how traffic moves from one deployment to the next, and for what sleeps.

use super::settings_form::{NEXT, section, setting};
use crate::model::project::Project;
use crate::web::view::settings::{Kind, Section};

const STRATEGIES: &[(&str, &str)] = &[
    ("rolling", "The new one starts beside the old one"),
    ("single", "Never two at the same time: requests wait in between"),
];
const LIVE: &[(&str, &str)] =
    &[("false", "Always runs"), ("true", "Sleeps when nobody asks for it")];
const CRAWLERS: &[(&str, &str)] =
    &[("false", "Do not wake it"), ("true", "Wake it as visitors do")];

/// The forms with the values of now.
pub fn sections(project: &Project) -> [Section; 2] {
    let (release, sleep) = (&project.runtime.release, &project.runtime.sleep);
    let number = |name, label, hint, value: u32, least, most| {
        setting(name, label, hint, value.to_string(), Kind::Number(least, most))
    };
    [
        section(
            "release",
            "Release",
            NEXT,
            vec![
                setting(
                    "strategy",
                    "How a new deployment takes over",
                    "An app that keeps files or a lock to itself cannot run twice.",
                    release.strategy.as_str().to_owned(),
                    Kind::Choice(STRATEGIES),
                ),
                setting(
                    "drain_seconds",
                    "Time to finish requests, in seconds",
                    "How long the old one may still answer what it has begun, WebSockets too. 0 to 3,600. Left empty: the server's setting.",
                    release.drain_seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
                    Kind::Text(4, "the server's setting"),
                ),
                number(
                    "stop_seconds",
                    "Time to stop, in seconds",
                    "From the polite signal to the end. 1 to 300.",
                    release.stop_seconds,
                    1,
                    300,
                ),
                number(
                    "watch_seconds",
                    "Time it is watched, in seconds",
                    "A new deployment that crashes or fails in this time gives the traffic back by itself. 0 to 3,600; 0 is never.",
                    release.watch_seconds,
                    0,
                    3600,
                ),
            ],
        ),
        section(
            "sleep",
            "Sleep",
            "Applies now.",
            vec![
                setting(
                    "sleep_live",
                    "The live deployment",
                    "One that sleeps needs no memory; its next visitor waits until it has started.",
                    sleep.live.to_string(),
                    Kind::Choice(LIVE),
                ),
                setting(
                    "sleep_crawlers",
                    "Crawlers and monitors",
                    "Whether they wake what sleeps.",
                    sleep.crawlers.to_string(),
                    Kind::Choice(CRAWLERS),
                ),
            ],
        ),
    ]
}
