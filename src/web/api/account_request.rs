//! What `/users` takes, for the API's description.
#![allow(
    dead_code,
    reason = "bodies and parameters are read one field at a time, with `Fields` and `Params`"
)]

use utoipa::{IntoParams, ToSchema};

use super::schema::{self, described};
use crate::db::users::SORTS;
use crate::model::user::Plan;

/// What accounts are sorted by, in place of its name as text.
struct AccountSort;

described! {
    AccountSort => "AccountSort", schema::sort(&SORTS);
}

/// Parameters of `GET /users`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only accounts with one of these.
    #[param(inline)]
    plan: Option<Vec<Plan>>,
    /// Only those that are suspended, or only those that are not.
    suspended: Option<bool>,
    /// Part of the name or of the e-mail address, in any case.
    q: Option<String>,
    /// A field, with `-` before it from the greatest down. Newest first when it is left out.
    #[param(inline)]
    sort: Option<AccountSort>,
}

/// An account to make.
#[derive(ToSchema)]
#[schema(example = json!({ "email": "user@example.com", "name": "John Doe", "plan": "professional" }))]
#[serde(deny_unknown_fields)]
pub struct CreateAccount {
    /// Unique on this server, in any case.
    #[schema(max_length = 254)]
    email: String,
    /// 1 to 100 characters after trimming, no control characters.
    #[schema(min_length = 1)]
    name: String,
    /// `free` when it is left out.
    #[schema(required = false)]
    plan: Plan,
    /// Only with a key that has the scope `system:write`.
    #[schema(required = false, default = false)]
    instance_admin: bool,
}

/// What to change. Fields that are left out stay as they are. Read-only fields may be sent back as they are.
#[derive(ToSchema)]
#[schema(example = json!({ "plan": "enterprise", "suspended": false }))]
#[serde(deny_unknown_fields)]
pub struct UpdateAccount {
    /// 1 to 100 characters after trimming, no control characters.
    #[schema(min_length = 1, required = false)]
    name: String,
    #[schema(required = false)]
    plan: Plan,
    /// Only with a key that has the scope `system:write` can it be given.
    #[schema(required = false)]
    instance_admin: bool,
    /// Ends every session at once.
    #[schema(required = false)]
    suspended: bool,
}
