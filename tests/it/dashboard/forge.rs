//! The forge of a project and the commands to push to it, in its settings.

use super::browser::{Browser, Page};
use super::site::Site;

const PAGE: &str = "/dashboard/projects/web/settings";
const SECRET: &str = "s3cret-Zf83kQp1x";

async fn save(ada: &mut Browser, fields: &[(&str, &str)]) -> Page {
    let action = format!("{PAGE}/forge");
    let token = ada.get(PAGE).await.token(&action);
    let mut all = vec![("csrf", token.as_str())];
    all.extend(fields);
    ada.post(&action, &all).await
}

#[tokio::test]
async fn the_commands_to_push_are_shown() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    let page = ada.get(PAGE).await;
    let card = page.text("#git-push");
    assert!(card.contains("git remote add orbitra http"), "{card}");
    assert!(card.contains("/git/web.git") && card.contains("git push orbitra main"), "{card}");
    assert!(card.contains("deployments:write"), "{card}");
}

#[tokio::test]
async fn a_forge_is_set_without_showing_its_token_and_forgotten() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    let kind = ("forge_kind", "gitea");
    let api = ("forge_api", "https://git.example.com/api/v1");
    let bad =
        save(&mut ada, &[kind, ("forge_api", "https://127.0.0.1/"), ("forge_token", "")]).await;
    assert_eq!(bad.status, 422);
    assert!(bad.text("#forge_api-wrong").contains("may not be reached"), "{}", bad.text("#forge"));
    assert!(!bad.text("#forge_token-wrong").is_empty());
    assert_eq!(bad.attribute("#forge_api", "value"), "https://127.0.0.1/");
    let saved = save(&mut ada, &[kind, api, ("forge_token", SECRET)]).await;
    assert_eq!(saved.status, 303, "{}", saved.text("main"));
    let page = ada.get(PAGE).await;
    assert!(page.text("#forge-state").contains("Nothing was told yet"));
    assert!(!page.body.contains(SECRET));
    // Left empty, the token stays.
    let saved = save(&mut ada, &[kind, api, ("forge_token", "")]).await;
    assert_eq!(saved.status, 303, "{}", saved.text("main"));
    let delete = format!("{PAGE}/forge/delete");
    let token = ada.get(PAGE).await.token(&delete);
    assert_eq!(ada.post(&delete, &[("csrf", &token)]).await.status, 303);
    assert!(!ada.get(PAGE).await.body.contains("delete-forge"));
}

#[tokio::test]
async fn a_hook_takes_pull_requests_and_waits_where_the_forge_is_set() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    let create = async |ada: &mut Browser| {
        let action = format!("{PAGE}/hooks");
        let token = ada.get(PAGE).await.token(&action);
        let fields = [
            ("csrf", token.as_str()),
            ("hook_provider", "github"),
            ("hook_branch", "main"),
            ("hook_pull_requests", "yes"),
            ("hook_checks", "yes"),
        ];
        ada.post(&action, &fields).await
    };
    let refused = create(&mut ada).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text("#hook_checks-wrong").contains("forge is set"));
    let api = ("forge_api", "https://api.github.com");
    save(&mut ada, &[("forge_kind", "github"), api, ("forge_token", SECRET)]).await;
    assert_eq!(create(&mut ada).await.status, 303);
    let hooks = ada.get(PAGE).await.text("#hooks");
    assert!(
        hooks.contains(
            "main to production, pull requests as previews, when their checks have passed"
        ),
        "{hooks}"
    );
}

#[tokio::test]
async fn a_project_without_a_repository_leads_to_the_commands() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let create = async |ada: &mut Browser, name: &str| {
        let token = ada.get("/dashboard/new").await.token("/dashboard/new");
        let fields = [
            ("csrf", token.as_str()),
            ("empty", "yes"),
            ("git_url", ""),
            ("branch", ""),
            ("name", name),
            ("variables", "A=1"),
        ];
        ada.post("/dashboard/new", &fields).await
    };
    let refused = create(&mut ada, "").await;
    assert_eq!(refused.status, 422);
    assert!(refused.text("#name-wrong").contains("it needs a name"));
    let made = create(&mut ada, "My App").await;
    assert_eq!(made.status, 303, "{}", made.text("main"));
    assert_eq!(made.location(), "/dashboard/projects/my-app/settings#git-push");
    let page = ada.get("/dashboard/projects/my-app").await;
    assert!(page.text("#list").contains("Push to it"), "{}", page.text("#list"));
}
