//! `/dashboard/system`: the disk, the certificates and the mail, for instance admins.

use axum::extract::State;

use super::respond::{self, Answer, see_other};
use super::show::moment;
use super::{PageError, Pages, Visitor, mail};
use crate::app::AppError;
use crate::app::gc::Wanted;
use crate::app::terms::Terms;
use crate::db::page::PageRequest;
use crate::model::certificate::Standing;
use crate::model::issuance::BUDGET;
use crate::model::problems::Problems;
use crate::model::retention::{Kind, Removal};
use crate::web::view::shell::{Notice, Shell};
use crate::web::view::size::size;
use crate::web::view::system::{CertificateRow, DiskUse, Gone, Removable, SystemPage};

const PAGE: &str = "/dashboard/system";
/// Entries of the ledger that the page shows.
const SHOWN: u32 = 50;

/// The page.
pub async fn show(State(pages): State<Pages>, visitor: Visitor) -> Answer {
    respond::html(&page(&pages, &visitor, visitor.shell().await?).await?)
}

pub(super) async fn page(
    pages: &Pages,
    visitor: &Visitor,
    shell: Shell,
) -> Result<SystemPage, PageError> {
    let actor = &visitor.signed_in.actor;
    let state = pages.app.system_state(actor).await?;
    let disk = state.disk.as_deref().map(|measure| DiskUse {
        measured: moment(measure.at),
        used: measure.used.total(),
        budget: measure.budget,
        free: state.free_bytes,
        floor: pages.app.config.disk_floor,
        parts: vec![
            ("Images", measure.used.images),
            ("Sites", measure.used.sites),
            ("Build cache", measure.used.build_cache),
            ("Copies of repositories", measure.used.mirrors),
            ("Logs", measure.used.logs),
            ("Uploads", measure.used.uploads),
            ("Database", measure.used.database),
        ],
    });
    let removable = pages.app.space_to_free(actor).await?.items.into_iter().map(|(item, name)| {
        let (kind, reason) = (word(item.kind), item.rule.sentence());
        Removable { name, kind, reason, bytes: item.bytes }
    });
    let request = PageRequest { page: 1, limit: SHOWN };
    let ledger = pages.app.removals(actor, request).await?;
    let certificates =
        pages.app.certificate_ledger(actor, PageRequest { page: 1, limit: 100 }).await?;
    let settings = pages.app.system_settings(actor).await?;
    Ok(SystemPage {
        shell,
        engine_trouble: state.engine_trouble,
        vulnerabilities: state.engine.map(|engine| engine.vulnerabilities).unwrap_or_default(),
        mail: mail::form(&settings, visitor),
        disk,
        removable: removable.collect(),
        older: ledger.total.saturating_sub(ledger.items.len() as u64),
        ledger: ledger.items.into_iter().map(gone).collect(),
        more_certificates: certificates.total.saturating_sub(certificates.items.len() as u64),
        certificates: certificates.items.into_iter().map(certificate).collect(),
    })
}

fn certificate(standing: Standing) -> CertificateRow {
    CertificateRow {
        hostname: standing.hostname,
        revoked: standing.held.as_ref().and_then(|held| held.ocsp.revoked_at).map(moment),
        unanswered: standing.held.as_ref().and_then(|held| held.ocsp.error.clone()),
        held: standing.held.map(|held| (held.issuer, moment(held.not_after))),
        failed: standing.tried.map(|tried| (tried.error, moment(tried.next_at))),
        signed: format!("{} of {BUDGET}", standing.counted),
    }
}

fn gone(removal: Removal) -> Gone {
    Gone {
        name: removal.name,
        kind: word(removal.item.kind),
        reason: removal.item.rule.sentence(),
        bytes: removal.item.bytes,
        at: removal.done_at.map(moment),
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Deployment => "Deployment",
        Kind::Image => "Image",
        Kind::BuildCache => "Build cache",
        Kind::Mirror => "Copy of a repository",
    }
}

/// `POST …/gc`: all that may go.
pub async fn free(State(pages): State<Pages>, visitor: Visitor) -> Answer {
    let wanted = Wanted { images: true, build_cache: true, dry_run: false };
    let (actor, none) = (&visitor.signed_in.actor, Problems::default());
    let notice = match pages.app.free_space(actor, wanted, none, &Terms::none()).await {
        Ok(freed) if !freed.complete => {
            Notice::good(format!("{} are free so far; more is being removed.", size(freed.bytes())))
        }
        Ok(freed) if freed.items.is_empty() => Notice::good("There was nothing that may go."),
        Ok(freed) => Notice::good(format!("{} are free again.", size(freed.bytes()))),
        Err(AppError::Unavailable { message, .. }) => Notice::bad(message),
        Err(other) => return Err(other.into()),
    };
    visitor.tell(notice).await?;
    Ok(see_other(PAGE))
}
