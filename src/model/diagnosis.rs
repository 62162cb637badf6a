//! Why a deployment failed: recorded facts go in, a cause comes out with its evidence and the next step.
//!
//! Nothing here asks anybody. `pipeline` collects the facts: how a process ended, what it wrote, which sockets it has,
//! what a build step said. One family of causes is one file, and one cause is one function or one line of a table. The
//! order in which the families are asked is in [`ended`], [`listening`], [`health`] and [`build`]; the first that
//! recognises what it knows wins, so the most certain ones come first.

pub mod build;
pub mod clone;
pub mod ended;
pub mod health;
pub mod listening;
pub mod plan;
pub mod start;

mod code;
mod commands;
mod connection;
mod dependencies;
mod files;
mod modules;
mod output;
mod runtime;
mod text;
mod variables;

#[cfg(test)]
mod tests;

pub use files::full as disk_full;
pub use output::Output;

use serde::{Deserialize, Serialize};

use super::deployment::words;

words!(
/// What made a deployment fail, as the API names it.
Cause {
    // The process.
    ExitCode = "exit_code", EndedByItself = "ended_by_itself", CommandNotFound = "command_not_found",
    NotExecutable = "not_executable", SegmentationFault = "segmentation_fault", Aborted = "aborted",
    Killed = "killed", Terminated = "terminated", MemoryLimit = "memory_limit", HeapLimit = "heap_limit",
    ContainerGone = "container_gone", NoStartCommand = "no_start_command",
    WrongArchitecture = "wrong_architecture",
    // What it wrote.
    MissingVariable = "missing_variable", MissingEnvFile = "missing_env_file",
    MissingModule = "missing_module", MissingLibrary = "missing_library", MissingFile = "missing_file",
    PermissionDenied = "permission_denied", DiskFull = "disk_full", PortInUse = "port_in_use",
    PortNotPermitted = "port_not_permitted", ServiceUnreachable = "service_unreachable",
    NameUnresolved = "name_unresolved", SyntaxError = "syntax_error", ModuleKind = "module_kind",
    HostNotAllowed = "host_not_allowed",
    // Where it listens.
    WrongPort = "wrong_port", BoundToLoopback = "bound_to_loopback", NothingListens = "nothing_listens",
    // What it answers.
    HealthRedirect = "health_redirect", HealthNotFound = "health_not_found",
    HealthError = "health_error", HealthRefused = "health_refused", HealthTimeout = "health_timeout",
    HealthFlaps = "health_flaps", HealthUnexpected = "health_unexpected", NotHttp = "not_http",
    // The source.
    SignInNeeded = "sign_in_needed", BranchMissing = "branch_missing", CommitMissing = "commit_missing",
    AddressRefused = "address_refused", RedirectRefused = "redirect_refused", TooLarge = "too_large",
    CloneTimeout = "clone_timeout", TlsRefused = "tls_refused", ServerUnreachable = "server_unreachable",
    NotGit = "not_git",
    // The plan.
    NothingToBuild = "nothing_to_build", BuildUnsupported = "build_unsupported",
    SettingInvalid = "setting_invalid", SourceUnreadable = "source_unreadable",
    // The build.
    LockFileMissing = "lock_file_missing", LockFileMismatch = "lock_file_mismatch",
    IntegrityMismatch = "integrity_mismatch", ScriptMissing = "script_missing",
    VersionUnsupported = "version_unsupported", PackageMissing = "package_missing",
    RegistryUnreachable = "registry_unreachable", SystemPackageMissing = "system_package_missing",
    TestsFailed = "tests_failed", CompileError = "compile_error", BuildMemory = "build_memory",
    BuildTimeout = "build_timeout", DockerfileInvalid = "dockerfile_invalid",
    BaseImageMissing = "base_image_missing", CopiedFileMissing = "copied_file_missing",
});

/// Most pieces of evidence.
const EVIDENCE: usize = 8;
/// Characters of each.
const LENGTH: usize = 300;

/// A cause, what shows it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    pub cause: Cause,
    /// The reason as the end of a sentence, such as `` `DATABASE_URL` is not set ``; `None` where what happened says it
    /// already. It becomes part of the failure's message.
    #[serde(skip)]
    pub because: Option<String>,
    /// Lines that were written, sockets, an answer. Without secrets, because the facts were.
    pub evidence: Vec<String>,
    /// The next step, as a sentence.
    pub hint: String,
}

impl Diagnosis {
    /// A cause and the next step.
    fn new(cause: Cause, hint: impl Into<String>) -> Self {
        Self { cause, because: None, evidence: Vec::new(), hint: hint.into() }
    }

    /// The same with its reason.
    fn because(mut self, reason: impl Into<String>) -> Self {
        self.because = Some(reason.into());
        self
    }

    /// The same with one more piece of evidence, shortened.
    fn shown_by(mut self, line: &str) -> Self {
        let line = line.trim();
        if !line.is_empty() && self.evidence.len() < EVIDENCE {
            let short: String = line.chars().take(LENGTH).collect();
            let end = if short.len() < line.len() { "…" } else { "" };
            self.evidence.push(format!("{short}{end}"));
        }
        self
    }
}
