//! Domains of projects: added, changed, removed. Whether the DNS leads them here is found out by `domain_checks`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::domain_claims::{Added, taken};
use super::journal::{self, Deed};
use super::may::{Action, Decision, Resource, may, require_scope};
use super::terms::Terms;
use super::{App, AppError, domain_rules};
use crate::crypto::random;
use crate::db::domains::{DomainFilter, Holder};
use crate::db::page::{Page, PageRequest};
use crate::db::{self, DbError};
use crate::events::Change;
use crate::model::actor::{Actor, Via};
use crate::model::audit::{self, Party};
use crate::model::domain::{Domain, DomainStatus, MOST, REDIRECT_CODE};
use crate::model::domain_name;
use crate::model::event;
use crate::model::ids::DomainId;
use crate::model::problems::Problems;

/// How long after a look nobody gets another one by asking, in milliseconds.
const LOOKED: u64 = 5_000;

/// A domain to add. A field that was sent with a wrong type is `None` and stands in the problems.
#[derive(Clone, Debug, Default)]
pub struct NewDomain {
    pub hostname: Option<String>,
    pub redirect_to: Option<String>,
    pub redirect_code: Option<i64>,
}

/// What is to be changed; what was not sent stays.
#[derive(Clone, Debug, Default)]
pub struct DomainPatch {
    pub redirect_to: Option<Option<String>>,
    pub redirect_code: Option<i64>,
    /// Fields that cannot be changed, as they were sent.
    pub read_only: BTreeMap<String, Value>,
}

impl App {
    /// Adds a domain to a project.
    ///
    /// # Errors
    /// `Invalid`, a conflict `hostname_taken`, or no such project.
    pub async fn create_domain(
        &self,
        actor: &Actor,
        project: &str,
        new: NewDomain,
        mut problems: Problems,
        terms: &Terms<Domain>,
    ) -> Result<Domain, AppError> {
        let project = self.project_for(actor, Action::DomainsWrite, project).await?;
        terms.admit(self, None).await?;
        problems.require("hostname", new.hostname.as_ref());
        let hostname = new
            .hostname
            .as_deref()
            .and_then(|text| domain_rules::hostname(text, &self.hosts, &mut problems));
        let target = new.redirect_to.as_deref();
        let target = target.and_then(|text| domain_rules::target(text, &mut problems));
        let code = domain_rules::code(new.redirect_code, &mut problems).unwrap_or(REDIRECT_CODE);
        domain_rules::no_circle(hostname.as_deref(), target.as_deref(), &mut problems);
        AppError::check(problems)?;
        let domain = Domain {
            id: DomainId::from_random(random::bytes()),
            project_id: project.id.clone(),
            team_id: project.team_id.clone(),
            hostname: hostname.unwrap_or_default(),
            status: DomainStatus::Pending,
            redirect_to: target,
            redirect_code: code,
            found: Vec::new(),
            checked_at: None,
            managed: false,
            created_at: self.clock.now(),
            verified_at: None,
            revision: 1,
            certificate: None,
            refused: None,
            contested: false,
        };
        let mut giving_way = Vec::new();
        for _ in 0..4 {
            match self.add_domain(actor, &domain, giving_way, terms).await? {
                Added::Stored(stored) => {
                    self.domain_changed(&stored);
                    return Ok(*stored);
                }
                Added::Held(holders) => giving_way = self.contest(&domain, holders).await?,
            }
        }
        Err(taken(&domain.hostname))
    }

    /// Writes a domain down, in the place of those that give way to it and have not changed since that was found out.
    async fn add_domain(
        &self,
        actor: &Actor,
        domain: &Domain,
        giving_way: Vec<Holder>,
        terms: &Terms<Domain>,
    ) -> Result<Added, AppError> {
        let (app, actor, terms, new) = (self.clone(), actor.clone(), terms.clone(), domain.clone());
        self.db
            .write(move |c| -> Result<Added, AppError> {
                if db::domains::count(c, &new.project_id)? >= MOST {
                    let mut problems = Problems::default();
                    let message = format!("A project may have {MOST} domains. Delete one first.");
                    problems.invalid("hostname", "out_of_range", message);
                    return Err(AppError::Invalid(problems));
                }
                let holders = db::domains::holders(c, &new.hostname, &new.team_id)?;
                if !holders.iter().all(|holder| giving_way.contains(holder)) {
                    return Ok(Added::Held(holders));
                }
                app.give_way(c, &holders, new.created_at)?;
                match db::domains::insert(c, &new) {
                    Err(DbError::Unique(_)) => return Err(taken(&new.hostname)),
                    other => other?,
                }
                // With the certificate that a wildcard may have.
                let stored = db::domains::find(c, app.hosts.base_domain(), new.id.as_str())?;
                let stored = stored.unwrap_or(new);
                let mut changes = audit::changes(&json!({}), &shown(&stored));
                if !holders.is_empty() {
                    changes["taken_from"] = json!({ "from": null, "to": names(&holders) });
                }
                let deed = deed("domain.created", &stored).changing(changes);
                journal::write(c, &actor, deed, stored.created_at)?;
                terms.settle(&app, c, &stored)?;
                Ok(Added::Stored(Box::new(stored)))
            })
            .await
    }

    /// A page of the domains the actor sees; with `project` (id or name) of that one.
    ///
    /// # Errors
    /// The key lacks `domains:read`, or there is no such project.
    pub async fn domains(
        &self,
        actor: &Actor,
        project: Option<&str>,
        mut filter: DomainFilter,
        page: PageRequest,
        problems: Problems,
    ) -> Result<Page<Domain>, AppError> {
        require_scope(actor, Action::DomainsRead)?;
        if let Some(project) = project {
            let project = self.project_for(actor, Action::DomainsRead, project).await?;
            filter.projects = vec![project.id];
        } else {
            filter.team = (!actor.instance_admin).then(|| actor.team_id.clone());
            if let Via::ApiKey { project_ids, .. } = &actor.via {
                filter.projects = project_ids.clone();
            }
        }
        AppError::check(problems)?;
        let base = self.hosts.base_domain().to_owned();
        self.db.read(move |c| Ok(db::domains::list(c, &base, &filter, page)?)).await
    }

    /// One domain, by id or host name.
    ///
    /// # Errors
    /// There is none that this actor sees, or the key lacks `domains:read`.
    pub async fn domain(&self, actor: &Actor, named: &str) -> Result<Domain, AppError> {
        self.domain_for(actor, Action::DomainsRead, named).await
    }

    pub(super) async fn domain_for(
        &self,
        actor: &Actor,
        action: Action,
        named: &str,
    ) -> Result<Domain, AppError> {
        require_scope(actor, action)?;
        let missing = || AppError::not_found("domain", named);
        let wanted = match DomainId::parse(named) {
            Some(id) => id.to_string(),
            None => domain_name::normal(named).map_err(|_| missing())?,
        };
        let base = self.hosts.base_domain().to_owned();
        let found = self.db.read(move |c| db::domains::find(c, &base, &wanted)).await?;
        found
            .filter(|domain| {
                let resource = Resource::Project { team: &domain.team_id, id: &domain.project_id };
                may(actor, action, resource) == Decision::Allow
            })
            .ok_or_else(missing)
    }

    /// The same of one that is not the project's own name.
    pub(super) async fn domain_to_change(
        &self,
        actor: &Actor,
        named: &str,
    ) -> Result<Domain, AppError> {
        self.domain_for(actor, Action::DomainsWrite, named).await
    }

    /// Changes where a domain's requests go on to.
    ///
    /// # Errors
    /// `Invalid`, a conflict `domain_managed`, or no such domain.
    pub async fn update_domain(
        &self,
        actor: &Actor,
        named: &str,
        patch: DomainPatch,
        problems: Problems,
        terms: &Terms<Domain>,
    ) -> Result<Domain, AppError> {
        // Somebody may change it between reading and writing it: then it is read again.
        for _ in 0..8 {
            let current = self.domain_to_change(actor, named).await?;
            terms.admit(self, Some(current.revision)).await?;
            let (mut problems, mut domain) = (problems.clone(), current.clone());
            if let Some(target) = &patch.redirect_to {
                domain.redirect_to =
                    target.as_ref().and_then(|text| domain_rules::target(text, &mut problems));
            }
            if let Some(code) = domain_rules::code(patch.redirect_code, &mut problems) {
                domain.redirect_code = code;
            }
            let target = domain.redirect_to.as_deref();
            domain_rules::no_circle(Some(&domain.hostname), target, &mut problems);
            let known = json!({
                "id": current.id, "hostname": current.hostname, "project_id": current.project_id,
                "managed": current.managed, "created_at": current.created_at,
                "verified_at": current.verified_at, "status": current.status,
            });
            for (field, sent) in &patch.read_only {
                if known.get(field) != Some(sent) {
                    problems.invalid(field, "read_only", "This field is set by Orbitra.");
                }
            }
            AppError::check(problems)?;
            let changes = audit::changes(&shown(&current), &shown(&domain));
            if changes.as_object().is_none_or(serde_json::Map::is_empty) {
                return Ok(current);
            }
            refuse_managed(&current)?;
            let (actor, now) = (actor.clone(), self.clock.now());
            let written = self
                .db
                .write(move |c| -> Result<Option<Domain>, AppError> {
                    match db::domains::redirect(c, &domain) {
                        Err(DbError::Stale) => return Ok(None),
                        other => other?,
                    }
                    let deed = deed("domain.updated", &domain).changing(changes);
                    journal::write(c, &actor, deed, now)?;
                    Ok(Some(Domain { revision: domain.revision + 1, ..domain }))
                })
                .await?;
            if let Some(domain) = written {
                self.domain_changed(&domain);
                return Ok(domain);
            }
        }
        Err(AppError::Unavailable {
            reason: "maintenance",
            message: "The domain is being changed. Try again.",
        })
    }

    /// Removes a domain and its certificate. The host name is free at once.
    ///
    /// # Errors
    /// A conflict `domain_managed`, or no such domain.
    pub async fn delete_domain(
        &self,
        actor: &Actor,
        named: &str,
        terms: &Terms<()>,
    ) -> Result<(), AppError> {
        let domain = self.domain_to_change(actor, named).await?;
        terms.admit(self, Some(domain.revision)).await?;
        refuse_managed(&domain)?;
        let (actor, terms, now, gone) =
            (actor.clone(), terms.clone(), self.clock.now(), domain.clone());
        let base = self.hosts.base_domain().to_owned();
        self.db
            .write(move |c| -> Result<(), AppError> {
                let found = db::domains::find(c, &base, gone.id.as_str())?;
                let found = found.ok_or_else(|| AppError::not_found("domain", gone.id.as_str()))?;
                terms.check(found.revision)?;
                db::domains::delete(c, &found)?;
                let changes = audit::changes(&shown(&found), &json!({}));
                let deed = deed("domain.deleted", &found).changing(changes);
                Ok(journal::write(c, &actor, deed, now)?)
            })
            .await?;
        self.domain_changed(&domain);
        self.certificates.wake();
        Ok(())
    }

    /// Has the DNS asked about a domain now.
    ///
    /// # Errors
    /// No such domain.
    pub async fn verify_domain(
        &self,
        actor: &Actor,
        named: &str,
        problems: Problems,
        terms: &Terms<Domain>,
    ) -> Result<Domain, AppError> {
        let domain = self.domain_to_change(actor, named).await?;
        terms.admit(self, Some(domain.revision)).await?;
        AppError::check(problems)?;
        let now = self.clock.now();
        // Whoever asks in a row gets one answer.
        let just_now = domain.checked_at.is_some_and(|at| now.millis_since(at) < LOOKED);
        let (app, terms, asked) = (self.clone(), terms.clone(), domain.clone());
        self.db
            .write(move |c| -> Result<(), AppError> {
                if !just_now {
                    db::domains::look_soon(c, &asked.id, now)?;
                    db::issuance::retry(c, &asked.hostname, now)?;
                }
                terms.settle(&app, c, &asked)
            })
            .await?;
        self.domains.wake();
        self.orders.wake();
        Ok(domain)
    }

    /// Tells everybody who watches, and has the DNS asked and the routes published.
    pub(super) fn domain_changed(&self, domain: &Domain) {
        self.bus.send(Change::Project(domain.team_id.clone(), domain.project_id.clone()));
        self.domains.wake();
        self.orders.wake();
        self.routes.wake();
    }
}

/// The host names that gave way; whose they were stays unsaid.
fn names(holders: &[Holder]) -> Vec<&str> {
    holders.iter().map(|holder| holder.hostname.as_str()).collect()
}

/// What of a domain can be changed, as the audit log shows it.
pub(super) fn shown(domain: &Domain) -> Value {
    json!({
        "hostname": domain.hostname, "redirect_to": domain.redirect_to, "redirect_code": domain.redirect_code,
    })
}

/// Something an actor does to a domain.
pub(super) fn deed<'a>(action: &'static str, domain: &'a Domain) -> Deed<'a> {
    Deed {
        action,
        team: &domain.team_id,
        project: Some(&domain.project_id),
        target: Party::new("domain", &domain.id, &domain.hostname),
        changes: json!({}),
        data: Some(event::domain(domain)),
    }
}

/// The project's own name stays as long as the project has it.
pub(super) fn refuse_managed(domain: &Domain) -> Result<(), AppError> {
    if !domain.managed {
        return Ok(());
    }
    Err(AppError::conflict(
        "domain_managed",
        format!("{} follows the name of its project.", domain.hostname),
    ))
}
