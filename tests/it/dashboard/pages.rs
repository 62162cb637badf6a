//! What the pages show and do.

use axum::body::Body;
use orbitra::model::failure::{Failure, FailureCode};
use orbitra::model::transition::State;

use super::site::Site;

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_it_safe() {
    let site = Site::secure();
    let mut ada = site.ada().await;
    let deployment = ada.project("web").await;
    let asset = ada.get("/dashboard").await.attribute("link[rel=stylesheet]", "href");
    let deployment = format!("/dashboard/deployments/{deployment}");
    let log = format!("{deployment}/log.txt");
    let pages = [
        ("/", 303),
        ("/login", 303),
        ("/setup", 404),
        ("/dashboard", 200),
        ("/dashboard/new", 200),
        ("/dashboard/projects/web", 200),
        ("/dashboard/projects/web?part=tile", 200),
        ("/dashboard/projects/web?part=list", 200),
        ("/dashboard/projects/web?part=previews", 200),
        (&deployment, 200),
        (&log, 200),
        ("/dashboard/projects/web/logs", 200),
        ("/dashboard/projects/web/settings", 200),
        ("/dashboard/account/keys", 200),
        ("/dashboard/system", 200),
        ("/dashboard/nothing", 404),
        ("/logout", 405),
        ("/favicon.ico", 200),
        ("/robots.txt", 200),
        ("/.well-known/change-password", 303),
        (&asset, 200),
        ("/assets/0/nothing.js", 404),
    ];
    for (path, status) in pages {
        let page = ada.get(path).await;
        assert_eq!(page.status, status, "{path}");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        if path != log {
            assert!(policy.contains("require-trusted-types-for 'script'"), "{path}");
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", "max-age=63072000"),
        ] {
            assert_eq!(page.header(name), value, "{path} {name}");
        }
        assert!(page.header("permissions-policy").contains("camera=()"), "{path}");
        let caching = page.header("cache-control");
        let kept = path == asset || path == "/favicon.ico";
        assert_eq!(caching.contains("no-store"), !kept, "{path} {caching}");
    }
}

#[tokio::test]
async fn what_is_not_there_says_so_in_html() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let mut nobody = site.browser();
    let missing = ada.get("/nothing/here").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.text("h1"), "This page does not exist, or you may not see it");
    assert!(missing.body.contains("ada@example.com"));
    assert_eq!(nobody.get("/nothing/here").await.text("main a"), "Sign in");
    assert_eq!(ada.get("/dashboard/projects/web").await.status, 404);
    assert_eq!(ada.get("/dashboard/deployments/dep_7k2m9qhx4t8w1z3c").await.status, 404);
    assert_eq!(ada.get("/dashboard/deployments/%00").await.status, 404);
    let wrong = ada.get("/logout").await;
    assert_eq!((wrong.status.as_u16(), wrong.header("allow")), (405, "POST"));
    assert_eq!(wrong.text("h1"), "This address does not take that");
    assert!(ada.get("/api/v1/nothing").await.body.starts_with('{'));
}

#[tokio::test]
async fn a_refused_project_keeps_what_was_typed() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let fields = [
        ("git_url", "file:///etc"),
        ("branch", "--upload-pack=id"),
        ("name", "api"),
        ("variables", "A=1\n2B=secret-value"),
    ];
    let refused = ada.submit("/dashboard/new", "/dashboard/new", &fields).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text("#git_url-wrong").contains("not accepted"));
    assert!(refused.text("#branch-wrong").contains("cannot start with -"));
    assert_eq!(refused.text("#variables-wrong"), "Line 2: the name is not valid.");
    assert_eq!(refused.attribute("#git_url", "value"), "file:///etc");
    assert_eq!(refused.attribute("#name", "value"), "api");
    assert_eq!(refused.text("#variables"), "A=1 2B=secret-value");

    let good = "https://github.com/acme/web.git";
    let reserved = [("git_url", good), ("name", "api")];
    let refused = ada.submit("/dashboard/new", "/dashboard/new", &reserved).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text("#name-wrong").contains("How about my-api?"));
    assert_eq!(
        ada.get("/dashboard").await.text("h2"),
        "Deploy your first project",
        "nothing was made"
    );

    ada.project("").await;
    let again = ada.submit("/dashboard/new", "/dashboard/new", &[("git_url", good)]).await;
    assert_eq!(again.status, 422);
    assert_eq!(again.text("#name-wrong"), "The name web is taken. web-2 is free.");
}

#[tokio::test]
async fn a_git_url_becomes_a_project_and_its_first_deployment() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let fields = [
        ("git_url", "https://github.com/acme/web.git"),
        ("branch", "main"),
        ("name", "My App"),
        ("variables", "export A=\"secret-value\"\nB='x'\n"),
    ];
    let made = ada.submit("/dashboard/new", "/dashboard/new", &fields).await;
    assert_eq!(made.status, 303, "{}", made.body);
    let path = made.location().to_owned();
    let page = ada.get(&path).await;
    assert_eq!(page.text("title"), "Queued · my-app · Orbitra");
    assert_eq!(page.text("h1"), "Deploy of main by Ada Lovelace");
    assert!(page.text(".facts").contains("A, B"));
    assert!(!page.body.contains("secret-value"));
    assert!(ada.get("/dashboard").await.text("article").contains("Waits for its turn."));

    // Again, with the same variables: they are the project's.
    let id = path.rsplit('/').next().unwrap();
    site.fail(id, Failure::new(FailureCode::CloneFailed, "queued", "No answer.")).await;
    let page = ada.get(&path).await;
    let token = page.token("/dashboard/projects/my-app/deploy");
    let fields = [("csrf", token.as_str()), ("from", id)];
    let again = ada.post("/dashboard/projects/my-app/deploy", &fields).await;
    assert_eq!(again.status, 303, "{}", again.body);
    let second = site.deployment(again.location().rsplit('/').next().unwrap()).await;
    assert_eq!(second.environment_keys, ["A", "B"]);
    assert_eq!(second.source_deployment_id.as_ref().map(|from| from.as_str()), Some(id));
    assert_eq!(second.trigger.as_str(), "redeploy");
    assert_eq!(second.branch.as_deref(), Some("main"));
}

#[tokio::test]
async fn a_failed_deployment_explains_itself() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    for state in [State::Cloning, State::Detecting, State::Building] {
        site.advance(&id, state).await;
    }
    let lines: Vec<_> = (0..400).map(|number| format!("line {number}")).collect();
    let mut lines: Vec<_> = lines.iter().map(String::as_str).collect();
    lines[50] = "\u{1b}[31merror\u{1b}[0m: src/<b>index.ts(3,7): '}' expected";
    site.write(&id, &lines).await;
    let failure = Failure::new(
        FailureCode::BuildFailed,
        "building",
        "RUN npm run build ended with exit code 2",
    );
    site.fail(&id, failure.with_exit_code(Some(2))).await;
    let page = ada.get(&format!("/dashboard/deployments/{id}")).await;
    assert_eq!(page.text("#why"), "The build command stopped with exit code 2");
    let explained = page.text(".box.bad");
    assert!(explained.contains("error: src/<b>index.ts(3,7): '}' expected"), "{explained}");
    assert!(explained.contains("Nothing was live before, so nothing went down."), "{explained}");
    assert_eq!(page.attribute("#first-error", "href"), "#L51");
    assert!(page.text("#L51").contains("'}' expected"), "the line is on the page");
    assert!(page.body.contains("id=\"L400\"") && !page.body.contains("id=\"L20\""));
    assert_eq!(page.text("title"), "Failed · web · Orbitra");
    assert!(page.text(".steps .bad").starts_with("Build"));

    let text = format!("/dashboard/deployments/{id}/log.txt");
    let request = ada.request("GET", &text).header("accept-encoding", "br");
    let packed = ada.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(packed.header("content-encoding"), "br");
    let log = ada.get(&text).await;
    assert_eq!(log.body.lines().count(), 400);
    assert_eq!(log.body.lines().nth(50), Some("error: src/<b>index.ts(3,7): '}' expected"));
    assert_eq!(log.header("content-type"), "text/plain; charset=utf-8");
    assert!(log.header("content-security-policy").contains("sandbox"));
    assert!(log.header("content-disposition").starts_with("inline; filename=\"web-"));
    let home = ada.get("/dashboard").await;
    assert!(
        home.text("article")
            .contains("The build command stopped with exit code 2. Nothing is live yet.")
    );
}

#[tokio::test]
async fn new_deployments_wait_until_they_are_asked_for() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let first = ada.project("web").await;
    let list = "/dashboard/projects/web?part=list";
    let shown = ada.get("/dashboard/projects/web").await;
    let newest = shown.attribute("#list", "data-src");
    assert_eq!(newest, format!("{list}&newest={first}"));
    let token = shown.token("/dashboard/projects/web/deploy");
    assert_eq!(ada.post("/dashboard/projects/web/deploy", &[("csrf", &token)]).await.status, 303);
    let list = ada.get(&newest).await;
    assert_eq!(list.text("#unseen"), "1 new deployment. Show");
    assert!(list.body.contains(&first) && list.body.matches("<tr>").count() == 2);
    assert!(ada.get("/dashboard/projects/web").await.body.matches("<tr>").count() == 3);
}

#[tokio::test]
async fn a_deployment_is_canceled_once_and_pressing_again_is_no_error() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    let page = format!("/dashboard/deployments/{id}");
    let action = format!("{page}/cancel");
    let token = ada.get(&page).await.token(&action);
    for _ in 0..2 {
        let canceled = ada.post(&action, &[("csrf", &token)]).await;
        assert_eq!((canceled.status.as_u16(), canceled.location()), (303, page.as_str()));
    }
    let shown = ada.get(&page).await;
    assert_eq!(shown.text("title"), "Canceled · web · Orbitra");
    assert!(shown.text("#state").contains("Somebody stopped it before it was finished."));
}

#[tokio::test]
async fn a_project_is_deleted_by_its_name() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    let page = "/dashboard/projects/web/settings";
    let action = "/dashboard/projects/web/delete";
    let refused = ada.submit(page, action, &[("confirm", "Web")]).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.text("#confirm-wrong"), "The name is web.");
    let deleted = ada.submit(page, action, &[("confirm", "web")]).await;
    assert_eq!(deleted.location(), "/dashboard");
    assert_eq!(ada.get("/dashboard").await.text(".notice"), "Project web is deleted.");
    assert_eq!(ada.get("/dashboard").await.text(".notice"), "", "said once");
    assert_eq!(ada.get(page).await.status, 404);
}

#[tokio::test]
async fn a_key_is_shown_once() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let page = "/dashboard/account/keys";
    let refused =
        ada.submit(page, page, &[("name", ""), ("preset", "read"), ("expires_days", "1")]).await;
    assert_eq!(refused.status, 422);
    assert!(!refused.text("#expires_days-wrong").is_empty());
    let fields = [("name", "ci"), ("preset", "deploy"), ("expires_days", "90")];
    let made = ada.submit(page, page, &fields).await;
    assert_eq!(made.status, 303);
    let address = made.location().to_owned();
    // Somebody else who knows the address sees nothing.
    site.user("bob@example.com", false).await;
    let mut bob = site.browser();
    bob.sign_in("bob@example.com").await;
    assert!(!bob.get(&address).await.body.contains("id=\"secret\""));
    let shown = ada.get(&address).await;
    let key = shown.attribute("#secret", "value");
    assert!(key.starts_with("orbu_"));
    assert!(shown.header("cache-control").contains("no-store"));
    let again = ada.get(&address).await;
    assert!(!again.body.contains(&key));
    assert!(again.text("table").contains("ci orbu_"));
    assert!(again.text("table").contains("Deploy"));

    let works = |key: &str| {
        let (mut program, key) = (site.browser(), format!("Bearer {key}"));
        async move {
            let request = program.request("GET", "/api/v1/projects").header("authorization", key);
            program.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
        }
    };
    assert_eq!(works(&key).await, 200);
    let id = address.rsplit('=').next().unwrap();
    let action = format!("{page}/{id}/revoke");
    let revoked = ada.submit(page, &action, &[]).await;
    assert_eq!(revoked.location(), page);
    let page = ada.get(page).await;
    assert_eq!(page.text(".notice"), "Key ci is revoked.");
    assert!(page.text("table").is_empty());
    assert_eq!(works(&key).await, 401);
}

#[tokio::test]
async fn what_others_own_does_not_exist() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    let variable = [("key", "A"), ("value", "secret-value"), ("target", "all")];
    let variables = "/dashboard/projects/web/variables";
    assert_eq!(ada.submit(variables, variables, &variable).await.status, 303);
    site.user("bob@example.com", false).await;
    let mut bob = site.browser();
    bob.sign_in("bob@example.com").await;
    let deployment = format!("/dashboard/deployments/{id}");
    for path in [
        "/dashboard/projects/web",
        "/dashboard/projects/web?part=tile",
        "/dashboard/projects/web/settings",
        "/dashboard/projects/web/variables",
        "/dashboard/projects/web/variables?part=pending",
        "/dashboard/projects/web/variables/all/A",
        deployment.as_str(),
        &format!("{deployment}?part=state"),
        &format!("{deployment}/log.txt"),
        &format!("{deployment}/log/stream"),
    ] {
        assert_eq!(bob.get(path).await.status, 404, "{path}");
    }
    let token = bob.get("/dashboard").await.token("/logout");
    for action in [
        "/dashboard/projects/web/deploy",
        "/dashboard/projects/web/delete",
        "/dashboard/projects/web/pause",
        "/dashboard/projects/web/resume",
        "/dashboard/projects/web/restart",
        "/dashboard/projects/web/rollback",
        "/dashboard/projects/web/settings/general",
        "/dashboard/projects/web/variables",
        "/dashboard/projects/web/variables/paste",
        "/dashboard/projects/web/variables/all/A",
        "/dashboard/projects/web/variables/all/A/reveal",
        "/dashboard/projects/web/variables/all/A/delete",
        &format!("{deployment}/cancel"),
        &format!("{deployment}/promote"),
        &format!("{deployment}/rollback"),
        &format!("{deployment}/redeploy"),
        &format!("{deployment}/delete"),
    ] {
        let fields = [
            ("csrf", token.as_str()),
            ("confirm", "web"),
            ("key", "A"),
            ("value", "x"),
            ("target", "all"),
            ("text", "A=x"),
            ("paste_target", "all"),
            ("step", "save"),
            ("name", "mine"),
        ];
        assert_eq!(bob.post(action, &fields).await.status, 404, "{action}");
    }
    assert_eq!(bob.get("/dashboard").await.text("h2"), "Deploy your first project");
    assert_eq!(ada.get("/dashboard/projects/web").await.status, 200);
    assert!(ada.get(variables).await.text("table").contains("A All deployments"));
}
