//! The settings as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::mail::TriedMail;
use crate::app::settings::Settings;
use crate::model::delivery::AttemptError;
use crate::model::mail::{MailSecurity, StoredMail};

/// The settings the server runs with.
#[derive(Serialize, ToSchema)]
#[schema(as = SystemSettings)]
pub struct SettingsView {
    /// Deployments and projects have names under this domain.
    #[schema(example = "apps.example.com")]
    base_domain: String,
    /// Host of dashboard and API; `null` is the base domain itself, and any IP address.
    dashboard_host: Option<String>,
    /// Scheme and, where it is not the scheme's own, port of the URLs that are shown.
    #[schema(example = "https")]
    public_scheme: String,
    /// Private addresses that Git fetches may reach.
    egress_allow: Vec<String>,
    /// Whether plain `http://` is allowed for Git.
    egress_allow_http: bool,
    /// Requests to the API per window of an account with the plan `free`, and of an address without an account.
    rate_free: u32,
    /// The same of an account with the plan `professional`.
    rate_professional: u32,
    /// Seconds of a window.
    rate_window: u64,
    /// Builds at the same time.
    build_concurrency: usize,
    /// Memory of one build in bytes; `null` is no limit of Orbitra's own.
    build_memory: Option<u64>,
    /// Bytes that must be free on the disk for a build to begin.
    disk_floor: u64,
    /// Bytes that everything kept on the disk may take together; `null` is 60 % of the engine's disk.
    disk_budget: Option<u64>,
    /// Days that a preview is kept; `null` is for ever.
    preview_days: Option<u64>,
    /// Most bytes of one repository.
    git_size_limit: u64,
    /// How long the old container may take to finish its requests after a switch.
    drain_seconds: u64,
    /// How long runtime logs are kept.
    log_days: u64,
    /// Most bytes of one project's runtime log.
    log_size: u64,
    /// Whether the proxy writes an access log.
    access_log: bool,
    /// Filter of the program's own log.
    #[schema(example = "info")]
    log: String,
    /// The server that takes this instance's mail; `null` when it sends none.
    mail: Option<MailView>,
}

/// A server that takes mail. Its password is never shown.
#[derive(Serialize, ToSchema)]
#[schema(as = MailServer)]
struct MailView {
    #[schema(example = "mail.example.com")]
    host: String,
    #[schema(example = 587)]
    port: u16,
    security: MailSecurity,
    user: Option<String>,
    has_password: bool,
    #[schema(example = "Orbitra <orbitra@example.com>")]
    sender: String,
}

/// What came of a test mail.
#[derive(Serialize, ToSchema)]
#[schema(as = TriedMail)]
pub struct TriedMailView {
    /// Whether the mail server took it.
    taken: bool,
    /// The mail server's code, such as 250 or 550.
    #[schema(example = 250)]
    status: Option<u16>,
    /// What it said with it, or why it said nothing.
    #[schema(example = "2.0.0 Ok: queued")]
    answer: String,
    error: Option<AttemptError>,
    duration_ms: u64,
}

impl From<&TriedMail> for TriedMailView {
    fn from(tried: &TriedMail) -> Self {
        Self {
            taken: tried.taken,
            status: tried.status,
            answer: tried.answer.clone(),
            error: tried.error,
            duration_ms: tried.duration_ms,
        }
    }
}

impl From<&StoredMail> for MailView {
    fn from(mail: &StoredMail) -> Self {
        let server = mail.server.clone();
        Self {
            host: server.host,
            port: server.port,
            security: server.security,
            user: server.user,
            has_password: mail.secret.is_some(),
            sender: server.sender,
        }
    }
}

impl From<&Settings> for SettingsView {
    fn from(settings: &Settings) -> Self {
        let config = &settings.config;
        Self {
            mail: settings.mail.as_ref().map(MailView::from),
            base_domain: config.hosts.base_domain().to_owned(),
            dashboard_host: config.hosts.dashboard_host().map(str::to_owned),
            public_scheme: config.hosts.public_scheme(),
            egress_allow: config.egress_allow.clone(),
            egress_allow_http: config.egress_allow_http,
            rate_free: config.rates.free,
            rate_professional: config.rates.professional,
            rate_window: config.rates.window.as_secs(),
            build_concurrency: config.build_concurrency,
            build_memory: config.build_memory,
            disk_floor: config.disk_floor,
            disk_budget: (config.disk_budget > 0).then_some(config.disk_budget),
            preview_days: config.preview_age.map(|age| age.as_secs() / (24 * 3600)),
            git_size_limit: config.git_size_limit,
            drain_seconds: config.drain.as_secs(),
            log_days: config.log_age.as_secs() / (24 * 3600),
            log_size: config.log_bytes,
            access_log: config.access_log,
            log: config.log.clone(),
        }
    }
}
