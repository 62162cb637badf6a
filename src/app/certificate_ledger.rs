//! The ledger of certificates: what each host name has, and what came of asking for more.

use super::may::{Action, require_instance_admin, require_scope};
use super::{App, AppError};
use crate::db;
use crate::db::page::{Page, PageRequest};
use crate::model::actor::Actor;
use crate::model::certificate::Standing;
use crate::model::issuance::WEEK;
use crate::model::timestamp::Timestamp;

impl App {
    /// A page of it, by host name.
    ///
    /// # Errors
    /// The actor is no instance admin, or the key lacks `system:read`.
    pub async fn certificate_ledger(
        &self,
        actor: &Actor,
        page: PageRequest,
    ) -> Result<Page<Standing>, AppError> {
        require_scope(actor, Action::SystemRead)?;
        require_instance_admin(actor)?;
        let week = i64::try_from(WEEK.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp(self.clock.now().0.saturating_sub(week));
        Ok(self.db.read(move |c| db::certificate_ledger::list(c, since, page)).await?)
    }
}
