//! The forms of a project's settings: which fields there are, what is in them, and what they change.

use crate::app::project_rules::ProjectPatch;
use crate::app::proxy_rules::NewLogin;
use crate::crypto::token;
use crate::model::project::Project;
use crate::web::csrf::Fields;
use crate::web::view::form::Errors;
use crate::web::view::settings::{Kind, Section, Setting};

/// The API's names of what the forms ask for.
pub const FIELDS: [(&str, &str); 44] = [
    ("name", "name"),
    ("description", "description"),
    ("git_url", "git_url"),
    ("branch", "branch"),
    ("root_dir", "root_dir"),
    ("auth", "auth"),
    ("token", "token"),
    ("watch_paths", "watch_paths"),
    ("auto_deploy", "auto_deploy"),
    ("preview_deployments", "preview_deployments"),
    ("source.fork_previews", "fork_previews"),
    ("build.builder", "builder"),
    ("build.dockerfile", "dockerfile"),
    ("build.install_command", "install_command"),
    ("build.build_command", "build_command"),
    ("build.start_command", "start_command"),
    ("build.output_dir", "output_dir"),
    ("build.timeout_seconds", "timeout_seconds"),
    ("runtime.port", "port"),
    ("runtime.protocol", "protocol"),
    ("runtime.memory_mb", "memory_mb"),
    ("runtime.cpu_millis", "cpu_millis"),
    ("runtime.healthcheck.path", "health_path"),
    ("runtime.healthcheck.expect", "health_expect"),
    ("runtime.healthcheck.timeout_seconds", "health_timeout"),
    ("runtime.healthcheck.grace_seconds", "health_grace"),
    ("runtime.release.strategy", "strategy"),
    ("runtime.release.drain_seconds", "drain_seconds"),
    ("runtime.release.stop_seconds", "stop_seconds"),
    ("runtime.release.watch_seconds", "watch_seconds"),
    ("proxy.maintenance", "maintenance"),
    ("proxy.allow", "allow"),
    ("proxy.deny", "deny"),
    ("proxy.sign_in", "sign_in"),
    ("proxy.login.user", "login_user"),
    ("proxy.login.password", "login_password"),
    ("proxy.max_body_mb", "max_body_mb"),
    ("proxy.first_byte_seconds", "first_byte_seconds"),
    ("proxy.idle_seconds", "idle_seconds"),
    ("proxy.compress", "compress"),
    ("proxy.redirects", "redirects"),
    ("proxy.headers", "headers"),
    ("runtime.sleep.live", "sleep_live"),
    ("runtime.sleep.crawlers", "sleep_crawlers"),
];

pub(super) const NEXT: &str = "Applies at the next deployment.";
const PROTOCOLS: &[(&str, &str)] =
    &[("http1", "HTTP/1.1"), ("h2c", "HTTP/2 without TLS (h2c), for gRPC")];
const BUILDERS: &[(&str, &str)] =
    &[("auto", "Found out from the files"), ("dockerfile", "The Dockerfile named below")];
/// What stands in an empty field whose value is found out.
const FOUND: &str = "found out from the files";

/// The forms with the values of now; that of the source is in `source.rs`.
pub fn sections(project: &Project) -> Vec<Section> {
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let build = &project.build;
    let (runtime, health) = (&project.runtime, &project.runtime.healthcheck);
    let text = |name, label, hint, value: String, most, placeholder| {
        setting(name, label, hint, value, Kind::Text(most, placeholder))
    };
    let number = |name, label, hint, value: u32, least, most| {
        setting(name, label, hint, value.to_string(), Kind::Number(least, most))
    };
    let command = |name, label, value: &Option<String>| {
        let hint = "One line, run by a shell. Left empty: found out from the files.";
        text(name, label, hint, optional(value), 2000, FOUND)
    };
    vec![
        section(
            "general",
            "General",
            "Applies now. Another name is another address; the old one stops answering.",
            vec![
                text(
                    "name",
                    "Name",
                    "Lower-case letters, digits and `-`.",
                    project.name.clone(),
                    40,
                    "",
                ),
                text(
                    "description",
                    "Description",
                    "For people.",
                    optional(&project.description),
                    500,
                    "",
                ),
            ],
        ),
        section(
            "build",
            "Build",
            NEXT,
            vec![
                setting(
                    "builder",
                    "How it is built",
                    "What was found shows on the page of a deployment.",
                    build.builder.clone(),
                    Kind::Choice(BUILDERS),
                ),
                text(
                    "dockerfile",
                    "Dockerfile",
                    "Its path in the folder.",
                    build.dockerfile.clone(),
                    1024,
                    "Dockerfile",
                ),
                command("install_command", "Install command", &build.install_command),
                command("build_command", "Build command", &build.build_command),
                command("start_command", "Start command", &build.start_command),
                text(
                    "output_dir",
                    "Output folder",
                    "Of a static site: what the build leaves behind.",
                    optional(&build.output_dir),
                    1024,
                    FOUND,
                ),
                number(
                    "timeout_seconds",
                    "Time limit, in seconds",
                    "A build that takes longer is stopped. 10 to 14,400.",
                    build.timeout_seconds,
                    10,
                    14_400,
                ),
            ],
        ),
        section(
            "run",
            "Run",
            NEXT,
            vec![
                text(
                    "port",
                    "Port",
                    "What the app listens on. Left empty: found out; the app gets it as `PORT`.",
                    runtime.port.map(|port| port.to_string()).unwrap_or_default(),
                    5,
                    FOUND,
                ),
                setting(
                    "protocol",
                    "What it speaks",
                    "gRPC needs HTTP/2.",
                    runtime.protocol.as_str().to_owned(),
                    Kind::Choice(PROTOCOLS),
                ),
                number(
                    "memory_mb",
                    "Memory, in MB",
                    "An app that needs more is stopped. 32 to 262,144.",
                    runtime.memory_mb,
                    32,
                    262_144,
                ),
                number(
                    "cpu_millis",
                    "Processor, in thousandths of a core",
                    "1,000 is one core. 50 to 64,000.",
                    runtime.cpu_millis,
                    50,
                    64_000,
                ),
            ],
        ),
        section(
            "health",
            "Health check",
            NEXT,
            vec![
                text(
                    "health_path",
                    "Path",
                    "Asked with `GET` before visitors get a deployment.",
                    health.path.clone(),
                    1024,
                    "/",
                ),
                text(
                    "health_expect",
                    "Status",
                    "A status or a range, such as `200` or `200-399`.",
                    health.expect.clone(),
                    7,
                    "200-399",
                ),
                number(
                    "health_timeout",
                    "Time for an answer, in seconds",
                    "1 to 60.",
                    health.timeout_seconds,
                    1,
                    60,
                ),
                number(
                    "health_grace",
                    "Time to start, in seconds",
                    "How long it may take to the first good answer. 1 to 3,600.",
                    health.grace_seconds,
                    1,
                    3600,
                ),
            ],
        ),
    ]
}

pub(super) fn setting(
    name: &'static str,
    label: &'static str,
    hint: impl Into<String>,
    value: String,
    kind: Kind,
) -> Setting {
    Setting { name, label, hint: hint.into(), value, kind }
}

pub(super) fn section(
    name: &'static str,
    title: &'static str,
    applies: &'static str,
    fields: Vec<Setting>,
) -> Section {
    let mut section =
        Section { name, title, applies, fields, was: String::new(), errors: Errors::none() };
    section.was = digest(&section);
    section
}

/// Stands for the values of a form.
pub fn digest(section: &Section) -> String {
    let values: Vec<_> = section.fields.iter().map(|field| &field.value).collect();
    token::hex(&token::hash(&format!("{values:?}"))[..16])
}

/// Puts what was typed in the place of what is stored.
pub fn typed(section: &mut Section, fields: &Fields) {
    // What is secret is typed again.
    for field in section.fields.iter_mut().filter(|field| !field.is_secret()) {
        field.value = sent(field.name, fields);
    }
}

/// What was typed into a field. Browsers end lines with two characters.
pub fn sent(field: &str, fields: &Fields) -> String {
    fields.trimmed(field).replace("\r\n", "\n")
}

/// What a form changes. Numbers that are none are said beside their fields; everything else is judged where
/// the change is made.
pub fn patch(section: &Section, fields: &Fields, errors: &mut Errors) -> ProjectPatch {
    let mut patch = ProjectPatch::default();
    for field in &section.fields {
        let value = fields.trimmed(field.name);
        if value == field.value {
            continue;
        }
        let text = || value.to_owned();
        let optional = || Some((!value.is_empty()).then(text));
        let mut number = || {
            let parsed = value.parse::<i64>().ok();
            if parsed.is_none() {
                errors.add(field.name, "A whole number is needed.");
            }
            parsed
        };
        match field.name {
            "name" => patch.name = Some(text()),
            "description" => patch.description = optional(),
            "builder" => patch.builder = Some(text()),
            "dockerfile" => patch.dockerfile = Some(text()),
            "install_command" => patch.install_command = optional(),
            "build_command" => patch.build_command = optional(),
            "start_command" => patch.start_command = optional(),
            "output_dir" => patch.output_dir = optional(),
            "timeout_seconds" => patch.timeout_seconds = number(),
            "port" => patch.port = if value.is_empty() { Some(None) } else { number().map(Some) },
            "protocol" => patch.protocol = Some(text()),
            "memory_mb" => patch.memory_mb = number(),
            "cpu_millis" => patch.cpu_millis = number(),
            "health_path" => patch.health_path = Some(text()),
            "health_expect" => patch.health_expect = Some(text()),
            "health_timeout" => patch.health_timeout = number(),
            "health_grace" => patch.health_grace = number(),
            "strategy" => patch.strategy = Some(text()),
            "drain_seconds" => {
                patch.drain_seconds =
                    if value.is_empty() { Some(None) } else { number().map(Some) };
            }
            "maintenance" => patch.maintenance = flag(field.name, value, errors),
            "sign_in" => patch.sign_in = Some(value.to_owned()),
            "compress" => patch.compress = flag(field.name, value, errors),
            "allow" => patch.allow = Some(list(value)),
            "deny" => patch.deny = Some(list(value)),
            "redirects" => patch.redirects = Some(sent(field.name, fields)),
            "headers" => patch.headers = Some(sent(field.name, fields)),
            "max_body_mb" => {
                patch.max_body_mb = if value.is_empty() { Some(None) } else { number().map(Some) };
            }
            "first_byte_seconds" => {
                patch.first_byte_seconds =
                    if value.is_empty() { Some(None) } else { number().map(Some) };
            }
            "idle_seconds" => {
                patch.idle_seconds = if value.is_empty() { Some(None) } else { number().map(Some) };
            }
            "login_user" | "login_password" => {
                let (user, password) = (sent("login_user", fields), sent("login_password", fields));
                let login = NewLogin { user, password: (!password.is_empty()).then_some(password) };
                patch.login = Some((!login.user.is_empty()).then_some(login));
            }
            "stop_seconds" => patch.stop_seconds = number(),
            "watch_seconds" => patch.watch_seconds = number(),
            "auto_deploy" => patch.auto_deploy = flag(field.name, value, errors),
            "fork_previews" => patch.fork_previews = flag(field.name, value, errors),
            "preview_deployments" => patch.preview_deployments = flag(field.name, value, errors),
            "sleep_live" => patch.sleep_live = flag(field.name, value, errors),
            "sleep_crawlers" => patch.sleep_crawlers = flag(field.name, value, errors),
            other => tracing::error!(field = other, "a setting nobody stores"),
        }
    }
    patch
}

/// Lines with something on them.
fn list(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// A choice between yes and no.
fn flag(field: &'static str, value: &str, errors: &mut Errors) -> Option<bool> {
    let flag = value.parse().ok();
    if flag.is_none() {
        errors.add(field, "One of the two is needed.");
    }
    flag
}
