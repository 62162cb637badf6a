//! What `/users/me` takes, for the API's description.
#![allow(
    dead_code,
    reason = "bodies and parameters are read one field at a time, with `Fields` and `Params`"
)]

use utoipa::{IntoParams, ToSchema};

use super::include::Includable;
use super::text_rules::{CompanyName, PersonName};
use super::user_view::UserView;

type UserInclude = Includable<UserView>;

/// Parameters of `GET /users/me`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ShowParams {
    /// Adds fields; `*` adds all.
    #[param(inline)]
    include: Option<Vec<UserInclude>>,
}

/// What to change. Fields that are left out stay as they are. Read-only fields may be sent back as they are.
#[derive(ToSchema)]
#[schema(example = json!({ "name": "Jane Doe", "company": "Acme Inc" }))]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    #[schema(required = false)]
    name: PersonName,
    /// `null` clears it.
    company: Option<CompanyName>,
}
