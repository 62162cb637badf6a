//! What a form must carry to change something.

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN, REFERER};

use super::browser::encode;
use super::site::Site;

/// What it is, the headers that are sent, the status.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u16);

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn forms_of_other_sites_change_nothing() {
    let site = Site::secure();
    let mut ada = site.ada().await;
    let own = "https://orbitra.test";
    let fields = |token: &str| {
        encode(&[("csrf", token), ("git_url", "https://github.com/a/web"), ("name", "x")])
    };
    let cases: [Case<'_>; 16] = [
        ("another site", &[("origin", "https://evil.test")], 403),
        ("an app of ours", &[("origin", "https://evil.orbitra.test")], 403),
        ("no origin", &[], 403),
        ("no origin, foreign referer", &[("referer", "https://evil.test/")], 403),
        ("no origin, own referer", &[("referer", "https://orbitra.test/")], 403),
        ("null", &[("origin", "null")], 403),
        ("plain http", &[("origin", "http://orbitra.test")], 403),
        ("another port", &[("origin", "https://orbitra.test:8443")], 403),
        ("twice", &[("origin", own), ("origin", "https://evil.test")], 403),
        ("cross-site", &[("origin", own), ("sec-fetch-site", "cross-site")], 403),
        ("same-site", &[("origin", own), ("sec-fetch-site", "same-site")], 403),
        ("by hand", &[("origin", own), ("sec-fetch-site", "none")], 403),
        ("JSON", &[("origin", own), ("content-type", "application/json")], 415),
        ("text", &[("origin", own), ("content-type", "text/plain")], 415),
        (
            "several kinds",
            &[("origin", own), ("content-type", FORM), ("content-type", "text/plain")],
            415,
        ),
        ("our own page", &[("origin", own), ("sec-fetch-site", "same-origin")], 303),
    ];
    for (case, headers, status) in cases {
        let token = ada.get("/dashboard/new").await.token("/dashboard/new");
        let mut request = ada.request("POST", "/dashboard/new");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(CONTENT_TYPE, FORM);
        }
        let answer = ada.send(request.body(Body::from(fields(&token))).unwrap()).await;
        assert_eq!(answer.status, status, "{case}");
        if status != 303 {
            assert!(answer.body.contains("Nothing was changed."), "{case}");
            let home = ada.get("/dashboard").await;
            assert_eq!(home.text("h2"), "Deploy your first project", "{case}");
        }
    }
}

#[tokio::test]
async fn every_action_needs_a_token_of_its_own_session() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let deployment = ada.project("web").await;
    site.user("bob@example.com", false).await;
    let mut bob = site.browser();
    bob.sign_in("bob@example.com").await;
    let foreign = bob.get("/dashboard/new").await.token("/dashboard/new");
    let open = site.browser().get("/login").await.token("/login");
    let actions = [
        "/logout".to_owned(),
        "/dashboard/new".to_owned(),
        "/dashboard/projects/web/deploy".to_owned(),
        "/dashboard/projects/web/delete".to_owned(),
        "/dashboard/projects/web/pause".to_owned(),
        "/dashboard/projects/web/resume".to_owned(),
        "/dashboard/projects/web/restart".to_owned(),
        "/dashboard/projects/web/rollback".to_owned(),
        "/dashboard/projects/web/settings/general".to_owned(),
        "/dashboard/projects/web/settings/source".to_owned(),
        "/dashboard/projects/web/settings/source/rotate".to_owned(),
        "/dashboard/projects/web/variables".to_owned(),
        "/dashboard/projects/web/variables/paste".to_owned(),
        "/dashboard/projects/web/variables/all/A".to_owned(),
        "/dashboard/projects/web/variables/all/A/reveal".to_owned(),
        "/dashboard/projects/web/variables/all/A/delete".to_owned(),
        format!("/dashboard/deployments/{deployment}/promote"),
        format!("/dashboard/deployments/{deployment}/rollback"),
        format!("/dashboard/deployments/{deployment}/redeploy"),
        format!("/dashboard/deployments/{deployment}/delete"),
        format!("/dashboard/deployments/{deployment}/cancel"),
        "/dashboard/account/keys".to_owned(),
        "/dashboard/account/keys/key_7k2m9qhx4t8w1z3c/revoke".to_owned(),
        "/login".to_owned(),
        "/setup".to_owned(),
    ];
    for action in &actions {
        for token in ["", "sample-token", &foreign, &open, &"0".repeat(128)] {
            let fields = [("csrf", token), ("confirm", "web"), ("name", "x"), ("preset", "full")];
            let refused = ada.post(action, &fields).await;
            assert_eq!(refused.status, 403, "{action} {token}");
        }
    }
    assert_eq!(ada.get("/dashboard/projects/web").await.status, 200);
}

#[tokio::test]
async fn a_token_looks_different_in_every_answer() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let one = ada.get("/dashboard/new").await.token("/dashboard/new");
    let two = ada.get("/dashboard/new").await.token("/dashboard/new");
    assert_ne!(one, two);
    for token in [one, two] {
        assert_eq!(ada.post("/dashboard/new", &[("csrf", &token)]).await.status, 422);
    }
}

#[tokio::test]
async fn pages_take_no_keys_and_the_api_takes_no_cookies() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let scopes = ["full".to_owned()];
    let (_, key) = site.app.create_key_for("ada@example.com", "ci", &scopes).await.unwrap();
    let mut program = site.browser();
    let request =
        program.request("GET", "/dashboard").header(AUTHORIZATION, format!("Bearer {key}"));
    let page = program.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((page.status.as_u16(), page.location()), (303, "/login"));
    assert_eq!(program.get(&format!("/dashboard?api_key={key}")).await.status, 303);

    assert_eq!(ada.get("/api/v1/projects").await.status, 401);
    let request = ada.request("POST", "/api/v1/projects").header(ORIGIN, &ada.origin);
    let request = request.header(REFERER, "http://localhost:8080/dashboard");
    let request = request.header(CONTENT_TYPE, "application/json");
    let body = Body::from(r#"{"name":"web","region":"local"}"#);
    assert_eq!(ada.send(request.body(body).unwrap()).await.status, 401);
    assert_eq!(ada.get(&format!("/api/v1/projects?api_key={key}")).await.status, 401);
}

#[tokio::test]
async fn a_form_holds_a_megabyte() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let token = ada.get("/dashboard/new").await.token("/dashboard/new");
    let fields = [("csrf", token.as_str()), ("variables", &"x".repeat(1024 * 1024))];
    let refused = ada.post("/dashboard/new", &fields).await;
    assert_eq!(refused.status, 413);
    assert!(refused.text("main").contains("A form may hold 1 MB."));
}
