//! Project tokens: keys of one project, seen by whoever may change the project.

use super::api_keys::NewKey;
use super::key_rules::check_within;
use super::may::Action;
use super::terms::Terms;
use super::{App, AppError};
use crate::db;
use crate::db::api_keys::{KeyFilter, Owner};
use crate::db::page::{Page, PageRequest};
use crate::model::actor::Actor;
use crate::model::api_key::ApiKey;
use crate::model::ids::KeyId;
use crate::model::problems::Problems;
use crate::model::scope::Scopes;

impl App {
    /// Makes a token; it sees this project and nothing else, and counts as the account that makes it.
    ///
    /// # Errors
    /// `Invalid`, no such project, or `Forbidden` with `scope_escalation` when it would carry more than the
    /// calling key.
    pub async fn create_token(
        &self,
        actor: &Actor,
        project: &str,
        new: NewKey,
        mut problems: Problems,
        terms: &Terms<(ApiKey, String)>,
    ) -> Result<(ApiKey, String), AppError> {
        let project = self.project_for(actor, Action::ProjectsWrite, project).await?;
        let only = vec![project.id.clone()];
        let draft = self.draft_key(new, &Scopes::of_project(), only, &mut problems);
        check_within(actor, &draft.limits)?;
        // After that: a stored answer holds a token, which a weaker caller must not get by repeating.
        terms.admit(self, None).await?;
        AppError::check(problems)?;
        self.insert_key(actor, draft, Some(project), terms).await
    }

    /// Tokens of a project.
    ///
    /// # Errors
    /// No such project, or the key lacks `projects:write`.
    pub async fn tokens(
        &self,
        actor: &Actor,
        project: &str,
        filter: KeyFilter,
        page: PageRequest,
    ) -> Result<Page<ApiKey>, AppError> {
        let project = self.project_for(actor, Action::ProjectsWrite, project).await?;
        let (owner, now) = (Owner::Project(project.id), self.clock.now());
        self.db.read(move |c| Ok(db::api_keys::list(c, &owner, &filter, now, page)?)).await
    }

    /// Revokes a token; one may revoke itself. Already revoked is success.
    ///
    /// # Errors
    /// No such project or token, or the key lacks `projects:write`.
    pub async fn revoke_token(
        &self,
        actor: &Actor,
        project: &str,
        id: &str,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        let project = self.project_for(actor, Action::ProjectsWrite, project).await?;
        let missing = || AppError::not_found("api_key", id);
        let wanted = KeyId::parse(id).ok_or_else(missing)?;
        let owner = project.id.clone();
        let found =
            self.db.read(move |c| db::api_keys::find_of_project(c, &owner, &wanted)).await?;
        self.revoke(actor, found.ok_or_else(missing)?, Some(project), terms).await
    }
}
