//! Accounts as instance admins see them.

use serde::Serialize;
use utoipa::ToSchema;

use super::page::Page;
use crate::app::accounts::Invited;
use crate::model::ids::{TeamId, UserId};
use crate::model::timestamp::Timestamp;
use crate::model::user::{Plan, User};

/// A page of accounts.
pub type AccountPage = Page<AccountView>;

/// An account of this server.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountView {
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
    /// Whether it administers this server.
    instance_admin: bool,
    default_team_id: TeamId,
    /// Whether it is kept out: its keys are refused and nobody can sign in.
    suspended: bool,
}

/// A new account: the only answer its link is in.
#[derive(Serialize, ToSchema)]
#[schema(as = NewAccount)]
pub struct NewAccountView {
    #[serde(flatten)]
    account: AccountView,
    /// Where the owner of the account chooses a password. It works once, for seven days.
    #[schema(format = "uri")]
    setup_url: String,
}

impl From<User> for AccountView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            name: user.name,
            created_at: user.created_at,
            plan: user.plan,
            company: user.company,
            updated_at: user.updated_at,
            instance_admin: user.instance_admin,
            default_team_id: user.team_id,
            suspended: user.suspended,
        }
    }
}

impl From<Invited> for NewAccountView {
    fn from((user, setup_url): Invited) -> Self {
        Self { account: user.into(), setup_url }
    }
}
