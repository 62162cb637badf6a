//! What deployments were made of, and what changed from one to another.

use super::{App, AppError};
use crate::db::{self, DbError};
use crate::model::actor::Actor;
use crate::model::deployment::Deployment;
use crate::model::ids::DeploymentId;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::receipt::Receipt;
use crate::model::receipt::difference::Difference;

/// Two deployments of one project, and what changed from the first to the second.
#[derive(Clone, Debug)]
pub struct Compared {
    pub project: Project,
    pub before: Deployment,
    pub after: Deployment,
    pub difference: Difference,
}

impl App {
    /// A deployment with its receipt: the one that was kept, or what is known so far.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `deployments:read`.
    pub async fn receipt(
        &self,
        actor: &Actor,
        id: &str,
    ) -> Result<(Deployment, Receipt), AppError> {
        let (deployment, _) = self.deployment(actor, id).await?;
        let receipt = self.receipt_of(&deployment).await?;
        Ok((deployment, receipt))
    }

    /// The receipt of a deployment that was looked up.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn receipt_of(&self, deployment: &Deployment) -> Result<Receipt, AppError> {
        let deployment = deployment.clone();
        Ok(self.db.read(move |c| db::receipts::of(c, &deployment)).await?)
    }

    /// What changed from one deployment to another of the same project.
    ///
    /// # Errors
    /// One of them is none that this actor sees, they are of different projects, or the key lacks `deployments:read`.
    pub async fn compare(
        &self,
        actor: &Actor,
        before: &str,
        after: &str,
    ) -> Result<Compared, AppError> {
        let (before, project) = self.deployment(actor, before).await?;
        let (after, other) = self.deployment(actor, after).await?;
        if project.id != other.id {
            let mut problems = Problems::default();
            problems.invalid("other", "immutable", "This is a deployment of another project.");
            return Err(AppError::Invalid(problems));
        }
        let (one, two) = (before.clone(), after.clone());
        let receipts = self.db.read(move |c| -> Result<_, DbError> {
            Ok((db::receipts::of(c, &one)?, db::receipts::of(c, &two)?))
        });
        let (one, two) = receipts.await?;
        let difference = Difference::between(&one, &two);
        Ok(Compared { project, before, after, difference })
    }

    /// The deployment before this one that became ready: what it is compared with first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn deployment_before(
        &self,
        deployment: &Deployment,
    ) -> Result<Option<DeploymentId>, AppError> {
        let deployment = deployment.clone();
        Ok(self.db.read(move |c| db::receipts::before(c, &deployment)).await?)
    }

    /// The last lines of an application that failed, with secrets masked.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn failed_output(&self, id: &DeploymentId) -> Result<Vec<String>, AppError> {
        let id = id.clone();
        Ok(self.db.read(move |c| db::receipts::output(c, &id)).await?)
    }
}
