//! `/dashboard/projects/{name}/domains`: the list with the records they need, a new one, and what can be done.

use axum::extract::{Path, State};
use http::StatusCode;

use super::objection::objection;
use super::params::Params;
use super::respond::{self, Answer, see_other};
use super::show::{form_errors, moment};
use super::{PageError, Pages, Visitor};
use crate::app::AppError;
use crate::app::domain_certificates::NewCertificate;
use crate::app::domains::NewDomain;
use crate::app::terms::Terms;
use crate::db::domains::DomainFilter;
use crate::db::page::PageRequest;
use crate::model::domain::{DnsRecord, Domain, DomainStatus, MOST, RecordKind};
use crate::model::domain_name::{pasted, readable};
use crate::model::problems::Problems;
use crate::web::csrf::Fields;
use crate::web::view::domains::{AddForm, DomainRow, DomainsPage, Own, RecordRow, Standing};
use crate::web::view::form::Errors;
use crate::web::view::shell::{Notice, Shell};

/// The API's names of what the forms ask for.
const ADDED: [(&str, &str); 2] = [("hostname", "hostname"), ("redirect_to", "redirect_to")];
const UPLOADED: [(&str, &str); 2] =
    [("certificate", "certificate"), ("private_key", "private_key")];

/// The page, or with `?part=list` the list.
pub async fn show(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    match params.get("part") {
        "" => respond::html(&page(&pages, &visitor, &name, visitor.shell().await?).await?),
        "list" => {
            let page = page(&pages, &visitor, &name, visitor.bare_shell()).await?;
            respond::html(&page.as_list())
        }
        _ => Err(PageError::not_found()),
    }
}

async fn page(
    pages: &Pages,
    visitor: &Visitor,
    name: &str,
    shell: Shell,
) -> Result<DomainsPage, PageError> {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let project = app.project(actor, name).await?;
    let filter =
        DomainFilter { sort: Some(("hostname".to_owned(), false)), ..DomainFilter::default() };
    // As many as there can be, with the automatic one.
    let all = PageRequest { page: 1, limit: MOST + 1 };
    let found = app.domains(actor, Some(project.id.as_str()), filter, all, Problems::default());
    let found = found.await?.items;
    let own = found.iter().filter(|domain| !domain.managed);
    Ok(DomainsPage {
        shell,
        project: project.name,
        project_id: project.id.to_string(),
        own: own
            .map(|domain| Own { id: domain.id.to_string(), hostname: domain.hostname.clone() })
            .collect(),
        rows: found.into_iter().map(|domain| row(pages, domain)).collect(),
        add: AddForm::default(),
        errors: Errors::none(),
        chosen: String::new(),
        certificate_errors: Errors::none(),
    })
}

fn row(pages: &Pages, domain: Domain) -> DomainRow {
    let app = &pages.app;
    let required = app.required_records(&domain);
    let is_there = |record: &DnsRecord| {
        domain.found.iter().any(|found| (found.kind, &found.value) == (record.kind, &record.value))
    };
    let is_wrong = |found: &&DnsRecord| {
        found.kind != RecordKind::Cname
            && !required
                .iter()
                .any(|record| (record.kind, &record.value) == (found.kind, &found.value))
    };
    let shown = |record: &DnsRecord, there| RecordRow {
        kind: record.kind.as_str(),
        name: record.name.clone(),
        value: record.value.clone(),
        there,
    };
    let now = app.clock.now();
    DomainRow {
        id: domain.id.to_string(),
        readable: readable(&domain.hostname),
        url: (!domain.hostname.starts_with('*')).then(|| app.hosts.url_of(&domain.hostname)),
        managed: domain.managed,
        standing: match domain.status {
            DomainStatus::Active => Standing::Live,
            DomainStatus::Pending => Standing::Waiting,
            DomainStatus::Misconfigured => Standing::Wrong,
            DomainStatus::Disabled => Standing::Paused,
        },
        records: required.iter().map(|record| shown(record, is_there(record))).collect(),
        wrong: domain.found.iter().filter(is_wrong).map(|found| shown(found, true)).collect(),
        checked_at: domain.checked_at.map(moment),
        certificate: domain.certificate.as_ref().map(|certificate| {
            let expired = certificate.not_after <= now;
            (certificate.issuer.clone(), moment(certificate.not_after), expired)
        }),
        revoked: domain.certificate.as_ref().is_some_and(|certificate| certificate.revoked),
        refused: domain.refused,
        redirect_to: domain.redirect_to,
        hostname: domain.hostname,
    }
}

/// Adds a domain. Of a pasted address only the host counts.
pub async fn create(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    fields: Fields,
) -> Answer {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let (host, cut) = pasted(fields.get("hostname"));
    let (target, _) = pasted(fields.get("redirect_to"));
    let new = NewDomain {
        hostname: Some(host.to_owned()),
        redirect_to: (!target.is_empty()).then(|| target.to_owned()),
        redirect_code: None,
    };
    let made = app.create_domain(actor, &name, new, Problems::default(), &Terms::none()).await;
    let (status, errors) = match made {
        Ok(domain) => {
            let only = if cut { " Only the host name is used." } else { "" };
            let said = format!("`{}` is added.{only}", domain.hostname);
            return back(&visitor, &name, Notice::good(said)).await;
        }
        Err(error) => refused(error, &ADDED, "hostname")?,
    };
    let add = AddForm {
        hostname: fields.get("hostname").to_owned(),
        redirect_to: fields.get("redirect_to").to_owned(),
    };
    let page = page(&pages, &visitor, &name, visitor.bare_shell()).await?;
    respond::html_with(status, &DomainsPage { add, errors, ..page })
}

/// Serves a domain with a certificate that somebody brings along.
pub async fn certificate(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
    fields: Fields,
) -> Answer {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let id = fields.get("domain").to_owned();
    let domain = of_project(&pages, &visitor, &name, &id).await?;
    let new = NewCertificate {
        certificate: Some(fields.get("certificate").to_owned()),
        private_key: Some(fields.get("private_key").to_owned()),
    };
    let (none, terms) = (Problems::default(), Terms::none());
    let (status, errors) = match app.upload_certificate(actor, &id, new, none, &terms).await {
        Ok(_) => {
            let said = format!("`{}` has its certificate.", domain.hostname);
            return back(&visitor, &name, Notice::good(said)).await;
        }
        Err(error) => refused(error, &UPLOADED, "domain")?,
    };
    // What was typed is a key and not shown again.
    let page = page(&pages, &visitor, &name, visitor.bare_shell()).await?;
    respond::html_with(status, &DomainsPage { chosen: id, certificate_errors: errors, ..page })
}

/// `POST …/{id}/verify`.
pub async fn verify(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
) -> Answer {
    let domain = of_project(&pages, &visitor, &name, &id).await?;
    let actor = &visitor.signed_in.actor;
    pages.app.verify_domain(actor, &id, Problems::default(), &Terms::none()).await?;
    let said = format!("The DNS is asked about `{}`.", domain.hostname);
    back(&visitor, &name, Notice::good(said)).await
}

/// `POST …/{id}/delete`.
pub async fn delete(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path((name, id)): Path<(String, String)>,
) -> Answer {
    let domain = of_project(&pages, &visitor, &name, &id).await?;
    let notice = match pages.app.delete_domain(&visitor.signed_in.actor, &id, &Terms::none()).await
    {
        Ok(()) => Notice::good(format!("`{}` is removed.", domain.hostname)),
        Err(error) => Notice::bad(objection(error)?),
    };
    back(&visitor, &name, notice).await
}

/// A domain of the project whose page it is.
async fn of_project(
    pages: &Pages,
    visitor: &Visitor,
    name: &str,
    id: &str,
) -> Result<Domain, PageError> {
    let (app, actor) = (&pages.app, &visitor.signed_in.actor);
    let project = app.project(actor, name).await?;
    let domain = app.domain(actor, id).await?;
    if domain.project_id == project.id { Ok(domain) } else { Err(PageError::not_found()) }
}

async fn back(visitor: &Visitor, project: &str, notice: Notice) -> Answer {
    visitor.tell(notice).await?;
    Ok(see_other(&format!("/dashboard/projects/{project}/domains")))
}

/// What is wrong, beside the fields. A conflict stands beside `field`.
fn refused(
    error: AppError,
    names: &[(&'static str, &'static str)],
    field: &'static str,
) -> Result<(StatusCode, Errors), PageError> {
    match error {
        AppError::Invalid(problems) => {
            Ok((StatusCode::UNPROCESSABLE_ENTITY, form_errors(&problems, names)))
        }
        AppError::Conflict { message, .. } => {
            Ok((StatusCode::CONFLICT, Errors::one(field, message)))
        }
        other => Err(other.into()),
    }
}
