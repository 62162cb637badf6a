//! A webhook's page: the deliveries it shows, and what to do about those that failed.

use orbitra::db::{self, Connection, DbError};
use orbitra::model::delivery::{Attempt, AttemptError, DeliveryStatus};
use orbitra::model::event::{self, Event};
use orbitra::model::ids::{EventId, WebhookId};
use orbitra::model::webhook::Format;

use super::browser::{Browser, Page};
use super::site::{START, Site};

/// A webhook that is told of new projects; answers the address of its page.
async fn webhook(ada: &mut Browser) -> String {
    let list = "/dashboard/team/webhooks";
    let fields = [
        ("format", "orbitra"),
        ("url", "https://hooks.acme.test/orbitra"),
        ("event", "project.created"),
    ];
    let made = ada.submit(list, list, &fields).await;
    assert_eq!(made.status, 303, "{}", made.text("main"));
    made.location().split('?').next().unwrap().to_owned()
}

/// A delivery that failed, with what came of its only attempt. Answers its id.
async fn failed(
    site: &Site,
    id: &WebhookId,
    number: u16,
    (response_status, error): (Option<u16>, Option<AttemptError>),
) -> String {
    let id = id.clone();
    site.app
        .db
        .write(move |c: &Connection| -> Result<_, DbError> {
            let webhook = db::webhooks::find(c, &id)?.unwrap().webhook;
            let mut random = [0; 10];
            random[..2].copy_from_slice(&number.to_be_bytes());
            let event = Event {
                id: EventId::from_random(random),
                event: "webhook.ping".into(),
                team_id: webhook.team_id,
                project_id: None,
                data: event::webhook_ping(&id),
                created_at: START,
            };
            let mut delivery = db::webhook_deliveries::new(id, &event, random, START);
            delivery.status = DeliveryStatus::Failed;
            (delivery.next_at, delivery.completed_at) = (None, Some(START));
            db::webhook_deliveries::tell(c, &delivery, &event, Format::Orbitra)?;
            let attempt = Attempt {
                number: 1,
                started_at: START,
                duration_ms: 120,
                signature: "t=1795435200,v1=00".to_owned(),
                response_status,
                response_headers: Vec::new(),
                response_body: Vec::new(),
                error,
            };
            db::webhook_attempts::insert(c, &delivery.id, &attempt)?;
            Ok(delivery.id.to_string())
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn older_deliveries_are_behind_a_link_and_states_choose_among_them() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let path = webhook(&mut ada).await;
    assert!(ada.get(&path).await.text("#deliveries").contains("Nothing was sent yet."));
    for number in 0..53 {
        ada.project(&format!("project-{number}")).await;
    }
    let newest = ada.get(&path).await;
    let shown = |page: &Page| page.attributes("#deliveries tbody .subject", "id");
    assert_eq!(shown(&newest).len(), 50);
    assert_eq!(newest.text("#older"), "3 older");
    let older = ada.get(&newest.attribute("#older", "href")).await;
    assert_eq!(shown(&older).len(), 3);
    assert_eq!(older.text("#older"), "", "there are no older ones");
    // None of them stands on both, and the region goes on showing these.
    assert!(shown(&older).iter().all(|id| !shown(&newest).contains(id)));
    let part = ada.get(&older.attribute("#deliveries", "data-src")).await;
    assert_eq!(shown(&part), shown(&older));
    assert_eq!(older.attribute("#newest", "href"), path);
    // A delivery that came since moves nobody from one page to the other.
    ada.project("one-more").await;
    let again = ada.get(&newest.attribute("#older", "href")).await;
    assert_eq!(shown(&again), shown(&older));

    // Nor is it put under the pointer: it is counted, and the page shows it when it is asked for.
    let part = ada.get(&newest.attribute("#deliveries", "data-src")).await;
    assert_eq!(shown(&part), shown(&newest));
    assert_eq!(
        (part.text("#unseen").as_str(), newest.text("#unseen").as_str()),
        ("1 new. Show", "")
    );
    assert_eq!(part.text("#older"), "3 older");
    assert_eq!(
        part.attribute("#deliveries", "data-src"),
        newest.attribute("#deliveries", "data-src")
    );
    let fresh = ada.get(&part.attribute("#unseen", "href")).await;
    assert_eq!(shown(&fresh)[1..], shown(&newest)[..49]);
    assert_eq!(fresh.text("#unseen"), "");

    let waiting = ada.get(&newest.attribute("#state-waiting", "href")).await;
    assert_eq!(shown(&waiting).len(), 50);
    assert_eq!(waiting.attribute("#state-waiting", "aria-current"), "page");
    let rest = ada.get(&waiting.attribute("#older", "href")).await;
    assert_eq!(shown(&rest).len(), 4);
    assert_eq!(rest.attribute("#newest", "href"), format!("{path}?state=waiting"));
    for state in ["#state-failed", "#state-canceled"] {
        let none = ada.get(&newest.attribute(state, "href")).await;
        assert!(none.text("#deliveries").contains("There are none such."), "{state}");
    }
    // What is broken in an address chooses nothing.
    for broken in [
        "state=lost",
        "before=dlv_x",
        "before=dlv_0000000000000000",
        "state=%00",
        "newest=dlv_x",
        "newest=dlv_0000000000000000",
    ] {
        let page = ada.get(&format!("{path}?{broken}")).await;
        assert_eq!((page.status.as_u16(), shown(&page).len()), (200, 50), "{broken}");
    }
}

#[tokio::test]
async fn a_failed_delivery_says_what_to_do() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let path = webhook(&mut ada).await;
    let id = WebhookId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let cases = [
        (None, Some(AttemptError::Timeout), "Answer 2xx first and work afterwards."),
        (None, Some(AttemptError::ConnectFailed), "does its firewall let this server in?"),
        (None, Some(AttemptError::TlsFailed), "The certificate is not accepted."),
        (None, Some(AttemptError::DnsFailed), "Look at its DNS records."),
        (None, Some(AttemptError::BlockedAddress), "ORBITRA_EGRESS_ALLOW"),
        (Some(302), Some(AttemptError::Redirect), "Enter the address it leads to."),
        (None, Some(AttemptError::TooLarge), "The header of the answer is too large."),
        (Some(410), None, "The webhook was disabled."),
        (Some(500), None, "The receiver answered 500. Only 2xx counts as received."),
    ];
    for (number, (status, error, advice)) in (0..).zip(cases) {
        let delivery = failed(&site, &id, number, (status, error)).await;
        let page = ada.get(&format!("{path}/deliveries/{delivery}")).await;
        let text = page.text("#state");
        assert!(text.contains(advice), "no {advice:?} in {text}");
    }
}
