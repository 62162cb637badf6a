//! What a change makes of the variables of a project, in one transaction.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::journal::{self, Deed};
use super::{App, AppError};
use crate::db::env_vars::{self, StoredVar};
use crate::db::{self, Connection};
use crate::model::actor::Actor;
use crate::model::env_var::{MAX_COUNT, MAX_TOTAL};
use crate::model::event;
use crate::model::problems::Problems;
use crate::model::project::Project;
use crate::model::project_env::{EnvSource, EnvTarget, EnvVar};

/// One variable to set or, without a value, to remove.
#[derive(Clone)]
pub(super) struct Edit {
    pub key: String,
    pub value: Option<String>,
    /// As it is, or not sensitive, when `None`.
    pub sensitive: Option<bool>,
}

/// What may be there before a change, and what becomes of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// It is new.
    Create,
    /// It may be there.
    Set,
    /// It is there.
    Remove,
    /// The others of the target stay.
    Merge,
    /// The others of the target are removed.
    Replace,
}

impl Rule {
    /// The field of the request a problem of this variable belongs to.
    pub fn field(self, key: &str, single: &str) -> String {
        match self {
            Self::Merge | Self::Replace => format!("variables.{key}"),
            _ => single.to_owned(),
        }
    }
}

/// Names of what changed. What already was as wanted is not among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    pub created: Vec<String>,
    pub updated: Vec<String>,
    pub deleted: Vec<String>,
}

impl App {
    /// Changes the variables of a target, counts the change and writes it down.
    ///
    /// # Errors
    /// `Invalid` over the limits or when a sensitive one is to be shown, a conflict `key_exists`, or no such variable.
    pub(super) fn change_env(
        &self,
        connection: &Connection,
        actor: &Actor,
        project: &Project,
        target: EnvTarget,
        edits: &[Edit],
        rule: Rule,
    ) -> Result<Touched, AppError> {
        let all = env_vars::all(connection, &project.id)?;
        let before: BTreeMap<_, _> = all
            .iter()
            .filter(|stored| stored.variable.target == target)
            .map(|stored| (stored.variable.key.as_str(), stored))
            .collect();
        let (mut touched, mut problems) = (Touched::default(), Problems::default());
        let mut set = Vec::new();
        for edit in edits {
            match (before.get(edit.key.as_str()), &edit.value) {
                (None, None) if rule == Rule::Remove => {
                    return Err(AppError::not_found("env_variable", &edit.key));
                }
                (None, None) => {}
                (Some(_), None) => touched.deleted.push(edit.key.clone()),
                (Some(_), Some(_)) if rule == Rule::Create => return Err(exists(edit, target)),
                (Some(old), Some(_)) if old.variable.sensitive && edit.sensitive == Some(false) => {
                    let message =
                        "A sensitive variable stays sensitive. Delete it and make it again.";
                    problems.invalid(&rule.field(&edit.key, "sensitive"), "immutable", message);
                }
                (Some(old), Some(value)) => {
                    let sensitive = edit.sensitive.unwrap_or(old.variable.sensitive);
                    let same = self.env_value(project, old).as_deref() == Some(value.as_str());
                    if !same || sensitive != old.variable.sensitive {
                        touched.updated.push(edit.key.clone());
                        set.push((edit, value, sensitive, Some(*old)));
                    }
                }
                (None, Some(value)) => {
                    touched.created.push(edit.key.clone());
                    set.push((edit, value, edit.sensitive.unwrap_or(false), None));
                }
            }
        }
        AppError::check(problems)?;
        if rule == Rule::Replace {
            let kept = |key: &str| edits.iter().any(|edit| edit.key == key);
            let gone = before.keys().filter(|key| !kept(key));
            touched.deleted.extend(gone.map(|key| (*key).to_owned()));
        }
        let new: BTreeMap<_, _> =
            set.iter().map(|(edit, value, ..)| (edit.key.as_str(), value.as_str())).collect();
        if !new.is_empty() {
            self.check_env_limits(project, target, &all, &touched, &new)?;
        }
        if touched.keys().is_empty() {
            return Ok(touched);
        }
        let revision = env_vars::count_change(connection, &project.id, target)?;
        for key in &touched.deleted {
            env_vars::remove(connection, &project.id, target, key)?;
        }
        let now = self.clock.now();
        for (edit, value, sensitive, old) in set {
            let identity = env_vars::identity(&project.id, target, &edit.key);
            let variable = EnvVar {
                key: edit.key.clone(),
                target,
                sensitive,
                source: EnvSource::User,
                created_at: old.map_or(now, |old| old.variable.created_at),
                updated_at: now,
                updated_by: actor.user_id.clone(),
                revision,
            };
            let sealed = self.secrets.seal(&identity, value.as_bytes());
            env_vars::set(connection, &project.id, &StoredVar { variable, sealed })?;
        }
        let data = event::env_updated(project, target.as_str(), &touched.keys());
        let deed = Deed::to_project("env.updated", project, data);
        journal::write(connection, actor, deed.changing(touched.changes(target)), now)?;
        Ok(touched)
    }

    /// Checks how many variables there would be, of all targets, and how large.
    fn check_env_limits(
        &self,
        project: &Project,
        target: EnvTarget,
        all: &[StoredVar],
        touched: &Touched,
        new: &BTreeMap<&str, &str>,
    ) -> Result<(), AppError> {
        let stays = |stored: &&StoredVar| {
            let variable = &stored.variable;
            variable.target != target
                || !(new.contains_key(variable.key.as_str())
                    || touched.deleted.contains(&variable.key))
        };
        let (mut count, mut bytes) = (new.len(), 0);
        for stored in all.iter().filter(stays) {
            let value = self.env_value(project, stored);
            count += 1;
            bytes +=
                stored.variable.key.len() + value.map_or(stored.sealed.len(), |value| value.len());
        }
        bytes += new.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let mut problems = Problems::default();
        if count > MAX_COUNT {
            let message = "A project may have 500 variables, those of all targets together.";
            problems.invalid("variables", "out_of_range", message);
        }
        if bytes > MAX_TOTAL {
            let message =
                "The variables of a project may have 256 KiB, those of all targets together.";
            problems.invalid("variables", "too_long", message);
        }
        AppError::check(problems)
    }

    /// The value of a variable; `None` when it does not open.
    pub(super) fn env_value(&self, project: &Project, stored: &StoredVar) -> Option<String> {
        let variable = &stored.variable;
        let identity = db::env_vars::identity(&project.id, variable.target, &variable.key);
        String::from_utf8(self.secrets.open(&identity, &stored.sealed).ok()?).ok()
    }
}

impl Touched {
    /// Names of everything that changed, in their order.
    pub fn keys(&self) -> Vec<&str> {
        let all = self.created.iter().chain(&self.updated).chain(&self.deleted);
        let mut keys: Vec<_> = all.map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }

    /// The same for the audit log. A value is `***` wherever there is one.
    fn changes(&self, target: EnvTarget) -> Value {
        let kinds = [
            (&self.created, Value::Null, json!("***")),
            (&self.updated, json!("***"), json!("***")),
            (&self.deleted, json!("***"), Value::Null),
        ];
        let mut changes = Map::new();
        for (keys, from, to) in kinds {
            for key in keys {
                let name = format!("{}.{key}", target.as_str());
                changes.insert(name, json!({ "from": from, "to": to }));
            }
        }
        changes.into()
    }
}

fn exists(edit: &Edit, target: EnvTarget) -> AppError {
    AppError::Conflict {
        reason: "key_exists",
        message: format!("The variable `{}` exists for this target.", edit.key),
        details: json!({ "key": edit.key, "target": target.as_str() }),
    }
}
