//! What a deployment's repository is read with.

use super::Pipeline;
use super::stop::Stop;
use crate::crypto::ssh_key::SshSeed;
use crate::db;
use crate::git::{Access, Credential};
use crate::model::deployment::Deployment;
use crate::model::failure::{Failure, FailureCode};
use crate::model::git_url::GitUrl;
use crate::model::project::{Project, SourceAuth};

impl Pipeline {
    /// The project's credential, when the deployment is of the project's own source. A request that names another
    /// repository does not get it.
    pub(super) async fn access(
        &self,
        deployment: &Deployment,
        project: &Project,
    ) -> Result<Option<Access>, Stop> {
        let own = project.source.git_url.as_deref().and_then(|url| self.egress.git_url(url).ok());
        let (Ok(url), Some(own)) = (self.egress.git_url(&deployment.git_url), own) else {
            return Ok(None);
        };
        if url != own {
            return Ok(None);
        }
        let credential = match project.source.auth {
            SourceAuth::None => None,
            SourceAuth::Token => self.token(project, &url).await?,
            SourceAuth::DeployKey => self.key(project).await?,
        };
        let owner = project.id.to_string();
        // A stranger's commit names submodules of its own choosing.
        let alone = deployment.untrusted;
        Ok(credential.map(|credential| Access { owner, origin: url.origin(), alone, credential }))
    }

    async fn token(&self, project: &Project, url: &GitUrl) -> Result<Option<Credential>, Stop> {
        let id = project.id.clone();
        let stored = self.db.read(move |c| db::source_credentials::find(c, &id)).await?;
        let Some(stored) = stored.filter(|stored| stored.origin == url.origin()) else {
            return Ok(None);
        };
        let identity = db::source_credentials::identity(&project.id, &stored.origin);
        let plain = self.secrets.open(&identity, &stored.sealed).ok();
        let text = plain.and_then(|plain| String::from_utf8(plain).ok()).ok_or_else(broken)?;
        Ok(Some(Credential::token(&text, &url.host())))
    }

    async fn key(&self, project: &Project) -> Result<Option<Credential>, Stop> {
        let id = project.id.clone();
        let Some(stored) = self.db.read(move |c| db::deploy_keys::find(c, &id)).await? else {
            return Ok(None);
        };
        let identity = db::deploy_keys::identity(&project.id);
        let plain = self.secrets.open(&identity, &stored.sealed).ok();
        let seed = plain.and_then(|plain| plain.try_into().ok()).ok_or_else(broken)?;
        Ok(Some(Credential::Key(SshSeed(seed))))
    }
}

fn broken() -> Stop {
    Stop::Failed(Failure::new(
        FailureCode::AuthFailed,
        "cloning",
        "The stored credential of the source does not open: was the key file replaced? Set it again.",
    ))
}
