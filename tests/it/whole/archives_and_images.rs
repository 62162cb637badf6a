//! Deployments of what is not a repository: an archive that was sent, an image.

use serde_json::{Value, json};

use super::{DOCKERFILE, Whole};
use crate::support::api_client::text;
use crate::support::archive;
use crate::support::until::until;

const IMAGE: &str = "127.0.0.1:5000/team/app:1";

/// An archive whose application behaves like this.
fn archive_of(app: &Value) -> Vec<u8> {
    archive::of(&[("./Dockerfile", DOCKERFILE), ("./app.json", &app.to_string())])
}

fn pin(digest: &str) -> String {
    format!("127.0.0.1:5000/team/app@{digest}")
}

fn uploads(whole: &Whole) -> usize {
    std::fs::read_dir(whole.data.path().join("uploads")).unwrap().count()
}

#[tokio::test]
async fn an_archive_becomes_a_site() {
    let whole = Whole::start().await;
    let (api, project) = (&whole.api, whole.project("shop").await);
    let upload = api.upload(&project, archive_of(&json!({"body": "from an archive"}))).await;
    let id = api.deploy_with(&project, json!({"upload_id": upload})).await;
    let live = api.live(&id).await;
    assert_eq!(whole.site("shop").await, "from an archive");
    assert_eq!((&live["upload_id"], &live["git"]["url"]), (&json!(upload), &Value::Null));
    assert_eq!(live["framework"], "dockerfile");
    let log = api.log(&id).await;
    assert!(log.contains(&format!("Unpacking {upload}")), "{log}");
    // The unpacked files are gone with the build.
    assert_eq!(uploads(&whole), 1);
    assert_eq!(api.get(&format!("/projects/{project}")).await["source"]["git_url"], Value::Null);

    let next = archive_of(&json!({"body": "newer"}));
    let next = api.upload(&project, next).await;
    let second = api.deploy_with(&project, json!({"upload_id": next})).await;
    api.live(&second).await;
    assert_eq!(whole.site("shop").await, "newer");
    // The first archive is still there to be deployed again.
    let again = api.done("POST", &format!("/deployments/{id}/redeploy"), None).await;
    let again = api.live(&text(&again, "id")).await;
    assert_eq!(whole.site("shop").await, "from an archive");
    assert_eq!((&again["trigger"], &again["upload_id"]), (&json!("redeploy"), &json!(upload)));

    // With the project everything of it goes.
    api.done("DELETE", &format!("/projects/{project}"), None).await;
    until("nothing is left", async || (whole.engine.count() == (0, 0, 0, 0)).then_some(())).await;
    until("the rows are gone", async || {
        whole.app().clean_uploads().await;
        (uploads(&whole) == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_part_of_an_archive_can_be_deployed() {
    let whole = Whole::start().await;
    let (api, project) = (&whole.api, whole.project("shop").await);
    let (one, two) = (json!({"body": "one"}).to_string(), json!({"body": "two"}).to_string());
    let sent = archive::of(&[
        ("a/Dockerfile", DOCKERFILE),
        ("a/app.json", &one),
        ("b/Dockerfile", DOCKERFILE),
        ("b/app.json", &two),
    ]);
    let upload = api.upload(&project, sent.clone()).await;
    let body = json!({"upload_id": upload, "root_dir": "b"});
    api.live(&api.deploy_with(&project, body).await).await;
    assert_eq!(whole.site("shop").await, "two");
    // A directory that is not in it.
    let upload = api.upload(&project, sent).await;
    let body = json!({"upload_id": upload, "root_dir": "c"});
    let error = api.failure(&api.deploy_with(&project, body).await).await;
    assert_eq!(error["code"], "detect_failed");
    assert_eq!(whole.site("shop").await, "two");
}

#[tokio::test]
async fn files_of_an_archive_need_no_container() {
    let whole = Whole::start().await;
    let (api, project) = (&whole.api, whole.project("site").await);
    let upload = api.upload(&project, archive::of_example("static-site")).await;
    api.live(&api.deploy_with(&project, json!({"upload_id": upload})).await).await;
    assert!(whole.site("site").await.contains("<h1"));
    assert_eq!(whole.engine.count().0, 0);
}

#[tokio::test]
async fn an_archive_that_was_changed_on_the_disk_is_not_built() {
    let whole = Whole::start().await;
    let (api, project) = (&whole.api, whole.project("shop").await);
    let upload = api.upload(&project, archive_of(&json!({}))).await;
    let path = whole.data.path().join("uploads").join(format!("{upload}.tar.gz"));
    for (content, told) in [
        (Some(archive::hostile("../x", tar::EntryType::Regular, "")), "`../x`"),
        (Some(b"x".to_vec()), "gzip"),
        (None, "Upload it again."),
    ] {
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let upload = json!({"upload_id": upload});
        let path = format!("/projects/{project}/deployments");
        let (status, made) = api.call("POST", &path, Some(upload)).await;
        let id = match status {
            201 => text(&made, "id"),
            // Used by the first of them.
            _ => {
                let newest = api.statuses(&project).await[0].0.clone();
                let again =
                    api.done("POST", &format!("/deployments/{newest}/redeploy"), None).await;
                text(&again, "id")
            }
        };
        let error = api.failure(&id).await;
        assert_eq!(error["code"], "clone_failed");
        assert!(text(&error, "message").contains(told), "{error}");
    }
    assert_eq!(whole.engine.count(), (0, 0, 0, 0));
}

#[tokio::test]
async fn an_image_becomes_a_site_and_keeps_its_digest() {
    let whole = Whole::start().await;
    let (api, project) = (&whole.api, whole.project("shop").await);
    let first_digest = whole.engine.publish(IMAGE, &json!({"body": "first"}));
    let first = api.deploy_with(&project, json!({"image": IMAGE})).await;
    let live = api.live(&first).await;
    assert_eq!(whole.site("shop").await, "first");
    assert_eq!((&live["image"], &live["framework"]), (&json!(IMAGE), &Value::Null));
    assert_eq!(whole.stored(&first).await.image_pin, Some(pin(&first_digest)));
    let log = api.log(&first).await;
    for line in [&format!("Pulling {}", pin(&first_digest)), "Pull complete", "GET / answered 200"]
    {
        assert!(log.contains(line), "no {line:?} in\n{log}");
    }
    let shown = api.get(&format!("/projects/{project}")).await;
    assert_eq!((&shown["source"]["git_url"], &shown["framework"]), (&Value::Null, &Value::Null));

    // The tag moves: what runs stays, what is repeated stays, what is asked for anew is new.
    let second_digest = whole.engine.publish(IMAGE, &json!({"body": "second"}));
    let again = api.done("POST", &format!("/deployments/{first}/redeploy"), None).await;
    let again = text(&again, "id");
    api.live(&again).await;
    assert_eq!(whole.site("shop").await, "first");
    let second = api.deploy_with(&project, json!({"image": IMAGE})).await;
    api.live(&second).await;
    assert_eq!(whole.site("shop").await, "second");
    api.done("POST", &format!("/projects/{project}/rollback"), None).await;
    whole.released(&again).await;
    assert_eq!(whole.site("shop").await, "first");

    // An image is kept for as long as a deployment needs it.
    let tag = |id: &str| format!("orbitra/{project}:{id}");
    api.done("DELETE", &format!("/deployments/{first}"), None).await;
    until("its tag is gone", async || {
        (!whole.engine.pulled().contains(&tag(&first))).then_some(())
    })
    .await;
    assert!(whole.engine.pulled().contains(&pin(&first_digest)));
    api.done("DELETE", &format!("/deployments/{second}"), None).await;
    until("the other image is gone", async || {
        (!whole.engine.pulled().contains(&pin(&second_digest))).then_some(())
    })
    .await;
    assert_eq!(whole.engine.pulled(), [pin(&first_digest), tag(&again)]);
    api.done("DELETE", &format!("/projects/{project}"), None).await;
    until("nothing is left", async || whole.engine.pulled().is_empty().then_some(())).await;
}

#[tokio::test]
async fn an_image_of_somebody_else_is_never_removed() {
    let whole = Whole::start().await;
    let (api, project) = (&whole.api, whole.project("shop").await);
    let digest = whole.engine.publish(IMAGE, &json!({"body": "shared"}));
    whole.engine.pull_as_somebody(&pin(&digest));
    api.live(&api.deploy_with(&project, json!({"image": IMAGE})).await).await;
    // A second deployment of it makes it no more ours.
    api.live(&api.deploy_with(&project, json!({"image": IMAGE})).await).await;
    api.done("DELETE", &format!("/projects/{project}"), None).await;
    until("what is ours is gone", async || (whole.engine.pulled().len() == 1).then_some(())).await;
    assert_eq!(whole.engine.pulled(), [pin(&digest)]);
}

#[tokio::test]
async fn a_private_image_needs_the_teams_credentials() {
    let whole = Whole::start().await;
    let (api, project) = (&whole.api, whole.project("shop").await);
    let digest = whole.engine.publish(IMAGE, &json!({"body": "private"}));
    whole.engine.set_credentials("deploy", "ORBCANARY");
    let deploy = async || api.deploy_with(&project, json!({"image": IMAGE})).await;
    let without = api.failure(&deploy().await).await;
    assert_eq!((&without["code"], &without["phase"]), (&json!("auth_failed"), &json!("building")));
    assert!(text(&without, "message").contains("POST /registries"), "{without}");

    let store = async |password: &str| {
        let body = json!({"host": "127.0.0.1:5000", "username": "deploy", "password": password});
        text(&api.done("POST", "/registries", Some(body)).await, "id")
    };
    let wrong = store("ORBCANARY-wrong").await;
    let id = deploy().await;
    let error = api.failure(&id).await;
    assert_eq!(error["code"], "auth_failed");
    assert!(text(&error, "message").contains("refused the user name and the password"), "{error}");
    assert!(!error.to_string().contains("ORBCANARY") && !api.log(&id).await.contains("ORBCANARY"));
    api.done("DELETE", &format!("/registries/{wrong}"), None).await;

    store("ORBCANARY").await;
    let id = deploy().await;
    api.live(&id).await;
    assert_eq!(whole.site("shop").await, "private");
    assert_eq!(whole.engine.variable(&id, "PASSWORD"), [None]);
    assert_eq!(whole.stored(&id).await.image_pin, Some(pin(&digest)));
}

#[tokio::test]
async fn an_image_that_cannot_be_had() {
    let whole = Whole::start().await;
    let (api, project) = (&whole.api, whole.project("shop").await);
    whole.engine.publish(IMAGE, &json!({"body": "good"}));
    api.live(&api.deploy_with(&project, json!({"image": IMAGE})).await).await;
    let before = (whole.engine.count(), whole.engine.pulled());
    let digest = format!("sha256:{:064x}", 99);
    for (image, code) in [
        ("127.0.0.1:5000/team/app:none".to_owned(), "image_not_found"),
        (format!("127.0.0.1:5000/team/app@{digest}"), "image_not_found"),
        ("registry.invalid/team/app".to_owned(), "engine_error"),
    ] {
        let error = api.failure(&api.deploy_with(&project, json!({"image": image})).await).await;
        assert_eq!(
            (&error["code"], &error["phase"]),
            (&json!(code), &json!("building")),
            "{error}"
        );
        assert_eq!((whole.engine.count(), whole.engine.pulled()), before, "{image}");
    }
    // Its process ends: what was pulled for it goes again.
    let broken = "127.0.0.1:5000/team/broken:1";
    whole.engine.publish(broken, &json!({"exit": 78}));
    let error = api.failure(&api.deploy_with(&project, json!({"image": broken})).await).await;
    assert_eq!((&error["code"], &error["exit_code"]), (&json!("start_failed"), &json!(78)));
    assert_eq!((whole.engine.count(), whole.engine.pulled()), before);
    assert_eq!(whole.site("shop").await, "good");
}

#[tokio::test]
async fn a_pull_can_be_canceled_and_begins_again_after_a_crash() {
    let mut whole = Whole::start().await;
    let project = whole.project("shop").await;
    let hanging = whole.engine.publish(IMAGE, &json!({"build_hangs": true}));
    let id = whole.api.deploy_with(&project, json!({"image": IMAGE})).await;
    whole.phase(&id, "building").await;
    until("it is being pulled", async || whole.stored(&id).await.image_pin).await;
    whole.api.done("POST", &format!("/deployments/{id}/cancel"), None).await;
    assert_eq!(whole.api.finished(&id).await["status"], "canceled");
    assert_eq!(whole.engine.pulled(), Vec::<String>::new());

    let id = whole.api.deploy_with(&project, json!({"image": IMAGE})).await;
    until("it is being pulled", async || whole.stored(&id).await.image_pin).await;
    until("the engine pulls", async || (whole.engine.pulls() == 2).then_some(())).await;
    whole.cut_off();
    // The tag moves meanwhile; what was begun is what is done.
    whole.engine.publish(IMAGE, &json!({"body": "another"}));
    whole.run().await;
    until("it is being pulled again", async || (whole.engine.pulls() == 3).then_some(())).await;
    assert_eq!(whole.stored(&id).await.image_pin, Some(pin(&hanging)));
    whole.api.done("POST", &format!("/deployments/{id}/cancel"), None).await;
    assert_eq!(whole.api.finished(&id).await["status"], "canceled");
}
