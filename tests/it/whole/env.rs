//! Variables on their way into containers, and not into logs.

use serde_json::json;

use super::Whole;
use crate::support::api_client::text;
use crate::support::until::until;

const FIRST: &str = "tok-first-Zf83kQp1x";
const SECOND: &str = "tok-second-9LmW2rTy";

async fn set(whole: &Whole, project: &str, value: &str) {
    let path = format!("/projects/{project}/env/API_TOKEN");
    whole.api.done("PUT", &path, Some(json!({"value": value, "sensitive": true}))).await;
}

async fn pending(whole: &Whole, project: &str) -> bool {
    whole.api.get(&format!("/projects/{project}")).await["pending_redeploy"] == true
}

/// Whether the database or a log holds a text.
fn kept(whole: &Whole, wanted: &str) -> bool {
    let mut directories = vec![whole.data.path().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if let Ok(bytes) = std::fs::read(&path)
                && memchr::memmem::find(&bytes, wanted.as_bytes()).is_some()
            {
                return true;
            }
        }
    }
    false
}

#[tokio::test]
async fn variables_of_the_project_reach_the_container_and_no_log() {
    let whole = Whole::start().await;
    let says = format!("the token is {FIRST}, later {SECOND}.");
    let repository = whole.repository(&json!({"body": "here", "says": says}));
    let project = whole.project("shop").await;
    set(&whole, &project, FIRST).await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    assert_eq!(whole.engine.variable(&id, "API_TOKEN"), [Some(FIRST.to_owned())]);
    until("the line is in the log", async || {
        whole.api.log(&id).await.contains("the token is ***, later").then_some(())
    })
    .await;
    until("it is in the runtime log too", async || kept(&whole, "the token is ***").then_some(()))
        .await;
    assert!(!kept(&whole, FIRST));

    // A restart takes the variables of now; its output is masked with them.
    set(&whole, &project, SECOND).await;
    assert!(pending(&whole, &project).await);
    let terms = orbitra::app::terms::Terms::none();
    whole.app().restart_project(whole.actor(), &project, &terms).await.unwrap();
    whole.released(&id).await;
    until("one is left", async || (whole.engine.count().0 == 1).then_some(())).await;
    assert_eq!(whole.engine.variable(&id, "API_TOKEN"), [Some(SECOND.to_owned())]);
    assert!(!pending(&whole, &project).await);
    until("the line is in the log", async || kept(&whole, "later ***.").then_some(())).await;
}

#[tokio::test]
async fn a_restart_that_fails_leaves_the_variables_as_they_were() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "here"}));
    let project = whole.project("shop").await;
    set(&whole, &project, FIRST).await;
    let id = text(&whole.api.deploy_live(&project, &repository).await, "id");
    set(&whole, &project, SECOND).await;
    whole.engine.set_image_exit(&id, Some(1));
    let terms = orbitra::app::terms::Terms::none();
    whole.app().restart_project(whole.actor(), &project, &terms).await.unwrap();
    whole.released(&id).await;
    assert!(pending(&whole, &project).await);
    assert_eq!(whole.engine.variable(&id, "API_TOKEN"), [Some(FIRST.to_owned())]);
}
