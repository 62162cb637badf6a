//! What `/projects/{project}/env` takes, for the API's description.
#![allow(
    dead_code,
    reason = "bodies and parameters are read one field at a time, with `Fields` and `Params`"
)]

use std::collections::BTreeMap;

use utoipa::openapi::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::schema::{self, described};
use crate::db::env_vars::SORTS;
use crate::model::project_env::EnvTarget;

/// What variables are sorted by, in place of its name as text.
struct EnvSort;
/// One target in a parameter, `all` when it is left out.
struct OneTarget;

described! {
    EnvSort => "EnvSort", schema::sort(&SORTS);
    OneTarget => "OneTarget", schema::words(EnvTarget::ALL).default(Some("all".into()));
}

/// Parameters of `GET /projects/{project}/env`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only variables for one of these.
    #[param(inline)]
    target: Option<Vec<EnvTarget>>,
    /// Part of the name, in any case.
    q: Option<String>,
    /// Shows values that are not sensitive. Needs the scope `env:reveal`, and is written into the audit log.
    #[param(default = false)]
    reveal: Option<bool>,
    /// A field, with `-` before it from the greatest down. Newest first when it is left out.
    #[param(inline)]
    sort: Option<EnvSort>,
}

/// Parameters of `GET /projects/{project}/env/{key}`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ShowParams {
    /// Which deployments it is for.
    #[param(inline)]
    target: Option<OneTarget>,
    /// Shows the value unless it is sensitive. Needs the scope `env:reveal`, and is written into the audit log.
    #[param(default = false)]
    reveal: Option<bool>,
}

/// Which variable is changed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TargetParams {
    /// Which deployments it is for.
    #[param(inline)]
    target: Option<OneTarget>,
}

/// Whether variables that are not named stay.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReplaceParams {
    /// Removes the variables of the target that are not named.
    #[param(default = false)]
    replace: Option<bool>,
}

/// What else happens.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RedeployParams {
    /// Deploys the live commit again, or else the last one, with the change. Needs the scope `deployments:write`. Without a
    /// deployment to repeat nothing is started, and the answer has no `X-Orbitra-Deployment`.
    #[param(default = false)]
    redeploy: Option<bool>,
}

/// A variable to make.
#[derive(ToSchema)]
#[schema(example = json!({ "key": "DATABASE_URL", "value": "postgres://…", "target": "all", "sensitive": true }))]
#[serde(deny_unknown_fields)]
pub struct CreateEnvVariable {
    /// Not one that starts with `ORBITRA_`.
    #[schema(pattern = "^(?!ORBITRA_)[A-Za-z_][A-Za-z0-9_]{0,127}$")]
    key: String,
    /// At most 32 KiB, without NUL.
    #[schema(max_length = 32768)]
    value: String,
    /// `all` when it is left out.
    target: Option<EnvTarget>,
    /// Whether its value is never shown again.
    #[schema(required = false, default = false)]
    sensitive: bool,
}

/// Variables to set and, with `null`, to remove.
#[derive(ToSchema)]
#[schema(example = json!({ "variables": { "A": "1", "B": null }, "target": "all" }))]
#[serde(deny_unknown_fields)]
pub struct SetEnvVariables {
    #[schema(schema_with = variables)]
    variables: BTreeMap<String, Option<String>>,
    /// `all` when it is left out.
    target: Option<EnvTarget>,
}

fn variables() -> ObjectBuilder {
    let value = ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]))
        .max_length(Some(32 * 1024));
    let name = schema::text().pattern(Some("^(?!ORBITRA_)[A-Za-z_][A-Za-z0-9_]{0,127}$"));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(name))
        .additional_properties(Some(value))
}

/// A value for a variable.
#[derive(ToSchema)]
#[schema(example = json!({ "value": "postgres://…", "sensitive": true }))]
#[serde(deny_unknown_fields)]
pub struct SetEnvVariable {
    /// At most 32 KiB, without NUL.
    #[schema(max_length = 32768)]
    value: String,
    /// Whether its value is never shown again. It stays as it is when it is left out, and cannot be turned off.
    #[schema(required = false)]
    sensitive: bool,
}
