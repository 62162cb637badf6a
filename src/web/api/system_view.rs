//! The server as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use super::disk_view::DiskView;
use super::guards::BODY_LIMIT;
use super::streams;
use crate::app::system::SystemState;
use crate::config::Config;
use crate::model::timestamp::Timestamp;
use crate::model::vulnerability::Vulnerability;

/// Most items of a page.
const PAGE_LIMIT: u32 = 100;

/// How the server is.
#[derive(Serialize, ToSchema)]
#[schema(as = System)]
pub struct SystemView {
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The commit it was built from; `null` when the build did not say.
    commit: Option<&'static str>,
    started_at: Timestamp,
    uptime_seconds: i64,
    node: NodeView,
    engine: EngineView,
    proxy: ProxyView,
    database: DatabaseView,
    disk: DiskView,
    queue: QueueView,
    limits: LimitsView,
}

/// The machine. What cannot be found out is `null`.
#[derive(Serialize, ToSchema)]
#[schema(as = Node)]
struct NodeView {
    #[schema(example = "linux")]
    os: &'static str,
    #[schema(example = "x86_64")]
    arch: &'static str,
    cpus: usize,
    memory_bytes: Option<u64>,
    memory_available_bytes: Option<u64>,
    /// Of the file system with the data directory.
    disk_bytes: Option<u64>,
    disk_available_bytes: Option<u64>,
}

/// The container engine.
#[derive(Serialize, ToSchema)]
#[schema(as = Engine)]
struct EngineView {
    /// Whether it answered within two seconds; otherwise the rest is `null`.
    available: bool,
    #[schema(example = "28.5.1")]
    version: Option<String>,
    /// Running containers of this instance.
    containers: Option<usize>,
    /// What is wrong with it, and what to do about it; `null` when nothing is.
    trouble: Option<String>,
    /// Holes that its version is known to have. A distribution may have closed them all the same.
    vulnerabilities: Vec<VulnerabilityView>,
}

/// A known hole of the engine.
#[derive(Serialize, ToSchema)]
#[schema(as = EngineVulnerability)]
struct VulnerabilityView {
    #[schema(example = "CVE-2024-21626")]
    id: &'static str,
    /// What has it: `Docker` or `runc`.
    component: &'static str,
    /// The first releases without it, one for every line of releases that got one.
    #[schema(example = json!(["1.1.12"]))]
    fixed_in: &'static [&'static str],
    /// What it lets somebody do.
    summary: &'static str,
}

impl From<Vulnerability> for VulnerabilityView {
    fn from(known: Vulnerability) -> Self {
        let Vulnerability { id, component, fixed_in, summary } = known;
        Self { id, component, fixed_in, summary }
    }
}

/// The data plane.
#[derive(Serialize, ToSchema)]
#[schema(as = Proxy)]
struct ProxyView {
    /// Host names that are routed.
    hosts: usize,
    /// Open connections of visitors, and of those who use the API.
    connections: usize,
    /// Requests for applications since the server was started.
    requests: u64,
}

/// The files of the database.
#[derive(Serialize, ToSchema)]
#[schema(as = Database)]
struct DatabaseView {
    size_bytes: u64,
    /// The write-ahead log.
    wal_bytes: u64,
}

/// Deployments that are not finished.
#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
struct QueueView {
    building: usize,
    queued: usize,
}

/// What is the most this server takes.
#[derive(Serialize, ToSchema)]
#[schema(as = Limits)]
struct LimitsView {
    /// Of the body of a request.
    body_bytes: usize,
    /// Items of a page.
    page_limit: u32,
    /// Streams that are open at the same time, of one key.
    streams_per_key: usize,
    /// Builds at the same time.
    builds: usize,
    /// Memory of one build; `null` is no limit of Orbitra's own.
    build_memory_bytes: Option<u64>,
    /// What is fetched of one repository.
    repository_bytes: u64,
}

impl SystemView {
    /// The view of a server that runs since `started_at`.
    pub fn new(state: SystemState, config: &Config, started_at: Timestamp, now: Timestamp) -> Self {
        let available = state.engine.is_some();
        let (version, containers, vulnerabilities) = match state.engine {
            Some(engine) => (Some(engine.version), Some(engine.containers), engine.vulnerabilities),
            None => (None, None, Vec::new()),
        };
        let traffic = state.traffic.unwrap_or_default();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("ORBITRA_COMMIT").filter(|commit| !commit.is_empty()),
            started_at,
            uptime_seconds: (now.0 - started_at.0) / 1000,
            node: NodeView {
                os: state.machine.os,
                arch: state.machine.arch,
                cpus: state.machine.cpus,
                memory_bytes: state.machine.memory_bytes,
                memory_available_bytes: state.machine.memory_available_bytes,
                disk_bytes: state.machine.disk_bytes,
                disk_available_bytes: state.machine.disk_available_bytes,
            },
            engine: EngineView {
                available,
                version,
                containers,
                trouble: state.engine_trouble,
                vulnerabilities: vulnerabilities.into_iter().map(Into::into).collect(),
            },
            proxy: ProxyView {
                hosts: traffic.hosts(),
                connections: traffic.connections(),
                requests: traffic.requests(),
            },
            database: DatabaseView { size_bytes: state.database_bytes, wal_bytes: state.wal_bytes },
            disk: DiskView::new(state.disk.as_deref(), state.free_bytes, config),
            queue: QueueView { building: state.building, queued: state.queued },
            limits: LimitsView {
                body_bytes: BODY_LIMIT,
                page_limit: PAGE_LIMIT,
                streams_per_key: streams::PER_KEY,
                builds: config.build_concurrency,
                build_memory_bytes: config.build_memory,
                repository_bytes: config.git_size_limit,
            },
        }
    }
}
