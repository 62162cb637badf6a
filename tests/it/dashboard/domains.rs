//! Domains of a project, as somebody adds them on the dashboard.

use super::site::Site;
use crate::support::tls::Authority;

const PAGE: &str = "/dashboard/projects/web/domains";

#[tokio::test]
async fn a_domain_is_added_shown_and_removed() {
    let site = Site::secure();
    let mut ada = site.ada().await;
    ada.project("web").await;
    let page = ada.get(PAGE).await;
    assert!(
        page.text("#list").contains("web.orbitra.test Live Automatic"),
        "{}",
        page.text("#list")
    );
    let made = ada.submit(PAGE, PAGE, &[("hostname", "HTTPS://www.Example.org/x?y")]).await;
    assert_eq!((made.status.as_u16(), made.location()), (303, PAGE));
    let page = ada.get(PAGE).await;
    assert_eq!(page.text(".notice"), "www.example.org is added. Only the host name is used.");
    let list = page.text("#list");
    assert!(list.contains("www.example.org Waiting for DNS"), "{list}");
    assert!(list.contains("Awww.example.org203.0.113.10not there"), "{list}");
    assert!(list.contains("DNS is being asked."), "{list}");
    let part = ada.get(&format!("{PAGE}?part=list")).await;
    assert!(part.body.trim_start().starts_with("<div id=\"list\""));
    assert_eq!(ada.get(&format!("{PAGE}?part=other")).await.status, 404);
    let verify = page.attribute("form[action$=verify]", "action");
    assert_eq!(ada.submit(PAGE, &verify, &[]).await.status, 303);
    assert!(ada.get(PAGE).await.text(".notice").contains("The DNS is asked"));
    let delete = page.attribute("form[action$=delete]", "action");
    assert_eq!(ada.submit(PAGE, &delete, &[]).await.location(), PAGE);
    let page = ada.get(PAGE).await;
    assert_eq!(page.text(".notice"), "www.example.org is removed.");
    assert!(!page.text("#list").contains("example.org"));
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field() {
    let site = Site::secure();
    let mut ada = site.ada().await;
    ada.project("web").await;
    ada.submit(PAGE, PAGE, &[("hostname", "www.example.org")]).await;
    for (hostname, redirect_to, status, field, said) in [
        ("www.example.org", "", 409, "#hostname-wrong", "in use"),
        ("", "", 422, "#hostname-wrong", "A host name"),
        ("a.orbitra.test", "", 422, "#hostname-wrong", "cannot be added"),
        ("127.0.0.1", "", 422, "#hostname-wrong", "address"),
        ("a.example.org", "x_y", 422, "#redirect_to-wrong", "A host name"),
    ] {
        let fields = [("hostname", hostname), ("redirect_to", redirect_to)];
        let page = ada.submit(PAGE, PAGE, &fields).await;
        assert_eq!(page.status, status, "{hostname}");
        assert!(page.text(field).contains(said), "{hostname}: {}", page.text(field));
    }
}

#[tokio::test]
async fn a_certificate_is_brought_along_and_its_key_never_shown() {
    let site = Site::secure();
    let mut ada = site.ada().await;
    ada.project("web").await;
    ada.submit(PAGE, PAGE, &[("hostname", "www.example.org")]).await;
    let id = ada.get(PAGE).await.attribute("#domain option", "value");
    let authority = Authority::new();
    let (good, wrong) = (authority.issue(&["www.example.org"]), authority.issue(&["a.test"]));
    let form = format!("{PAGE}/certificate");
    let fields = |chain: &str, key: &str| {
        vec![
            ("domain".to_owned(), id.clone()),
            ("certificate".to_owned(), chain.replace('\n', "\r\n")),
            ("private_key".to_owned(), key.replace('\n', "\r\n")),
        ]
    };
    let send = async |ada: &mut super::browser::Browser, fields: Vec<(String, String)>| {
        let fields: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        ada.submit(PAGE, &form, &fields).await
    };
    let refused = send(&mut ada, fields(&wrong.chain, &wrong.key)).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text("#certificate-wrong").contains("not for www.example.org"));
    let key: String = wrong.key.lines().nth(1).unwrap().to_owned();
    assert!(!refused.body.contains(&key[..20]));
    assert_eq!(send(&mut ada, fields(&good.chain, &good.key)).await.status, 303);
    let page = ada.get(PAGE).await;
    assert!(page.text(".notice").contains("has its certificate"));
    assert!(page.text("#list").contains("Certificate of Tests until"));
    // One of another project cannot be reached from here.
    ada.project("shop").await;
    let shop = "/dashboard/projects/shop/domains";
    let token = ada.get(shop).await.token(shop);
    let elsewhere = format!("{shop}/{id}/delete");
    assert_eq!(ada.post(&elsewhere, &[("csrf", &token)]).await.status, 404);
}
