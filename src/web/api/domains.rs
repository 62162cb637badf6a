//! `/domains` and `/projects/{project}/domains`.

use axum::extract::State;

use super::Api;
use super::asked::Asked;
use super::body::JsonBody;
use super::domain_request::{CreateDomain, ListParams, UpdateDomain, UploadCertificate};
use super::domain_view::{DomainPage, DomainView, Seen};
use super::guards::Caller;
use super::page::{PageParams, Paging};
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::app::domain_certificates::NewCertificate;
use crate::app::domains::{DomainPatch, NewDomain};
use crate::app::may::Action;
use crate::db::domains::{DomainFilter, SORTS};
use crate::model::domain::{Domain, DomainStatus};

/// List domains
///
/// With those that projects have under the base domain.
#[utoipa::path(
    get,
    path = "",
    tag = "Domains",
    operation_id = "domains_list",
    params(PageParams, ListParams),
    responses((status = 200, description = "A page of them.", body = DomainPage)),
    security(("bearerAuth" = ["domains:read"])),
)]
pub async fn list(State(api): State<Api>, caller: Caller, params: Params) -> Answer {
    page(&api, &caller, None, params).await
}

/// List a project's domains
///
/// With the one it has under the base domain.
#[utoipa::path(
    get,
    path = "",
    tag = "Domains",
    operation_id = "domains_list_of_project",
    params(("project" = String, Path, description = "The id or the name of a project."), PageParams, ListParams),
    responses((status = 200, description = "A page of its domains.", body = DomainPage)),
    security(("bearerAuth" = ["domains:read"])),
)]
pub async fn of_project(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
) -> Answer {
    page(&api, &caller, Some(&project.0), params).await
}

async fn page(api: &Api, caller: &Caller, project: Option<&str>, mut params: Params) -> Answer {
    caller.may(Action::DomainsRead)?;
    let paging = Paging::read(&mut params);
    let filter = DomainFilter {
        statuses: params.words("status", &DomainStatus::ALL, |status| status.as_str()),
        query: params.text("q").filter(|query| !query.is_empty()),
        sort: params.sort(&SORTS),
        ..DomainFilter::default()
    };
    let problems = params.finish();
    let found = api.app.domains(&caller.0, project, filter, paging.request, problems).await?;
    let seen = Seen::by(&api.app);
    let items = found.items.into_iter().map(|domain| seen.view(domain)).collect();
    paging.answer(api, found.total, items)
}

/// Add a domain
///
/// One host name has one owner. It is served once the DNS leads it here, which is looked at every 20 seconds in the
/// first hour. Names in other alphabets are answered as the DNS has them.
#[utoipa::path(
    post,
    path = "",
    tag = "Domains",
    operation_id = "domains_create",
    params(("project" = String, Path, description = "The id or the name of a project.")),
    request_body = CreateDomain,
    responses(
        (status = 201, description = "The domain, with the records it needs.", body = DomainView),
        (status = 409, description = "`hostname_taken`: it is in use on this server."),
    ),
    security(("bearerAuth" = ["domains:write"])),
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::DomainsWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let new = NewDomain {
        hostname: fields.required_text("hostname"),
        redirect_to: fields.nullable_text("redirect_to").flatten(),
        redirect_code: fields.integer("redirect_code"),
    };
    let seen = Seen::by(&api.app);
    let answer = move |made: &Domain| {
        respond::created(&format!("/domains/{}", made.id), &seen.view(made.clone()))
    };
    let terms = fields.once(&caller, answer.clone());
    let made = api.app.create_domain(&caller.0, &project.0, new, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&made)))
}

/// Get a domain
#[utoipa::path(
    get,
    path = "",
    tag = "Domains",
    operation_id = "domains_get",
    params(("id" = String, Path, description = "The id or the host name of a domain.")),
    responses((status = 200, description = "The domain.", body = DomainView)),
    security(("bearerAuth" = ["domains:read"])),
)]
pub async fn show(State(api): State<Api>, caller: Caller, id: Named, params: Params) -> Answer {
    caller.may(Action::DomainsRead)?;
    let domain = api.app.domain(&caller.0, &id.0).await?;
    AppError::check(params.finish())?;
    respond::revised(domain.revision, &Seen::by(&api.app).view(domain))
}

/// Change a domain
#[utoipa::path(
    patch,
    path = "",
    tag = "Domains",
    operation_id = "domains_update",
    params(("id" = String, Path, description = "The id or the host name of a domain.")),
    request_body = UpdateDomain,
    responses(
        (status = 200, description = "The domain.", body = DomainView),
        (status = 409, description = "`domain_managed`: it follows the name of its project."),
        (status = 412, description = "It changed since the revision in `If-Match`."),
    ),
    security(("bearerAuth" = ["domains:write"])),
)]
pub async fn update(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::DomainsWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let read_only =
        ["id", "hostname", "project_id", "managed", "created_at", "verified_at", "status"];
    let patch = DomainPatch {
        redirect_to: fields.nullable_text("redirect_to"),
        redirect_code: fields.integer("redirect_code"),
        read_only: fields.read_only(&read_only),
    };
    let terms = fields.terms();
    let domain = api.app.update_domain(&caller.0, &id.0, patch, fields.finish(), &terms).await?;
    respond::revised(domain.revision, &Seen::by(&api.app).view(domain))
}

/// Delete a domain
///
/// Its certificate goes with it, and the host name is free at once.
#[utoipa::path(
    delete,
    path = "",
    tag = "Domains",
    operation_id = "domains_delete",
    params(("id" = String, Path, description = "The id or the host name of a domain.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 409, description = "`domain_managed`: it follows the name of its project."),
        (status = 412, description = "It changed since the revision in `If-Match`."),
    ),
    security(("bearerAuth" = ["domains:write"])),
)]
pub async fn delete(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    asked: Asked,
    params: Params,
) -> Answer {
    caller.may(Action::DomainsWrite)?;
    AppError::check(params.finish())?;
    api.app.delete_domain(&caller.0, &id.0, &asked.terms()).await?;
    Ok(respond::nothing())
}

/// Look at a domain's records
///
/// The DNS is asked now; what it says shows in `dns` and `status` some seconds later.
#[utoipa::path(
    post,
    path = "",
    tag = "Domains",
    operation_id = "domains_verify",
    params(("id" = String, Path, description = "The id or the host name of a domain.")),
    responses((status = 202, description = "The domain as it is before.", body = DomainView)),
    security(("bearerAuth" = ["domains:write"])),
)]
pub async fn verify(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::DomainsWrite)?;
    let mut fields = body.optional_fields().await?;
    fields.problems = params.finish();
    let seen = Seen::by(&api.app);
    let answer = move |domain: &Domain| {
        respond::accepted(&format!("/domains/{}", domain.id), &seen.view(domain.clone()))
    };
    let terms = fields.once(&caller, answer.clone());
    let domain = api.app.verify_domain(&caller.0, &id.0, fields.finish(), &terms).await?;
    Ok(respond::settled(&answer(&domain)))
}

/// Upload a certificate
///
/// The domain is served with it from now on, in the place of any other. The key is kept sealed and never answered.
#[utoipa::path(
    put,
    path = "",
    tag = "Domains",
    operation_id = "domains_set_certificate",
    params(("id" = String, Path, description = "The id or the host name of a domain.")),
    request_body = UploadCertificate,
    responses(
        (status = 200, description = "The domain.", body = DomainView),
        (status = 409, description = "`domain_managed`: it follows the name of its project."),
        (status = 412, description = "It changed since the revision in `If-Match`."),
    ),
    security(("bearerAuth" = ["domains:write"])),
)]
pub async fn set_certificate(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    params: Params,
    body: JsonBody,
) -> Answer {
    caller.may(Action::DomainsWrite)?;
    let mut fields = body.fields().await?;
    fields.problems = params.finish();
    let new = NewCertificate {
        certificate: fields.required_text("certificate"),
        private_key: fields.required_text("private_key"),
    };
    let terms = fields.terms();
    let problems = fields.finish();
    let domain = api.app.upload_certificate(&caller.0, &id.0, new, problems, &terms).await?;
    respond::revised(domain.revision, &Seen::by(&api.app).view(domain))
}

/// Delete an uploaded certificate
#[utoipa::path(
    delete,
    path = "",
    tag = "Domains",
    operation_id = "domains_delete_certificate",
    params(("id" = String, Path, description = "The id or the host name of a domain.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 412, description = "The domain changed since the revision in `If-Match`."),
    ),
    security(("bearerAuth" = ["domains:write"])),
)]
pub async fn delete_certificate(
    State(api): State<Api>,
    caller: Caller,
    id: Named,
    asked: Asked,
    params: Params,
) -> Answer {
    caller.may(Action::DomainsWrite)?;
    AppError::check(params.finish())?;
    api.app.delete_certificate(&caller.0, &id.0, &asked.terms()).await?;
    Ok(respond::nothing())
}
