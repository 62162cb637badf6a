//! The push hooks of a project in its settings.

use axum::body::Body;
use http::Request;
use serde_json::json;
use tower::ServiceExt;

use super::browser::{Browser, Page};
use super::site::Site;
use crate::support::forge::delivery;

const PAGE: &str = "/dashboard/projects/web/settings";

/// Sends the form for a hook.
async fn create(ada: &mut Browser, fields: &[(&str, &str)]) -> Page {
    let action = format!("{PAGE}/hooks");
    let token = ada.get(PAGE).await.token(&action);
    let mut all = vec![("csrf", token.as_str())];
    all.extend(fields);
    ada.post(&action, &all).await
}

#[tokio::test]
async fn a_hook_is_made_shown_once_heard_rotated_and_deleted() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    let empty = ada.get(PAGE).await;
    assert!(empty.text("#hooks").contains("None yet"));
    let fields = [("hook_provider", "github"), ("hook_branch", "main"), ("hook_previews", "yes")];
    let made = create(&mut ada, &fields).await;
    assert_eq!(made.status, 303, "{}", made.text("main"));
    let location = made.location();
    let path = location.split('#').next().unwrap().to_owned();
    let id = path.rsplit_once("hook=").unwrap().1.to_owned();
    let page = ada.get(&path).await;
    let secret = page.attribute("#hook-secret", "value");
    assert_eq!(page.text("#new-hook-title"), "GitHub push hook is made");
    let url = page.text("#new-hook .code code");
    assert!(url.contains("/api/v1/hooks/git/orbh_"), "{url}");
    assert!(page.text("#new-hook").contains("Settings, Webhooks, Add webhook."));
    assert_eq!(page.text(&format!("#heard-{id}")), "Waiting for the first delivery");
    assert!(
        page.text(&format!("#hook-{id}")).contains("main to production, all others as previews")
    );
    // Once, and the address always.
    let again = ada.get(&path).await;
    assert!(!again.body.contains(&secret) && again.body.contains(&url));
    let address = &url[url.find("/api/v1").unwrap()..];
    let ping = delivery("github", &secret, "ping", "one", &json!({ "zen": "x" }));
    let mut request = Request::post(address);
    for (name, value) in ping.headers {
        request = request.header(name, value);
    }
    let router = orbitra::web::router(&site.app);
    let answer = router.oneshot(request.body(Body::from(ping.body)).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let part = ada.get(&format!("{PAGE}?part=hooks")).await;
    assert!(part.text(&format!("#heard-{id}")).starts_with("Received"), "{}", part.body);
    assert!(!part.body.contains("<html"));
    let rotate = format!("{PAGE}/hooks/{id}/rotate");
    let token = ada.get(PAGE).await.token(&rotate);
    let rotated = ada.post(&rotate, &[("csrf", &token)]).await;
    let location = rotated.location();
    let page = ada.get(location.split('#').next().unwrap()).await;
    assert_ne!(page.attribute("#hook-secret", "value"), secret);
    assert!(!page.body.contains(&url));
    let delete = format!("{PAGE}/hooks/{id}/delete");
    let token = ada.get(PAGE).await.token(&delete);
    assert_eq!(ada.post(&delete, &[("csrf", &token)]).await.status, 303);
    assert!(ada.get(PAGE).await.text("#hooks").contains("None yet"));
    assert_eq!(ada.post(&delete, &[("csrf", &token)]).await.status, 404);
}

#[tokio::test]
async fn what_is_no_hook_is_said_beside_its_field() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    let bad = create(&mut ada, &[("hook_provider", "github"), ("hook_branch", "-x")]).await;
    assert_eq!(bad.status, 422);
    assert!(bad.text("#hook_branch-wrong").contains("cannot start with"));
    assert_eq!(bad.attribute("#hook_branch", "value"), "-x");
    let bad = create(&mut ada, &[("hook_provider", "sourceforge")]).await;
    assert_eq!(bad.status, 422);
    assert!(!bad.text("#hook_provider-wrong").is_empty());
    let script = create(&mut ada, &[("hook_provider", "deploy")]).await;
    let page = ada.get(script.location().split('#').next().unwrap()).await;
    assert_eq!(page.text("#new-hook-title"), "Deploy hook is made");
    assert!(!page.body.contains("hook-secret"));
    assert!(page.text("#new-hook .code code").contains("/hooks/deploy/orbh_"));
}

#[tokio::test]
async fn watched_paths_are_lines() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    let action = format!("{PAGE}/source");
    let save = async |ada: &mut Browser, lines: &str| {
        let page = ada.get(PAGE).await;
        let (token, was) =
            (page.token(&action), page.attribute("#source input[name=was]", "value"));
        let url = "https://github.com/acme/web.git";
        let fields = [
            ("csrf", token.as_str()),
            ("was", &was),
            ("git_url", url),
            ("root_dir", "/"),
            ("watch_paths", lines),
        ];
        ada.post(&action, &fields).await
    };
    let saved = save(&mut ada, "apps/web/**\r\n\r\n  !**/*.md \r\n").await;
    assert_eq!(saved.status, 303, "{}", saved.text("main"));
    assert_eq!(ada.get(PAGE).await.text("#watch_paths"), "apps/web/** !**/*.md");
    let refused = save(&mut ada, "../x").await;
    assert_eq!(refused.status, 422);
    assert!(refused.text("#watch_paths-wrong").contains("Pattern 1"));
    assert_eq!(refused.text("#watch_paths"), "../x");
}
