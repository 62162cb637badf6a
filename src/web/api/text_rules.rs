//! The rules for texts of requests as regular expressions, for the API's description. The rules themselves are in
//! `model` and `app`; what is said here and what is done there are held together by the judges in `tests/judges`.

use std::fmt::Write;

use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, SchemaFormat};

use super::schema::{described, text};
use crate::model::hostname::RESERVED;

/// Characters a line may not have: control characters.
const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f";
/// Blanks that are no control characters.
const BLANK: &str = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";

/// The name of a project.
pub struct ProjectName;
/// The name of a person.
pub struct PersonName;
/// The name of a company.
pub struct CompanyName;
/// The name of a key.
pub struct KeyName;
/// A command line.
pub struct Command;
/// The name of a branch or tag.
pub struct BranchName;
/// A path inside a repository.
pub struct RepositoryPath;
/// The address of a repository.
pub struct GitUrl;
/// The path a health check asks for.
pub struct HealthPath;
/// The statuses that count as healthy.
pub struct StatusRange;
/// An address or a network.
pub struct IpNetwork;
/// A reference to an image.
pub struct ImageName;
/// A registry of images.
pub struct RegistryHost;
/// A pattern of paths that are watched.
pub struct WatchPath;
/// A host name that can be a domain.
pub struct Hostname;
/// A host name that a domain can redirect to.
pub struct TargetHostname;
/// Text of up to 500 characters.
pub struct Note;

described! {
    ProjectName => "ProjectName", project_name();
    PersonName => "PersonName", line(100, "Blanks at the ends are taken off.");
    CompanyName => "CompanyName", line(200, "Blanks at the ends are not counted.");
    KeyName => "ApiKeyName", line(64, "Blanks at the ends are taken off.");
    Command => "Command", line(2000, "One line.");
    BranchName => "BranchName", branch();
    RepositoryPath => "RepositoryPath", path();
    GitUrl => "GitUrl", text().max_length(Some(2048)).description(Some(
        "`https://…`, `ssh://user@host/path` or `user@host:path`, at an address that can be reached from outside, \
         without a password in it."));
    HealthPath => "HealthPath", health_path();
    StatusRange => "StatusRange", text().pattern(Some(status_range()))
        .description(Some("A status or a range of them, such as `200` or `200-399`."));
    IpNetwork => "IpNetwork", network();
    ImageName => "ImageName", text().pattern(Some(image())).max_length(Some(512)).description(Some(
        "An image with or without its registry, tag and digest, such as `nginx:1.27` or \
         `registry.example.com:5000/team/app@sha256:…`."));
    RegistryHost => "RegistryHost", text().pattern(Some(format!("^{HOST}$"))).max_length(Some(259)).description(Some(
        "A host name with or without a port, at an address that can be reached from outside."));
    WatchPath => "WatchPath", text().pattern(Some(watch_path())).max_length(Some(200))
        .description(Some("Such as `apps/web/**`, `package.json` or `!**/*.md`."));
    Hostname => "Hostname", text().max_length(Some(1012)).description(Some(
        "A host name of two labels at least, in any alphabet, such as `www.example.org`; one leading `*.` stands for one \
         label. No address, no port, no scheme, and none below or above the base domain."));
    TargetHostname => "TargetHostname", text().max_length(Some(1012)).description(Some(
        "A host name of two labels at least, in any alphabet, other than the domain's own."));
    Note => "Note", text().pattern(Some(r"^[^\u0000]*$")).max_length(Some(500));
}

/// A host name with or without a port.
const HOST: &str = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\
    (?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*(?::[1-9][0-9]{0,4})?";

/// `model::image_reference::ImageReference::parse`
fn image() -> String {
    let part = "[a-z0-9]+(?:(?:\\.|__|_|-+)[a-z0-9]+)*";
    let tag = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
    format!("^(?:{HOST}/)?{part}(?:/{part})*(?::{tag})?(?:@sha256:[0-9a-f]{{64}})?$")
}

/// `model::watch_paths::is_pattern`
fn watch_path() -> String {
    let not = ["!?$", "!?/", r"!?(?:[^/]*/)*\.{1,2}(?:/|$)", r"(?:[^/]*/)*/"];
    let not: String = not.iter().map(|part| format!("(?!{part})")).collect();
    format!(r"^{not}[^{CONTROL}\\]+$")
}

/// A text without control characters that is not blank. `most` does not count blanks at the ends.
fn line(most: usize, about: &str) -> ObjectBuilder {
    let any = format!("[^{CONTROL}]");
    let blanks = format!("[{BLANK}]*");
    let ink = format!("[^{CONTROL}{BLANK}]");
    let pattern = format!("^{blanks}{ink}(?:{any}{{0,{}}}{ink})?{blanks}$", most.saturating_sub(2));
    let about = format!("1 to {most} characters without control characters. {about}");
    text().pattern(Some(pattern)).description(Some(about))
}

/// `model::hostname::check_project_name`
fn project_name() -> ObjectBuilder {
    let reserved = RESERVED.join("|");
    let pattern = format!("^(?!xn--)(?!(?:{reserved})$)[a-z](?:[a-z0-9-]{{0,38}}[a-z0-9])?$");
    text().pattern(Some(pattern)).description(Some(
        "1 to 40 lower-case letters, digits and `-`; starts with a letter and does not end with `-`. Unique on this \
         server, because it becomes a host name; some names are taken by Orbitra itself.",
    ))
}

/// `model::branch::check_branch`
fn branch() -> ObjectBuilder {
    let not = [
        "-",
        "@$",
        "/",
        r"\.",
        r".*\.\.",
        r".*@\{",
        ".*//",
        r".*/\.",
        ".*/$",
        r".*\.$",
        r".*\.lock(?:/|$)",
    ];
    let mut pattern = "^".to_owned();
    for part in not {
        // Writing to a String cannot fail.
        let _ = write!(pattern, "(?!{part})");
    }
    let pattern = pattern + r"[^\u0000-\u0020\u007f-\u009f~^:?*\[\\]+$";
    text()
        .pattern(Some(pattern))
        .max_length(Some(255))
        .description(Some("By the rules of `git check-ref-format`, and without `-` at its start."))
}

/// `model::project::normal_path`
fn path() -> ObjectBuilder {
    let part = format!(r"(?!(?:\.|\.\.|~|\.[gG][iI][tT])(?:/|$))[^/\\{CONTROL}]+");
    let pattern = format!("^(?!.*%2[eE])/?(?:{part}(?:/{part})*)?/*$");
    text().pattern(Some(pattern)).max_length(Some(1024)).description(Some(
        "A path inside the repository, with or without `/` at its start, without `.`, `..`, `~` and `.git`.",
    ))
}

/// `model::project::valid_health_path`
fn health_path() -> ObjectBuilder {
    text()
        .pattern(Some(r"^/(?!/)(?!.*%0[aAdD])[!$-;=?-\[\]_a-z~]*$"))
        .max_length(Some(1024))
        .description(Some("Starts with one `/`; printable ASCII as it can stand in a URL."))
}

/// `model::project::parse_expected_status`: three digits, or twice three of which the first are not the greater.
fn status_range() -> String {
    let mut ranges = Vec::new();
    // The first digit decides, or the second when the first is the same, or the third.
    for first in 1..5 {
        ranges.push(format!("{first}[0-9]{{2}}-[{}-5][0-9]{{2}}", first + 1));
    }
    for second in 0..9 {
        let same = ranges.len() - 3;
        ranges.push(format!(r"([1-5]){second}[0-9]-\{same}[{}-9][0-9]", second + 1));
    }
    for third in 0..10 {
        let same = ranges.len() - 3;
        ranges.push(format!(r"([1-5][0-9]){third}-\{same}[{third}-9]"));
    }
    format!("^(?:[1-5][0-9]{{2}}|{})$", ranges.join("|"))
}

/// `model::network::Network::parse`
fn network() -> AnyOfBuilder {
    let byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    let v4 = format!(r"^{byte}(?:\.{byte}){{3}}/(?:3[0-2]|[12]?[0-9])$");
    let group = "[0-9A-Fa-f]{1,4}";
    let mut v6 = vec![format!("(?:{group}:){{7}}{group}"), format!("(?:{group}:){{1,7}}:")];
    for after in 1..=6 {
        v6.push(format!("(?:{group}:){{1,{}}}(?::{group}){{1,{after}}}", 7 - after));
    }
    v6.push(format!(":(?::{group}){{1,7}}"));
    v6.push("::".to_owned());
    let v6 = format!("^(?:{})/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])$", v6.join("|"));
    let address = |format| text().format(Some(SchemaFormat::KnownFormat(format)));
    AnyOfBuilder::new()
        .item(address(KnownFormat::Ipv4))
        .item(address(KnownFormat::Ipv6))
        .item(text().pattern(Some(v4)))
        .item(text().pattern(Some(v6)))
        .description(Some("An address, or a network in CIDR notation such as `203.0.113.0/24`."))
}
