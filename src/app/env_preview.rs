//! What a set of variables would change, before anything is changed.

use std::collections::{BTreeMap, BTreeSet};

use super::env::ChangeTo;
use super::may::Action;
use super::{App, AppError};
use crate::db;
use crate::model::actor::Actor;
use crate::model::project_env::EnvTarget;

/// Names of variables by what would become of them, each list in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvPreview {
    pub created: Vec<String>,
    pub updated: Vec<String>,
    pub same: Vec<String>,
    pub deleted: Vec<String>,
}

impl App {
    /// Compares wanted values with those of a target. With `replace` all others of the target would go.
    /// A sensitive variable counts as changed: whether a guess is right is not told.
    ///
    /// # Errors
    /// No such project, or the key lacks `env:write`.
    pub async fn preview_variables(
        &self,
        actor: &Actor,
        to: ChangeTo<'_>,
        wanted: BTreeMap<String, String>,
        replace: bool,
    ) -> Result<EnvPreview, AppError> {
        let project = self.project_for(actor, Action::EnvWrite, to.project).await?;
        let (app, target) = (self.clone(), to.target.unwrap_or(EnvTarget::All));
        self.db
            .read(move |c| {
                let mut preview = EnvPreview::default();
                let mut known = BTreeSet::new();
                for stored in db::env_vars::all(c, &project.id)? {
                    if stored.variable.target != target {
                        continue;
                    }
                    let key = stored.variable.key.clone();
                    known.insert(key.clone());
                    match wanted.get(&key) {
                        Some(value) => {
                            let same = !stored.variable.sensitive
                                && app.env_value(&project, &stored).as_ref() == Some(value);
                            if same { &mut preview.same } else { &mut preview.updated }.push(key);
                        }
                        None if replace => preview.deleted.push(key),
                        None => {}
                    }
                }
                preview.created = wanted.into_keys().filter(|key| !known.contains(key)).collect();
                for list in [&mut preview.updated, &mut preview.same, &mut preview.deleted] {
                    list.sort_unstable();
                }
                Ok(preview)
            })
            .await
    }
}
