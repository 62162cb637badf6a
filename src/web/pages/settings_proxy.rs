//! The forms for what the proxy does for visitors.

use super::settings_form::{section, setting};
use crate::model::project::Project;
use crate::model::proxy_settings::{LONGEST_LOGIN, LONGEST_RULES};
use crate::web::view::settings::{Kind, Section};

const MAINTENANCE: &[(&str, &str)] =
    &[("false", "The app answers"), ("true", "Visitors see that the site is being worked on")];
const SIGN_IN: &[(&str, &str)] = &[
    ("none", "Nobody has to be"),
    ("previews", "At deployments' and branches' own addresses"),
    ("all", "At all of its addresses"),
];
const COMPRESS: &[(&str, &str)] =
    &[("false", "As the app sends them"), ("true", "Compressed, where the app has not done it")];
/// Characters of a list of addresses.
const NETWORKS: u32 = 12_000;

/// The forms with the values of now.
pub fn sections(project: &Project) -> [Section; 2] {
    let proxy = &project.runtime.proxy;
    let optional = |name, label, hint, value: Option<u32>, empty| {
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        setting(name, label, hint, value, Kind::Text(6, empty))
    };
    let lines = |name, label, hint, value: String, most, empty| {
        setting(name, label, hint, value, Kind::Lines(most, empty))
    };
    [
        section(
            "visitors",
            "Visitors",
            "Applies now.",
            vec![
                setting(
                    "maintenance",
                    "Maintenance",
                    "Deployments' own addresses go on.",
                    proxy.maintenance.to_string(),
                    Kind::Choice(MAINTENANCE),
                ),
                lines(
                    "allow",
                    "Only from these addresses",
                    "Addresses or networks, one a line. Left empty: from everywhere.",
                    proxy.allow.join("\n"),
                    NETWORKS,
                    "203.0.113.0/24",
                ),
                lines(
                    "deny",
                    "Never from these addresses",
                    "Addresses or networks, one a line.",
                    proxy.deny.join("\n"),
                    NETWORKS,
                    "198.51.100.7",
                ),
                setting(
                    "sign_in",
                    "Signed in to Orbitra",
                    "Only people who may see this project are let in; they are led to the sign-in and back.",
                    proxy.sign_in.as_str().to_owned(),
                    Kind::Choice(SIGN_IN),
                ),
                setting(
                    "login_user",
                    "Name visitors have to give",
                    "Left empty: nobody is asked.",
                    proxy.login.as_ref().map(|login| login.user.clone()).unwrap_or_default(),
                    Kind::Text(LONGEST_LOGIN as u32, ""),
                ),
                setting(
                    "login_password",
                    "Its password",
                    "At least 8 characters. Left empty: it stays as it is.",
                    String::new(),
                    Kind::Secret(LONGEST_LOGIN as u32),
                ),
            ],
        ),
        section(
            "proxy",
            "Requests and answers",
            "Applies now.",
            vec![
                optional(
                    "max_body_mb",
                    "Largest request, in MB",
                    "1 to 102,400. Left empty: no limit.",
                    proxy.max_body_mb,
                    "no limit",
                ),
                optional(
                    "first_byte_seconds",
                    "Time until an answer begins, in seconds",
                    "1 to 3,600. Left empty: 60.",
                    proxy.first_byte_seconds,
                    "60",
                ),
                optional(
                    "idle_seconds",
                    "Longest pause within an answer, in seconds",
                    "1 to 86,400. Left empty: 300.",
                    proxy.idle_seconds,
                    "300",
                ),
                setting(
                    "compress",
                    "Answers",
                    "Event streams and what is compressed already stay as they are.",
                    proxy.compress.to_string(),
                    Kind::Choice(COMPRESS),
                ),
                lines(
                    "redirects",
                    "Redirects",
                    "One a line, as in a file `_redirects`.",
                    proxy.redirects.clone(),
                    LONGEST_RULES as u32,
                    "/old/* /new/:splat 301",
                ),
                lines(
                    "headers",
                    "Fields of answers",
                    "A path, and below it fields with blanks before them, as in a file `_headers`.",
                    proxy.headers.clone(),
                    LONGEST_RULES as u32,
                    "/*",
                ),
            ],
        ),
    ]
}
