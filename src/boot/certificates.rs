//! Certificates that come by themselves, and the domains they are for.

use std::time::Duration;

use super::BootError;
use crate::app::App;
use crate::config::AcmeChallenge;
use crate::egress::lookup::Lookup;
use crate::egress::{Client, Policy};
use crate::task::Tasks;
use crate::tls::authority::{Authority, Way};
use crate::tls::dns::Records;
use crate::tls::issuance::{Issuance, Parts};
use crate::tls::stapling::{self, Stapling};
use crate::tls::store::Certificates;

/// Who signs, when somebody is to.
fn authority(
    app: &App,
    certificates: &Certificates,
    lookup: &Lookup,
) -> Result<Option<Authority>, BootError> {
    let acme = &app.config.acme;
    let Some(contact) = acme.email.clone().filter(|_| app.config.listen_tls.is_some()) else {
        return Ok(None);
    };
    let records = match &acme.dns {
        Some(settings) => {
            // The operator has named it, wherever it is.
            let server = settings.server.as_deref().unwrap_or_default();
            let (scheme, rest) = server.split_once("://").unwrap_or(("https", server));
            let host = rest.split(['/', ':']).next().filter(|host| !host.is_empty());
            let allowed: Vec<_> = host.into_iter().collect();
            let client = Client::new(Policy::parse(&allowed, scheme == "http")?)?;
            let ask_ours = !app.config.dns_servers.is_empty();
            let (db, clock) = (app.db.clone(), app.clock.clone());
            Some(Records::new(db, settings, client, lookup.clone(), ask_ours, clock)?)
        }
        None => None,
    };
    Ok(Some(Authority {
        directory: acme.directory.clone(),
        contact,
        root: acme.ca.clone(),
        challenges: certificates.challenges().clone(),
        records,
        caa: acme.caa.clone(),
    }))
}

/// Who orders certificates, and has them revoked.
///
/// # Errors
/// A setting cannot be used.
fn issuance(
    app: &App,
    certificates: &Certificates,
    lookup: &Lookup,
) -> Result<Issuance, BootError> {
    let config = &app.config;
    Ok(Issuance::new(Parts {
        db: app.db.clone(),
        clock: app.clock.clone(),
        secrets: app.secrets.clone(),
        bus: app.bus.clone(),
        hosts: config.hosts.clone(),
        lookup: lookup.clone(),
        addresses: config.public_addresses.clone(),
        authority: authority(app, certificates, lookup)?,
        way: config.acme.challenge.map(|way| match way {
            AcmeChallenge::Http => Way::Http,
            AcmeChallenge::Tls => Way::Tls,
        }),
        served: certificates.clone(),
        certificates: app.certificates.clone(),
    }))
}

/// Has an authority revoke the certificate of a host name.
///
/// # Errors
/// There is none, a setting cannot be used, or the authority refuses.
pub async fn revoke_certificate(app: &App, host: &str) -> Result<(), BootError> {
    let lookup = Lookup::new(&app.config.dns_servers)?;
    let issuance = issuance(app, &Certificates::new()?, &lookup)?;
    Ok(issuance.revoke(host).await?)
}

/// Orders certificates, and tells of those that run out.
fn order_certificates(
    app: &App,
    certificates: &Certificates,
    lookup: &Lookup,
    tasks: &Tasks,
) -> Result<(), BootError> {
    certificates.tell_of_missing(app.orders.clone());
    let issuance = issuance(app, certificates, lookup)?;
    let orders = app.orders.clone();
    tasks.periodic(app.orders.clone(), Duration::from_secs(60), move || {
        let (issuance, orders) = (issuance.clone(), orders.clone());
        async move {
            match issuance.round().await {
                Ok(true) => orders.wake(),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "certificates could not be ordered"),
            }
        }
    });
    Ok(())
}

/// Has answers about certificates from the responders that they name.
fn ask_responders(app: &App, tasks: &Tasks) -> Result<(), BootError> {
    if app.config.listen_tls.is_none() {
        return Ok(());
    }
    let stapling = Stapling::new(stapling::Parts {
        db: app.db.clone(),
        clock: app.clock.clone(),
        bus: app.bus.clone(),
        base: app.hosts.base_domain().to_owned(),
        client: Client::new(app.egress.clone())?.for_signed_answers(),
        certificates: app.certificates.clone(),
    });
    let signal = app.stapling.clone();
    tasks.periodic(app.stapling.clone(), Duration::from_secs(60), move || {
        let (stapling, signal) = (stapling.clone(), signal.clone());
        async move {
            match stapling.round().await {
                Ok(true) => signal.wake(),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "OCSP answers could not be kept"),
            }
        }
    });
    Ok(())
}

/// Asks the DNS about domains whose time has come.
pub(super) fn look_at_domains(
    app: &App,
    certificates: &Certificates,
    tasks: &Tasks,
) -> Result<(), BootError> {
    let lookup = Lookup::new(&app.config.dns_servers)?;
    order_certificates(app, certificates, &lookup, tasks)?;
    ask_responders(app, tasks)?;
    let app = app.clone();
    tasks.periodic(app.domains.clone(), Duration::from_secs(5), move || {
        let (app, lookup) = (app.clone(), lookup.clone());
        async move {
            match app.check_domains(&lookup).await {
                Ok(true) => app.domains.wake(),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "domains could not be looked at"),
            }
        }
    });
    Ok(())
}
