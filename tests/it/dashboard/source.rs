//! What a project's repository is read with, in the settings and where a deployment failed for it.

use orbitra::model::failure::{Failure, FailureCode};
use orbitra::model::project::SourceAuth;

use super::browser::{Browser, Page};
use super::site::Site;

const PAGE: &str = "/dashboard/projects/web/settings";
const URL: &str = "https://github.com/acme/web.git";
const SSH: &str = "git@github.com:acme/web.git";
const SECRET: &str = "s3cret-Zf83kQp1x";

/// Sends the form of the source with these fields in place of its own.
async fn save(ada: &mut Browser, changed: &[(&str, &str)]) -> Page {
    let action = format!("{PAGE}/source");
    let page = ada.get(PAGE).await;
    let (token, was) = (page.token(&action), page.attribute("#source input[name=was]", "value"));
    let mut fields = vec![("csrf", token.as_str()), ("was", was.as_str()), ("root_dir", "/")];
    fields.extend(changed);
    ada.post(&action, &fields).await
}

async fn auth(site: &Site, ada: &mut Browser) -> SourceAuth {
    let id = ada.get("/dashboard/projects/web").await.attribute("#tile", "data-live");
    let id = orbitra::model::ids::ProjectId::parse(id.strip_prefix("project:").unwrap()).unwrap();
    let find = move |c: &orbitra::db::Connection| orbitra::db::projects::find(c, &id);
    site.app.db.read(find).await.unwrap().unwrap().source.auth
}

#[tokio::test]
async fn a_token_is_stored_and_never_shown() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    assert!(ada.get(PAGE).await.text("#token-hint").ends_with("None is stored."));
    let saved = save(&mut ada, &[("git_url", URL), ("auth", "token"), ("token", SECRET)]).await;
    assert_eq!(saved.location(), format!("{PAGE}#source"), "{}", saved.text("main"));
    let page = ada.get(PAGE).await;
    assert_eq!(page.value("#auth"), "token");
    let hint = page.text("#token-hint");
    assert!(hint.ends_with("Stored, made on 23 Nov 12:00 UTC. Left empty, it stays."), "{hint}");
    assert_eq!(page.attribute("#token", "type"), "password");
    assert!(!page.body.contains(SECRET));
    assert!(!page.body.contains("id=\"deploy-key\""));
    // Left empty it stays, also on another repository of the server.
    let other = "https://github.com/acme/other.git";
    let kept = save(&mut ada, &[("git_url", other), ("auth", "token"), ("token", "")]).await;
    assert_eq!(kept.status, 303, "{}", kept.text("main"));
    assert_eq!(auth(&site, &mut ada).await, SourceAuth::Token);
    // Another server never gets it.
    let moved = "https://gitlab.com/acme/web.git";
    let refused = save(&mut ada, &[("git_url", moved), ("auth", "token"), ("token", "")]).await;
    assert_eq!(
        (refused.status.as_u16(), refused.text("#token-wrong")),
        (422, "This is needed.".into())
    );
    assert_eq!(refused.attribute("#git_url", "value"), moved);
    // A token that is refused is not sent back.
    for wrong in [format!("{SECRET} x"), format!(":{SECRET}"), SECRET.repeat(100)] {
        let refused =
            save(&mut ada, &[("git_url", URL), ("auth", "token"), ("token", &wrong)]).await;
        assert_eq!(refused.status, 422);
        assert!(!refused.text("#token-wrong").is_empty() && !refused.body.contains(SECRET));
    }
    let open = save(&mut ada, &[("git_url", other), ("auth", "none"), ("token", "")]).await;
    assert_eq!(open.status, 303);
    assert_eq!(auth(&site, &mut ada).await, SourceAuth::None);
    assert!(ada.get(PAGE).await.text("#token-hint").ends_with("None is stored."));
}

#[tokio::test]
async fn an_ssh_address_brings_a_deploy_key_that_can_be_made_anew() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    ada.project("web").await;
    let hint = ada.get(PAGE).await.text("#auth-hint");
    assert!(
        hint.ends_with("the SSH address of the repository: git@github.com:acme/web.git."),
        "{hint}"
    );
    let wrong = save(&mut ada, &[("git_url", URL), ("auth", "deploy_key")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text("#auth-wrong").contains("A deploy key is for SSH addresses"));
    let wrong = save(&mut ada, &[("git_url", SSH), ("auth", "token"), ("token", "x")]).await;
    assert_eq!(wrong.text("#auth-wrong"), "An SSH address is read with a deploy key.");
    // Nothing has to be chosen: the address says it.
    let saved = save(&mut ada, &[("git_url", SSH), ("auth", "none")]).await;
    assert_eq!(saved.status, 303, "{}", saved.text("main"));
    let page = ada.get(PAGE).await;
    assert_eq!(page.value("#auth"), "deploy_key");
    let key = page.text("#deploy-key .code code");
    assert!(key.starts_with("ssh-ed25519 AAAA") && key.ends_with(" orbitra-web"), "{key}");
    assert_eq!(page.attribute("#copy-key", "data-copy"), key);
    let card = page.text("#deploy-key");
    assert!(
        card.contains("SHA256:") && card.contains("on GitHub: Settings, Deploy keys."),
        "{card}"
    );
    assert_eq!(
        page.attribute("#deploy-key dd a", "href"),
        "https://github.com/acme/web/settings/keys"
    );
    assert!(!page.body.contains("ssh-keyscan"), "its host keys are known");
    let rotate = format!("{PAGE}/source/rotate");
    let rotated = ada.submit(PAGE, &rotate, &[]).await;
    assert_eq!(rotated.location(), format!("{PAGE}#deploy-key"));
    let page = ada.get(PAGE).await;
    assert!(page.text(".notice").starts_with("A new deploy key is made."));
    assert_ne!(page.text("#deploy-key .code code"), key);
    // Of another server the host key has to be told.
    let elsewhere = "ssh://git@git.example.org:2222/acme/web.git";
    assert_eq!(save(&mut ada, &[("git_url", elsewhere)]).await.status, 303);
    let card = ada.get(PAGE).await.text("#deploy-key");
    let scan = "ssh-keyscan -p 2222 git.example.org";
    assert!(card.contains("known_hosts") && card.contains(scan), "{card}");
    // Only this project's owner.
    site.user("bob@example.com", false).await;
    let mut bob = site.browser();
    bob.sign_in("bob@example.com").await;
    let token = bob.get("/dashboard").await.token("/logout");
    let fields = [("csrf", token.as_str()), ("git_url", URL), ("token", "x")];
    for action in [rotate.as_str(), &format!("{PAGE}/source")] {
        assert_eq!(bob.post(action, &fields).await.status, 404, "{action}");
    }
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_leads_to_what_it_is_read_with() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    let page = format!("/dashboard/deployments/{id}");
    let refused = "Access to https://github.com/acme/web.git was refused, or there is no such repository. If it is private, give the project's source a token.";
    site.fail(&id, Failure::new(FailureCode::AuthFailed, "cloning", refused)).await;
    let failed = ada.get(&page).await;
    assert_eq!(failed.text("#why"), "The repository needs a sign-in, or it does not exist");
    assert_eq!(failed.text("#fix"), "Give Orbitra access");
    assert_eq!(failed.attribute("#fix", "href"), format!("{PAGE}#source"));
    assert_eq!(save(&mut ada, &[("git_url", SSH)]).await.status, 303);
    let failed = ada.get(&page).await;
    assert_eq!(failed.text("#fix"), "Show the deploy key");
    assert_eq!(failed.attribute("#fix", "href"), format!("{PAGE}#deploy-key"));
    // What is deployed then is the source of now, not that of the deployment that failed.
    let project = "/dashboard/projects/web";
    let again = ada.submit(project, &format!("{project}/deploy"), &[]).await;
    let second = site.deployment(again.location().rsplit('/').next().unwrap()).await;
    assert_eq!(second.git_url, SSH);
}
