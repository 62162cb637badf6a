//! Deployments, cancels, promotions, renames and removals in any order and all at once: nothing gets stuck.

use orbitra::crypto::random;
use serde_json::{Value, json};

use super::{Place, change};
use crate::support::api_client::{Api, text};
use crate::support::effort::effort;

/// Somebody who does one thing after the other to a project.
struct Somebody {
    api: Api,
    /// The project's name, its number, and how often it was made.
    number: usize,
    made: usize,
    project: Option<String>,
    url: String,
}

impl Somebody {
    async fn act(&mut self) {
        let Some(project) = self.project.clone() else {
            self.made += 1;
            let name = format!("shop-{}-{}", self.number, self.made);
            self.project = Some(self.api.project(&name, json!({})).await);
            return;
        };
        let [dice, which] = random::bytes::<2>();
        let deployments = self.api.statuses(&project).await;
        let one = deployments.get(usize::from(which) % deployments.len().max(1)).cloned();
        let (method, path, body): (_, _, Option<Value>) = match (dice % 16, one) {
            (0..=6, _) | (_, None) => (
                "POST",
                format!("/projects/{project}/deployments"),
                Some(json!({"git_url": self.url})),
            ),
            (7 | 8, Some((id, _))) => {
                ("POST", format!("/deployments/{id}/cancel"), Some(json!({})))
            }
            (9 | 10, Some((id, _))) => {
                ("POST", format!("/deployments/{id}/promote"), Some(json!({})))
            }
            (11, Some((id, _))) => ("DELETE", format!("/deployments/{id}"), None),
            (12, _) => ("POST", format!("/projects/{project}/restart"), Some(json!({}))),
            (13, _) => {
                self.made += 1;
                let name = format!("shop-{}-{}", self.number, self.made);
                ("PATCH", format!("/projects/{project}"), Some(json!({"name": name})))
            }
            (14, _) => ("POST", format!("/projects/{project}/rollback"), Some(json!({}))),
            (_, _) => {
                self.project = None;
                ("DELETE", format!("/projects/{project}"), None)
            }
        };
        let (status, answer) = self.api.call(method, &path, body).await;
        // Refused because of what another one did is an answer; nothing else is.
        assert!(matches!(status, 200..=204 | 404 | 409), "{method} {path}: {status} {answer}");
    }
}

#[tokio::test]
async fn whatever_the_order_everything_comes_to_its_end() {
    let mut place = Place::start_with(&[("ORBITRA_BUILD_CONCURRENCY", "3")]).await;
    let repository = place.repository("app", &json!({"body": "here", "build_takes": 10}));
    let each = effort("ORBITRA_TEST_SCHEDULES", 60);
    let mut all = tokio::task::JoinSet::new();
    for number in 0..4 {
        let mut somebody = Somebody {
            api: place.orbitra.api.clone(),
            number,
            made: 0,
            project: None,
            url: repository.url.clone(),
        };
        all.spawn(async move {
            for _ in 0..each {
                somebody.act().await;
            }
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    place.sound_for_good().await;
    // And the next one goes its way.
    let project = place.project("after").await;
    change(&repository, &json!({"body": "after all"}));
    let live = place.orbitra.api.deploy_live(&project, &repository).await;
    assert_eq!(place.own_site(&text(&live, "id")).await, "after all");
}
