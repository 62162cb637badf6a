//! What a project's settings may be.

use std::collections::BTreeMap;

use serde_json::Value;

use super::proxy_rules::{self, NewLogin};
use super::source_rules::settle_auth;
use crate::egress::Policy;
use crate::model::branch::check_branch;
use crate::model::catalogue::{FRAMEWORKS, REGIONS, is_framework, is_region};
use crate::model::git_url::pushed_to;
use crate::model::hostname::{NameProblem, check_project_name, suggest_project_name};
use crate::model::ids::ProjectId;
use crate::model::problems::Problems;
use crate::model::project::{
    Project, Protocol, Strategy, normal_path, parse_expected_status, valid_health_path,
};
use crate::model::watch_paths;

/// Settings to change (or, of a new project, to set). `None` leaves a field as it is; of a field that
/// can be empty, `Some(None)` empties it.
#[derive(Clone, Debug, Default)]
pub struct ProjectPatch {
    pub name: Option<String>,
    pub region: Option<String>,
    pub framework: Option<Option<String>>,
    pub description: Option<Option<String>>,
    pub git_url: Option<Option<String>>,
    pub branch: Option<Option<String>>,
    pub root_dir: Option<String>,
    pub auth: Option<String>,
    pub watch_paths: Option<Vec<String>>,
    pub fork_previews: Option<bool>,
    pub builder: Option<String>,
    pub dockerfile: Option<String>,
    pub install_command: Option<Option<String>>,
    pub build_command: Option<Option<String>>,
    pub start_command: Option<Option<String>>,
    pub output_dir: Option<Option<String>>,
    pub timeout_seconds: Option<i64>,
    pub port: Option<Option<i64>>,
    pub protocol: Option<String>,
    pub instances: Option<i64>,
    pub cpu_millis: Option<i64>,
    pub memory_mb: Option<i64>,
    pub health_path: Option<String>,
    pub health_expect: Option<String>,
    pub health_interval: Option<i64>,
    pub health_timeout: Option<i64>,
    pub health_grace: Option<i64>,
    pub strategy: Option<String>,
    pub drain_seconds: Option<Option<i64>>,
    pub stop_seconds: Option<i64>,
    pub watch_seconds: Option<i64>,
    pub max_body_mb: Option<Option<i64>>,
    pub first_byte_seconds: Option<Option<i64>>,
    pub idle_seconds: Option<Option<i64>>,
    pub maintenance: Option<bool>,
    pub compress: Option<bool>,
    pub redirects: Option<String>,
    pub headers: Option<String>,
    pub allow: Option<Vec<String>>,
    pub deny: Option<Vec<String>>,
    /// Name and password; `Some(None)` asks visitors for nothing any more.
    pub login: Option<Option<NewLogin>>,
    /// Where visitors have to be signed in.
    pub sign_in: Option<String>,
    pub sleep_live: Option<bool>,
    pub sleep_crawlers: Option<bool>,
    pub auto_deploy: Option<bool>,
    pub preview_deployments: Option<bool>,
    pub keep_images: Option<i64>,
    /// Read-only fields that were sent, with the value sent.
    pub read_only: BTreeMap<String, Value>,
}

fn check_name(name: &str, problems: &mut Problems) {
    let (code, message) = match check_project_name(name) {
        Ok(()) => return,
        Err(NameProblem::TooShort) => ("too_short", "At least 1 character."),
        Err(NameProblem::TooLong) => ("too_long", "At most 40 characters."),
        Err(NameProblem::Reserved) => ("reserved", "Orbitra uses this name itself."),
        Err(NameProblem::Format) => (
            "format",
            "Lower-case letters, digits and `-`; starts with a letter, does not end with `-`.",
        ),
    };
    problems.invalid("name", code, message).suggestion = suggest_project_name(name);
}

/// Checks the address of a project's own repository. Where it was pushed here, `own` is what is stored of it.
pub fn check_source_url(url: &str, own: &ProjectId, policy: &Policy, problems: &mut Problems) {
    if url != pushed_to(own) {
        check_git_url(url, policy, problems);
    }
}

/// Checks a repository address.
pub fn check_git_url(url: &str, policy: &Policy, problems: &mut Problems) {
    if let Err(error) = policy.git_url(url) {
        problems.invalid("git_url", error.code, error.message);
    }
}

/// Checks a branch name.
pub fn check_branch_name(branch: &str, problems: &mut Problems) {
    if let Err(error) = check_branch(branch) {
        problems.invalid("branch", error.code, error.message);
    }
}

/// Checks the patterns of what is watched.
pub fn check_watch_paths(field: &str, patterns: &[String], problems: &mut Problems) {
    if patterns.len() > watch_paths::MOST {
        let message = format!("At most {} patterns.", watch_paths::MOST);
        problems.invalid(field, "out_of_range", message);
    } else if let Some(at) = patterns.iter().position(|one| !watch_paths::is_pattern(one)) {
        let message = format!(
            "Pattern {} is none: 1 to {} characters, a path from the root of the repository without `..`.",
            at + 1,
            watch_paths::LONGEST
        );
        problems.invalid(field, "format", message);
    }
}

fn check_command(field: &str, command: Option<&Option<String>>, problems: &mut Problems) {
    if let Some(Some(command)) = command
        && problems.length(field, command.trim(), 1, 2000)
        && command.chars().any(|c| c.is_control())
    {
        problems.invalid(field, "format", "One line without control characters.");
    }
}

fn check_path(field: &str, path: &str, problems: &mut Problems) {
    if normal_path(path).is_none() {
        problems.invalid(field, "unsafe", "A path inside the repository, without `..`.");
    }
}

/// Applies a patch to a project and notes everything that is not acceptable. The project is only to be used when nothing was noted.
pub fn apply(
    patch: &ProjectPatch,
    project: &mut Project,
    policy: &Policy,
    problems: &mut Problems,
) {
    fn set<T: Clone>(slot: &mut T, value: Option<&T>) {
        if let Some(value) = value {
            *slot = value.clone();
        }
    }
    fn number<N: TryFrom<i64>>(
        slot: &mut N,
        field: &str,
        value: Option<i64>,
        least: i64,
        most: i64,
        problems: &mut Problems,
    ) {
        let Some(value) = value else { return };
        problems.range(field, value, least, most);
        if let Ok(value) = N::try_from(value) {
            *slot = value;
        }
    }
    if let Some(name) = &patch.name {
        check_name(name, problems);
    }
    set(&mut project.name, patch.name.as_ref());
    if let Some(Some(framework)) = &patch.framework
        && !is_framework(framework)
    {
        problems.unknown_value("framework", FRAMEWORKS);
    }
    set(&mut project.framework, patch.framework.as_ref());
    if let Some(Some(description)) = &patch.description {
        problems.length("description", description, 0, 500);
    }
    set(&mut project.description, patch.description.as_ref());
    source(patch, project, policy, problems);
    if let Some(builder) = &patch.builder
        && !["auto", "dockerfile"].contains(&builder.as_str())
    {
        problems.unknown_value("build.builder", ["auto", "dockerfile"]);
    }
    let build = &mut project.build;
    set(&mut build.builder, patch.builder.as_ref());
    if let Some(path) = &patch.dockerfile {
        check_path("build.dockerfile", path, problems);
    }
    set(&mut build.dockerfile, patch.dockerfile.as_ref());
    check_command("build.install_command", patch.install_command.as_ref(), problems);
    set(&mut build.install_command, patch.install_command.as_ref());
    check_command("build.build_command", patch.build_command.as_ref(), problems);
    set(&mut build.build_command, patch.build_command.as_ref());
    check_command("build.start_command", patch.start_command.as_ref(), problems);
    set(&mut build.start_command, patch.start_command.as_ref());
    if let Some(Some(path)) = &patch.output_dir {
        check_path("build.output_dir", path, problems);
    }
    set(&mut build.output_dir, patch.output_dir.as_ref());
    number(
        &mut build.timeout_seconds,
        "build.timeout_seconds",
        patch.timeout_seconds,
        10,
        14_400,
        problems,
    );
    let runtime = &mut project.runtime;
    if let Some(port) = patch.port {
        let mut value = 0u16;
        number(&mut value, "runtime.port", port, 1, 65_535, problems);
        runtime.port = port.map(|_| value);
    }
    number(&mut runtime.instances, "runtime.instances", patch.instances, 1, 20, problems);
    number(&mut runtime.cpu_millis, "runtime.cpu_millis", patch.cpu_millis, 50, 64_000, problems);
    number(&mut runtime.memory_mb, "runtime.memory_mb", patch.memory_mb, 32, 262_144, problems);
    let health = &mut runtime.healthcheck;
    if let Some(path) = &patch.health_path
        && !valid_health_path(path)
    {
        problems.invalid(
            "runtime.healthcheck.path",
            "format",
            "Starts with one `/`, printable ASCII, at most 1,024 characters.",
        );
    }
    set(&mut health.path, patch.health_path.as_ref());
    if let Some(expect) = &patch.health_expect
        && parse_expected_status(expect).is_none()
    {
        problems.invalid(
            "runtime.healthcheck.expect",
            "format",
            "A status or a range, such as 200 or 200-399.",
        );
    }
    set(&mut health.expect, patch.health_expect.as_ref());
    let seconds = "runtime.healthcheck.interval_seconds";
    number(&mut health.interval_seconds, seconds, patch.health_interval, 1, 300, problems);
    let seconds = "runtime.healthcheck.timeout_seconds";
    number(&mut health.timeout_seconds, seconds, patch.health_timeout, 1, 60, problems);
    let seconds = "runtime.healthcheck.grace_seconds";
    number(&mut health.grace_seconds, seconds, patch.health_grace, 1, 3600, problems);
    if let Some(name) = &patch.protocol {
        match Protocol::parse(name) {
            Some(protocol) => runtime.protocol = protocol,
            None => {
                problems.unknown_value("runtime.protocol", Protocol::ALL.map(Protocol::as_str));
            }
        }
    }
    let release = &mut runtime.release;
    if let Some(name) = &patch.strategy {
        match Strategy::parse(name) {
            Some(strategy) => release.strategy = strategy,
            None => {
                let known = Strategy::ALL.map(Strategy::as_str);
                problems.unknown_value("runtime.release.strategy", known);
            }
        }
    }
    let asked = patch.instances.is_some() || patch.strategy.is_some();
    if asked && release.strategy == Strategy::Single && runtime.instances > 1 {
        let message = "1 with the release strategy `single`, which is for what may not run twice.";
        problems.invalid("runtime.instances", "mutually_exclusive", message);
    }
    if let Some(seconds) = patch.drain_seconds {
        let mut value = 0u32;
        number(&mut value, "runtime.release.drain_seconds", seconds, 0, 3600, problems);
        release.drain_seconds = seconds.map(|_| value);
    }
    let seconds = "runtime.release.stop_seconds";
    number(&mut release.stop_seconds, seconds, patch.stop_seconds, 1, 300, problems);
    let seconds = "runtime.release.watch_seconds";
    number(&mut release.watch_seconds, seconds, patch.watch_seconds, 0, 3600, problems);
    proxy_rules::apply(patch, &mut runtime.proxy, problems);
    set(&mut runtime.sleep.live, patch.sleep_live.as_ref());
    set(&mut runtime.sleep.crawlers, patch.sleep_crawlers.as_ref());
    set(&mut project.auto_deploy, patch.auto_deploy.as_ref());
    set(&mut project.preview_deployments, patch.preview_deployments.as_ref());
    number(&mut project.keep_images, "keep_images", patch.keep_images, 1, 100, problems);
}

fn source(patch: &ProjectPatch, project: &mut Project, policy: &Policy, problems: &mut Problems) {
    let before = project.source.clone();
    if let Some(Some(url)) = &patch.git_url {
        let before = problems.invalid_fields.len();
        check_source_url(url, &project.id, policy, problems);
        rename(problems, before, "source.git_url");
    }
    if let Some(url) = &patch.git_url {
        project.source.git_url = url.clone();
    }
    if let Some(Some(branch)) = &patch.branch {
        let before = problems.invalid_fields.len();
        check_branch_name(branch, problems);
        rename(problems, before, "source.branch");
    }
    if let Some(branch) = &patch.branch {
        project.source.branch = branch.clone();
    }
    if let Some(path) = &patch.root_dir {
        check_path("source.root_dir", path, problems);
        project.source.root_dir = path.clone();
    }
    if let Some(patterns) = &patch.watch_paths {
        check_watch_paths("source.watch_paths", patterns, problems);
        project.source.watch_paths.clone_from(patterns);
    }
    if let Some(forks) = patch.fork_previews {
        project.source.fork_previews = forks;
    }
    if patch.git_url.is_some() || patch.auth.is_some() {
        let asked = patch.auth.as_deref();
        settle_auth(&before, &mut project.source, asked, policy, problems);
    }
}

/// Names a nested field by its full path.
fn rename(problems: &mut Problems, from: usize, field: &str) {
    for invalid in &mut problems.invalid_fields[from..] {
        field.clone_into(&mut invalid.field);
    }
}

/// Checks the region of a new project.
pub fn check_region(region: &str, problems: &mut Problems) {
    if !is_region(region) {
        problems.unknown_value("region", REGIONS.iter().map(|(id, _)| *id));
    }
}
