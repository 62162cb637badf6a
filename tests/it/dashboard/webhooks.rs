//! A webhook's page: the deliveries it shows.

use super::browser::Browser;
use super::site::Site;

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
    let shown = |page: &super::browser::Page| page.attributes("#deliveries tbody .subject", "id");
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

    let waiting = ada.get(&newest.attribute("#state-waiting", "href")).await;
    assert_eq!(shown(&waiting).len(), 50);
    assert_eq!(waiting.attribute("#state-waiting", "aria-current"), "page");
    let rest = ada.get(&waiting.attribute("#older", "href")).await;
    assert_eq!(shown(&rest).len(), 4);
    let failed = ada.get(&newest.attribute("#state-failed", "href")).await;
    assert!(failed.text("#deliveries").contains("There are none such."));
    // What is broken in an address chooses nothing.
    for broken in ["state=lost", "before=dlv_x", "before=dlv_0000000000000000", "state=%00"] {
        let page = ada.get(&format!("{path}?{broken}")).await;
        assert_eq!((page.status.as_u16(), shown(&page).len()), (200, 50), "{broken}");
    }
}
