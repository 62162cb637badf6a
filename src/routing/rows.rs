//! What a route table is made of, as the database has it.

use std::time::Duration;

use crate::db::domains::DomainRoute;
use crate::db::replicas::Serving;
use crate::db::routes::{DeploymentRoute, ProjectRoute, Replaced};
use crate::db::{self, Connection, DbError};
use crate::model::ids::DeploymentId;

/// Everything a table is made of.
pub(super) struct Rows {
    pub(super) projects: Vec<ProjectRoute>,
    pub(super) deployments: Vec<DeploymentRoute>,
    pub(super) serving: Vec<Serving>,
    pub(super) gone: Vec<String>,
    /// Labels of branches.
    pub(super) gone_branches: Vec<String>,
    pub(super) branches: Vec<(String, DeploymentId)>,
    pub(super) replaced: Vec<Replaced>,
    pub(super) domains: Vec<DomainRoute>,
}

impl Rows {
    /// As they stand now.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) fn read(connection: &Connection, keep_assets: Duration) -> Result<Self, DbError> {
        Ok(Self {
            projects: db::routes::projects(connection)?,
            deployments: db::routes::deployments(connection)?,
            serving: db::replicas::serving(connection)?,
            gone: db::removals::gone_hosts(connection)?,
            gone_branches: db::branch_hosts::gone(connection)?,
            branches: db::branch_hosts::all(connection)?,
            replaced: db::routes::replaced(connection, keep_assets)?,
            domains: db::domains::routes(connection)?,
        })
    }
}
