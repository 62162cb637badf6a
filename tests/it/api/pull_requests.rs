//! Pull and merge requests: previews while they are open, and nothing secret for forks.

use orbitra::model::transition::State;
use serde_json::json;

use super::pushes::{Hooked, accepted, ignored};
use crate::support::app::Reply;
use crate::support::forge::{AFTER, pull_request, pull_request_event};

const FORGES: [&str; 5] = ["github", "gitlab", "gitea", "forgejo", "bitbucket"];
const NEXT: &str = "a10867b14bb761a232cd80139fbd4c0d33264240";

/// Tells of a request from the branch `feature`.
async fn tell(hooked: &Hooked, id: &str, what: &str, sha: &str, fork: bool) -> Reply {
    let branch = if fork { "main" } else { "feature" };
    let payload = pull_request(hooked.provider, what, branch, sha, fork);
    let event = pull_request_event(hooked.provider, what);
    hooked.send(hooked.delivery(event, id, &payload)).await
}

#[tokio::test]
async fn a_request_of_every_forge_has_a_preview_until_it_is_closed() {
    for provider in FORGES {
        let hooked = Hooked::new(provider, json!({ "pull_requests": true })).await;
        let first = accepted(&tell(&hooked, "one", "opened", AFTER, false).await);
        let shown = hooked.client.get(&format!("/deployments/{first}")).await.expect(200);
        assert_eq!(
            (shown.at("/git/branch"), shown.at("/target"), shown.at("/trigger")),
            (json!("feature"), json!("preview"), json!("git_push")),
            "{provider}"
        );
        let again = tell(&hooked, "one", "opened", AFTER, false).await.expect(200);
        assert_eq!(again.json(), json!({ "status": "duplicate", "deployment_id": first }));
        ignored(&tell(&hooked, "two", "titled", AFTER, false).await, "event_not_supported");
        let second = accepted(&tell(&hooked, "three", "changed", NEXT, false).await);
        // The newer one takes the place of the one that waits.
        let state = hooked.client.get(&format!("/deployments/{first}")).await.at("/status");
        assert_eq!(state, "canceled");
        ignored(&tell(&hooked, "four", "closed", NEXT, false).await, "pull_request_closed");
        let ended = hooked.client.get(&format!("/deployments/{second}")).await;
        assert_eq!(
            (ended.at("/status"), ended.at("/cancel_reason")),
            (json!("canceled"), json!("branch_deleted"))
        );
        // One that is there already goes as well.
        let ready = accepted(&tell(&hooked, "five", "opened", NEXT, false).await);
        hooked.app.advance(&ready, State::Ready).await;
        ignored(&tell(&hooked, "six", "closed", NEXT, false).await, "pull_request_closed");
        let ended = hooked.client.get(&format!("/deployments/{ready}")).await;
        assert_eq!(ended.at("/status"), json!("removed"), "{provider}");
    }
}

#[tokio::test]
async fn what_was_pushed_and_asked_to_be_merged_is_deployed_once() {
    let hooked = Hooked::new("github", json!({ "pull_requests": true, "previews": true })).await;
    let pushed = accepted(&hooked.push("one", "feature", AFTER, "x").await);
    let asked = tell(&hooked, "two", "opened", AFTER, false).await.expect(200);
    assert_eq!(asked.json(), json!({ "status": "duplicate", "deployment_id": pushed }));
}

#[tokio::test]
async fn requests_are_taken_where_the_hook_says_so_and_never_for_production() {
    let hooked = Hooked::new("github", json!({ "previews": true })).await;
    ignored(&tell(&hooked, "one", "opened", AFTER, false).await, "pull_requests_off");
    let hooked = Hooked::new("github", json!({ "pull_requests": true })).await;
    let payload = pull_request("github", "opened", "main", AFTER, false);
    let delivery = hooked.delivery("pull_request", "one", &payload);
    ignored(&hooked.send(delivery).await, "branch_not_tracked");
    ignored(&hooked.push("two", "feature", AFTER, "x").await, "branch_not_tracked");
    for (path, wrong) in [
        ("/pull_request", json!(7)),
        ("/pull_request/head", json!(null)),
        ("/pull_request/head/ref", json!(["x"])),
        ("/pull_request/head/sha", json!({})),
        ("/pull_request/number", json!("7")),
        ("/action", json!(1)),
    ] {
        let mut payload = pull_request("github", "opened", "feature", AFTER, false);
        *payload.pointer_mut(path).unwrap() = wrong;
        if path.ends_with("number") {
            payload["number"] = json!("7");
        }
        let delivery = hooked.delivery("pull_request", path, &payload);
        assert_eq!(hooked.send(delivery).await.status, 400, "{path}");
    }
    assert_eq!(hooked.deployments().await, json!([]));
}

#[tokio::test]
async fn a_fork_makes_nothing_unless_the_project_allows_it_and_never_gets_a_secret() {
    for provider in ["github", "gitlab", "gitea"] {
        let hooked = Hooked::new(provider, json!({ "pull_requests": true })).await;
        ignored(&tell(&hooked, "one", "opened", AFTER, true).await, "fork");
        for (key, sensitive, target) in [
            ("OPEN", false, "all"),
            ("SECRET", true, "all"),
            ("OVERRIDDEN", false, "all"),
            ("OVERRIDDEN", true, "preview"),
        ] {
            let body =
                json!({"key": key, "value": "a value", "sensitive": sensitive, "target": target});
            hooked.client.post("/projects/web/env", body).await.expect(201);
        }
        hooked.patch(json!({ "source": { "fork_previews": true } })).await;
        let id = accepted(&tell(&hooked, "two", "opened", AFTER, true).await);
        let shown = hooked.client.get(&format!("/deployments/{id}")).await.expect(200);
        assert_eq!(
            (shown.at("/git/branch"), shown.at("/target"), shown.at("/environment_keys")),
            (json!("pull/7"), json!("preview"), json!(["OPEN"]))
        );
        // Deployed again by hand it is a stranger's as before.
        let again = hooked.client.post(&format!("/deployments/{id}/redeploy"), json!({})).await;
        let again = again.expect(201).text("/id");
        let shown = hooked.client.get(&format!("/deployments/{again}")).await.expect(200);
        assert_eq!(shown.at("/environment_keys"), json!(["OPEN"]));
        let own = accepted(&tell(&hooked, "three", "opened", NEXT, false).await);
        let shown = hooked.client.get(&format!("/deployments/{own}")).await.expect(200);
        assert_eq!(shown.at("/environment_keys"), json!(["OPEN", "OVERRIDDEN", "SECRET"]));
        // Closing the fork's closes nothing else.
        ignored(&tell(&hooked, "four", "closed", AFTER, true).await, "pull_request_closed");
        let state =
            async |id: &str| hooked.client.get(&format!("/deployments/{id}")).await.at("/status");
        assert_eq!((state(&id).await, state(&own).await), (json!("canceled"), json!("building")));
    }
    let hooked = Hooked::new("bitbucket", json!({ "pull_requests": true })).await;
    hooked.patch(json!({ "source": { "fork_previews": true } })).await;
    ignored(&tell(&hooked, "one", "opened", AFTER, true).await, "fork");
}
