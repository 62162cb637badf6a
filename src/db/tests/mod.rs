//! Table functions on a real migrated file.

mod accounts;
mod branch_hosts;
mod connection;
mod counts;
mod deployments;
mod pins;
mod previews;
mod projects;
mod replicas;
mod series;
mod snapshot;

use super::{Db, projects as project_table, users};
use crate::model::deployment::{CreatedBy, Deployment, RunState, Target, Trigger};
use crate::model::ids::{DeploymentId, ProjectId, TeamId, UserId};
use crate::model::project::{BuildSettings, Project, RuntimeSettings, SourceSettings};
use crate::model::timestamp::Timestamp;
use crate::model::transition::State;
use crate::model::user::{Plan, User};

/// A database of its own for one test; the directory goes with it.
struct Fixture {
    db: Db,
    path: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("orbitra.db");
    Fixture { db: Db::open(&path).expect("opens"), path, _directory: directory }
}

fn user(number: u8) -> User {
    User {
        id: UserId::from_random([number; 10]),
        email: format!("user{number}@example.com"),
        name: "Someone".to_owned(),
        company: None,
        plan: Plan::Free,
        instance_admin: false,
        suspended: false,
        team_id: TeamId::from_random([number; 10]),
        created_at: Timestamp(1_000),
        updated_at: Timestamp(1_000),
        revision: 1,
    }
}

fn project(number: u8, name: &str) -> Project {
    Project {
        id: ProjectId::from_random([number; 10]),
        team_id: TeamId::from_random([1; 10]),
        name: name.to_owned(),
        region: "local".to_owned(),
        framework: None,
        description: None,
        source: SourceSettings::default(),
        build: BuildSettings::default(),
        runtime: RuntimeSettings::default(),
        auto_deploy: true,
        preview_deployments: false,
        keep_images: 5,
        live_deployment_id: None,
        latest_deployment_id: None,
        live_crashed: false,
        pending_redeploy: false,
        paused_at: None,
        release_paused_at: None,
        network_index: 0,
        created_at: Timestamp(1_000),
        updated_at: Timestamp(1_000),
        revision: 1,
    }
}

fn deployment(number: u8, project: u8) -> Deployment {
    let id = DeploymentId::from_random([number; 10]);
    Deployment {
        hostname: format!("app-{number}.localhost"),
        id,
        project_id: ProjectId::from_random([project; 10]),
        seq: 0,
        state: State::Queued,
        target: Target::Production,
        trigger: Trigger::Api,
        promote: true,
        message: None,
        git_url: "https://example.com/r.git".to_owned(),
        branch: Some("main".to_owned()),
        wanted_commit: None,
        root_dir: "/".to_owned(),
        clear_cache: false,
        commit: None,
        plan: None,
        environment_keys: Vec::new(),
        upload_id: None,
        image_reference: None,
        image_pin: None,
        image: None,
        replicas: Vec::new(),
        run_state: RunState::None,
        alone: false,
        untrusted: false,
        checks_until: None,
        protocol: Default::default(),
        failure: None,
        cancel_reason: None,
        cancel_requested: false,
        created_at: Timestamp(2_000),
        started_at: None,
        built_at: None,
        live_at: None,
        finished_at: None,
        created_by: CreatedBy {
            kind: "user".to_owned(),
            id: "usr_000000".to_owned(),
            name: "Someone".to_owned(),
            user_id: "usr_000000".to_owned(),
        },
        revision: 1,
        is_live: false,
        source_deployment_id: None,
        release: None,
        project_paused: false,
        waiting: None,
        branch_label: None,
    }
}

/// One user, its team and one project.
async fn with_project(fixture: &Fixture) {
    fixture
        .db
        .write(|c| -> Result<(), super::DbError> {
            users::insert(c, &user(1), None)?;
            project_table::insert(c, &project(1, "app"))
        })
        .await
        .expect("written");
}
