//! Promote, roll back, deploy again, delete, pause, resume and restart, as buttons.

use super::browser::Browser;
use super::site::Site;

const PROJECT: &str = "/dashboard/projects/web";

async fn deploy(site: &Site, ada: &mut Browser, live: bool) -> String {
    let action = format!("{PROJECT}/deploy");
    let made = ada.submit(PROJECT, &action, &[]).await;
    let id = made.location().strip_prefix("/dashboard/deployments/").unwrap().to_owned();
    site.finish(&id, live).await;
    id
}

fn page(id: &str) -> String {
    format!("/dashboard/deployments/{id}")
}

#[tokio::test]
async fn rolling_back_says_what_to_and_when_that_was_made() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let first = ada.project("web").await;
    site.finish(&first, true).await;
    let action = format!("{PROJECT}/rollback");
    assert!(!ada.get(PROJECT).await.body.contains(&action), "there is nothing to go back to");
    let second = deploy(&site, &mut ada, true).await;
    let shown = ada.get(PROJECT).await;
    assert!(
        shown.text("#rollback-dialog h2").contains(&first),
        "{}",
        shown.text("#rollback-dialog")
    );
    let means = shown.text("#rollback-dialog");
    assert!(means.contains(&second) && means.contains("made 23 Nov 12:00 UTC"), "{means}");
    assert_eq!(shown.attribute("#rollback-dialog input[name=deployment]", "value"), first);
    let fields = [("deployment", first.as_str())];
    let asked = ada.submit(PROJECT, &action, &fields).await;
    assert_eq!((asked.status.as_u16(), asked.location()), (303, page(&first).as_str()));
    let going = ada.get(&page(&first)).await;
    assert!(going.text(".notice").contains("gets the traffic back as soon as it answers"));
    assert_eq!(going.text("title"), "Starting · web · Orbitra");
    assert!(going.text("#state").contains(&format!("Visitors see {second} until then.")));
    assert!(!going.body.contains("rollback-dialog"), "it is on its way");
    assert_eq!(site.written("deployment.rolled_back").await, 1);
    // On the page of the deployment it is the same; the live one cannot be rolled back to.
    let own = format!("{}/rollback", page(&second));
    let token = ada.get("/dashboard").await.token("/logout");
    let refused = ada.post(&own, &[("csrf", &token)]).await;
    assert_eq!(refused.location(), page(&second));
    let notice = ada.get(&page(&second)).await.text(".notice.bad");
    assert_eq!(notice, "Nothing was changed. This deployment cannot get the production traffic.");
}

#[tokio::test]
async fn what_cannot_be_done_has_no_button_and_says_why_when_it_is_asked_for() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let first = ada.project("web").await;
    let buttons = |page: &super::browser::Page| {
        ["cancel", "promote", "rollback", "redeploy", "delete-yes"]
            .into_iter()
            .filter(|id| page.body.contains(&format!("id=\"{id}\"")))
            .collect::<Vec<_>>()
    };
    assert_eq!(buttons(&ada.get(&page(&first)).await), ["cancel"], "while it is built");
    let token = ada.get("/dashboard").await.token("/logout");
    for (action, said) in [
        ("promote", "cannot get the production traffic"),
        ("rollback", "cannot get the production traffic"),
        ("delete", "It is being built. Cancel it first."),
    ] {
        let refused = ada.post(&format!("{}/{action}", page(&first)), &[("csrf", &token)]).await;
        assert_eq!(
            (refused.status.as_u16(), refused.location()),
            (303, page(&first).as_str()),
            "{action}"
        );
        let notice = ada.get(&page(&first)).await.text(".notice.bad");
        assert!(notice.starts_with("Nothing was changed.") && notice.contains(said), "{notice}");
    }
    site.finish(&first, false).await;
    assert_eq!(buttons(&ada.get(&page(&first)).await), ["promote", "redeploy", "delete-yes"]);
    site.point_at(&first).await;
    assert_eq!(buttons(&ada.get(&page(&first)).await), ["redeploy"], "visitors get it");
    let refused = ada.post(&format!("{}/delete", page(&first)), &[("csrf", &token)]).await;
    assert_eq!(refused.location(), page(&first));
    assert!(
        ada.get(&page(&first)).await.text(".notice.bad").contains("Promote another one first.")
    );
    deploy(&site, &mut ada, true).await;
    assert_eq!(buttons(&ada.get(&page(&first)).await), ["rollback", "redeploy", "delete-yes"]);
    // One that is not of this project.
    let action = format!("{PROJECT}/rollback");
    for id in ["dep_7k2m9qhx4t8w1z3c", "x", "../web"] {
        let missing = ada.post(&action, &[("csrf", &token), ("deployment", id)]).await;
        assert_eq!(missing.status, 404, "{id}");
    }
}

#[tokio::test]
async fn a_staged_deployment_is_promoted_and_an_old_one_deleted() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let first = ada.project("web").await;
    site.finish(&first, true).await;
    let second = deploy(&site, &mut ada, false).await;
    let promote = format!("{}/promote", page(&second));
    let shown = ada.get(&page(&second)).await;
    assert!(shown.text("#promote-dialog").contains(&format!("{first} → {second}")));
    let asked = ada.submit(&page(&second), &promote, &[]).await;
    assert_eq!(asked.location(), page(&second));
    assert!(ada.get(&page(&second)).await.text(".notice").contains("gets the traffic as soon as"));
    assert_eq!(site.written("deployment.promoted").await, 1);
    site.point_at(&second).await;
    let delete = format!("{}/delete", page(&first));
    let deleted = ada.submit(&page(&first), &delete, &[]).await;
    assert_eq!(deleted.location(), PROJECT, "{}", deleted.body);
    assert!(ada.get(PROJECT).await.text(".notice").contains("is deleted."));
    assert_eq!(ada.get(&page(&first)).await.status, 404);
}

#[tokio::test]
async fn deploying_again_takes_the_same_commit_and_may_leave_the_cache() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let first = ada.project("web").await;
    site.finish(&first, true).await;
    let action = format!("{}/redeploy", page(&first));
    let again = ada.submit(&page(&first), &action, &[]).await;
    let id = again.location().strip_prefix("/dashboard/deployments/").unwrap().to_owned();
    assert!(!site.deployment(&id).await.clear_cache);
    let clean = ada.submit(&page(&first), &action, &[("clear_cache", "yes")]).await;
    let id = clean.location().strip_prefix("/dashboard/deployments/").unwrap().to_owned();
    assert!(site.deployment(&id).await.clear_cache);
}

#[tokio::test]
async fn a_project_is_paused_and_resumed_and_restarted() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let first = ada.project("web").await;
    let [pause, resume, restart] =
        ["pause", "resume", "restart"].map(|action| format!("{PROJECT}/{action}"));
    assert!(!ada.get(PROJECT).await.body.contains(&restart), "nothing runs");
    let token = ada.get("/dashboard").await.token("/logout");
    ada.post(&restart, &[("csrf", &token)]).await;
    assert_eq!(ada.get(PROJECT).await.text(".notice.bad"), "Nothing was restarted: nothing runs.");
    site.finish(&first, true).await;
    assert_eq!(ada.submit(PROJECT, &restart, &[]).await.location(), PROJECT);
    let shown = ada.get(PROJECT).await;
    assert!(
        shown.text(".notice.ok").contains("A new container takes over"),
        "{}",
        shown.text("main")
    );
    assert_eq!(site.written("project.restarted").await, 1);
    let live = ada.get(&page(&first)).await;
    assert_eq!(live.text("title"), "Live · web · Orbitra", "visitors get it all the time");
    assert!(live.text("#state").contains("Is being restarted."));

    assert!(ada.get(PROJECT).await.text("#pause-dialog").contains("Nothing is deleted."));
    assert_eq!(ada.submit(PROJECT, &pause, &[]).await.location(), PROJECT);
    let paused = ada.get(PROJECT).await;
    assert_eq!(paused.text("title"), "Paused · web · Orbitra");
    assert!(!paused.body.contains("/deploy\"") && !paused.body.contains(&restart));
    assert!(ada.get("/dashboard").await.text("article").contains("Paused"));
    let refused = ada.post(&format!("{}/redeploy", page(&first)), &[("csrf", &token)]).await;
    assert_eq!(refused.location(), page(&first));
    let notice = ada.get(&page(&first)).await.text(".notice.bad");
    assert_eq!(notice, "Nothing was changed. The project is paused. Resume it first.");
    assert_eq!(ada.submit(PROJECT, &resume, &[]).await.location(), PROJECT);
    let resumed = ada.get(PROJECT).await;
    assert_eq!(resumed.text(".notice.ok"), "Resumed.");
    assert_eq!(resumed.text("title"), "Live · web · Orbitra");
}

#[tokio::test]
async fn after_a_rollback_the_project_says_what_waits_and_has_a_button_against_it() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let first = ada.project("web").await;
    site.finish(&first, true).await;
    assert!(!ada.get(PROJECT).await.body.contains("held-back"));
    let (app, id) = (site.app.clone(), orbitra::model::ids::DeploymentId::parse(&first).unwrap());
    let paused = app.db.write(move |c| -> Result<(), orbitra::db::DbError> {
        let deployment = orbitra::db::deployments::find_any(c, &id)?.unwrap();
        let since = Some(deployment.created_at);
        orbitra::db::projects::pause_release(c, &deployment.project_id, since)
    });
    paused.await.unwrap();
    let shown = ada.get(PROJECT).await.text("#held-back");
    assert!(shown.contains("waits on its own URL until somebody promotes it"), "{shown}");
    let action = format!("{}/promote", page(&first));
    let asked = ada.submit(PROJECT, &action, &[]).await;
    assert_eq!(asked.location(), page(&first));
    let notice = ada.get(&page(&first)).await.text(".notice");
    assert!(notice.contains("by themselves again"), "{notice}");
    assert!(!ada.get(PROJECT).await.body.contains("held-back"));
}
