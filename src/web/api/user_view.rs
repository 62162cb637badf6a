//! Accounts as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::include::{Part, Selectable};
use super::schema::Scope;
use crate::model::actor::{Actor, Via};
use crate::model::ids::{KeyId, TeamId, UserId};
use crate::model::scope::Scopes;
use crate::model::timestamp::Timestamp;
use crate::model::user::{Plan, User};

/// The account behind a key.
pub type CurrentUser = Part<UserView>;

/// An account, everything of it.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    id: UserId,
    #[schema(example = "user@example.com")]
    email: String,
    #[schema(example = "John Doe")]
    name: String,
    created_at: Timestamp,
    plan: Plan,
    #[schema(example = "Acme Inc")]
    company: Option<String>,
    updated_at: Timestamp,
    avatar_url: Option<String>,
    /// Whether it administers this server.
    instance_admin: bool,
    default_team_id: TeamId,
    teams: Vec<MembershipView>,
    /// The key in use.
    key: Option<KeyInUseView>,
    suspended: bool,
}

/// A team an account belongs to.
#[derive(Serialize, ToSchema)]
#[schema(as = Membership)]
pub struct MembershipView {
    id: TeamId,
    name: String,
    #[schema(value_type = TeamRole)]
    role: &'static str,
}

/// What somebody may do in a team.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code)] // Described here, stored as text.
pub enum TeamRole {
    Viewer,
    Developer,
    Admin,
    Owner,
    Billing,
}

/// The key a request came with.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyInUse)]
pub struct KeyInUseView {
    id: KeyId,
    name: String,
    #[schema(value_type = Vec<Scope>)]
    scopes: Scopes,
    expires_at: Option<Timestamp>,
}

/// The answer to a change.
#[derive(Serialize, ToSchema)]
#[schema(as = UpdatedUser)]
#[serde(deny_unknown_fields)]
pub struct UpdatedUserView {
    id: UserId,
    #[schema(example = "user@example.com")]
    email: String,
    #[schema(example = "Jane Doe")]
    name: String,
    #[schema(example = "Acme Inc")]
    company: Option<String>,
    updated_at: Timestamp,
}

impl Selectable for UserView {
    const PART: &'static str = "CurrentUser";
    const GIVEN: &'static [&'static str] = &["id", "email", "name", "created_at", "plan"];
    const MORE: &'static [&'static str] = &[
        "company",
        "updated_at",
        "avatar_url",
        "instance_admin",
        "default_team_id",
        "teams",
        "key",
        "suspended",
    ];
}

impl UserView {
    /// The account of `actor`.
    pub fn new(user: User, team_name: String, actor: &Actor) -> Self {
        let key = match &actor.via {
            Via::ApiKey { id, name, scopes, expires_at, .. } => Some(KeyInUseView {
                id: id.clone(),
                name: name.clone(),
                scopes: scopes.clone(),
                expires_at: *expires_at,
            }),
            Via::Session | Via::Operator | Via::Hook { .. } => None,
        };
        let team = MembershipView { id: user.team_id.clone(), name: team_name, role: "owner" };
        Self {
            id: user.id,
            email: user.email,
            name: user.name,
            created_at: user.created_at,
            plan: user.plan,
            company: user.company,
            updated_at: user.updated_at,
            avatar_url: None,
            instance_admin: user.instance_admin,
            default_team_id: user.team_id,
            teams: vec![team],
            key,
            suspended: user.suspended,
        }
    }
}

impl From<User> for UpdatedUserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            name: user.name,
            company: user.company,
            updated_at: user.updated_at,
        }
    }
}
