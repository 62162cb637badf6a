//! Accounts as the API shows them.

use super::object::Object;
use crate::model::actor::{Actor, Via};
use crate::model::user::User;

/// Keys of `GET /users/me`.
pub const GIVEN: [&str; 5] = ["id", "email", "name", "created_at", "plan"];

/// What `include` may add.
pub const MORE: [&str; 8] = [
    "company",
    "updated_at",
    "avatar_url",
    "instance_admin",
    "default_team_id",
    "teams",
    "key",
    "suspended",
];

/// Everything, the given keys first.
pub fn full(user: &User, team_name: &str, actor: &Actor) -> Object {
    let team =
        Object::new().with("id", &user.team_id).with("name", team_name).with("role", "owner");
    let object = Object::new()
        .with("id", &user.id)
        .with("email", &user.email)
        .with("name", &user.name)
        .with("created_at", &user.created_at)
        .with("plan", &user.plan)
        .with("company", &user.company)
        .with("updated_at", &user.updated_at)
        .with("avatar_url", &None::<String>)
        .with("instance_admin", &user.instance_admin)
        .with("default_team_id", &user.team_id)
        .objects("teams", &[team]);
    let object = match &actor.via {
        Via::ApiKey { id, name, scopes, expires_at, .. } => {
            let key = Object::new()
                .with("id", id)
                .with("name", name)
                .with("scopes", scopes)
                .with("expires_at", expires_at);
            object.object("key", key)
        }
        Via::Session => object.with("key", &None::<String>),
    };
    object.with("suspended", &user.suspended)
}

/// The answer to a change.
pub fn updated(user: &User) -> Object {
    Object::new()
        .with("id", &user.id)
        .with("email", &user.email)
        .with("name", &user.name)
        .with("company", &user.company)
        .with("updated_at", &user.updated_at)
}
