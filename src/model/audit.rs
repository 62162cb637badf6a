//! Entries of the audit log: who did what to what, from where, and what changed.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::actor::Origin;
use super::ids::{AuditId, ProjectId, TeamId, UserId};
use super::timestamp::Timestamp;

/// Who did it, or to what it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Party {
    /// `user`, `api_key`, `project`, `deployment`, …
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
    pub name: Option<String>,
}

impl Party {
    /// A party with a name.
    pub fn new(kind: &str, id: impl ToString, name: &str) -> Self {
        Self { kind: kind.to_owned(), id: id.to_string(), name: Some(name.to_owned()) }
    }

    /// A party that has none.
    pub fn unnamed(kind: &str, id: impl ToString) -> Self {
        Self { kind: kind.to_owned(), id: id.to_string(), name: None }
    }
}

/// Something that was done, or refused.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    pub id: AuditId,
    /// `project.updated`, `env.revealed`, `request.refused`, …
    pub action: String,
    pub actor: Party,
    /// The account behind the actor.
    pub user_id: UserId,
    pub target: Party,
    pub team_id: TeamId,
    pub project_id: Option<ProjectId>,
    pub origin: Origin,
    /// `{"field":{"from":…,"to":…}}`; never a secret.
    pub changes: Value,
    pub created_at: Timestamp,
}

/// What differs between two objects, field by field; fields of objects within are joined by dots.
pub fn changes(before: &Value, after: &Value) -> Value {
    let mut found = Map::new();
    compare("", before, after, &mut found);
    Value::Object(found)
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Map<String, Value>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let side =
                    |object: &Map<String, Value>| object.get(key).cloned().unwrap_or_default();
                compare(&inner, &side(old), &side(new), found);
            }
        }
        _ => {
            found.insert(path.to_owned(), json!({ "from": before, "to": after }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let before = json!({ "name": "a", "build": { "builder": "auto", "port": null }, "n": 1 });
        let after = json!({ "name": "b", "build": { "builder": "auto", "port": 3000 }, "n": 1 });
        assert_eq!(
            changes(&before, &after),
            json!({ "name": { "from": "a", "to": "b" }, "build.port": { "from": null, "to": 3000 } })
        );
        assert_eq!(changes(&before, &before), json!({}));
    }
}
