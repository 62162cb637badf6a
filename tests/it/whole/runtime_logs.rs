//! What applications write and the requests they get, in the log of their project.

use serde_json::{Value, json};

use super::{Whole, change};
use crate::support::api_client::{host_of, text, try_visit};
use crate::support::until::until;

/// Lines of a log, once there are as many.
async fn lines(whole: &Whole, path: &str, count: usize) -> Vec<Value> {
    until("the lines are there", async || {
        let page = whole.api.get(path).await;
        let lines = page["data"].as_array().unwrap().clone();
        (lines.len() >= count).then_some(lines)
    })
    .await
}

#[tokio::test]
async fn output_and_requests_stand_in_one_log_of_the_project() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({ "says": "listening", "status": 200 }));
    let project = whole.project("shop").await;
    let first = whole.api.deploy_live(&project, &repository).await;
    let (first_id, port) = (text(&first, "id"), whole.api.port);
    let visit = async |path: &str| try_visit(port, "shop.localhost", path).await.unwrap();
    assert_eq!(visit("/cart?token=hunter2").await.status, 200);

    until("the request is counted", async || {
        let traffic = whole.app().traffic.get().unwrap().clone();
        (traffic.requests() >= 1 && traffic.hosts() >= 2).then_some(())
    })
    .await;

    let path = "/projects/shop/logs?source=proxy&q=CART";
    let line = lines(&whole, path, 1).await.remove(0);
    assert_eq!(line["deployment_id"], first_id.as_str());
    assert_eq!((&line["source"], &line["level"]), (&json!("proxy"), &json!("info")));
    let http = &line["http"];
    assert_eq!((&http["method"], &http["path"]), (&json!("GET"), &json!("/cart")));
    assert_eq!((&http["status"], &http["ip"]), (&json!(200), &json!("127.0.0.1")));
    assert!(http["request_id"].as_str().unwrap().starts_with("req_"));
    assert!(!line.to_string().contains("hunter2"), "{line}");

    change(&repository, &json!({ "says": "second is here", "status": 500 }));
    let second = whole.api.deploy(&project, &repository, json!({})).await;
    let second_id = text(&whole.api.finished(&second).await, "id");
    // It never became healthy: what it wrote is in the log all the same, and it serves nobody.
    let output = lines(&whole, &format!("/deployments/{second_id}/runtime-logs"), 1).await;
    assert_eq!(output[0]["message"], "second is here");
    assert_eq!((&output[0]["source"], &output[0]["instance"]), (&json!("app"), &json!("1")));
    let of_first = lines(&whole, &format!("/projects/shop/logs?deployment_id={first_id}"), 2).await;
    assert!(of_first.iter().all(|line| line["deployment_id"] == first_id.as_str()));
    assert!(of_first.iter().any(|line| line["message"] == "listening"));

    let host = host_of(&text(&first, "url"));
    assert_eq!(try_visit(port, &host, "/own").await.unwrap().status, 200);
    lines(&whole, &format!("/deployments/{first_id}/runtime-logs?q=/own"), 1).await;
    let none = whole.api.get("/projects/shop/logs?status=5xx").await;
    assert_eq!(none["data"], json!([]));

    let log = whole.data.path().join("logs/runtime").join(&project);
    assert!(log.is_dir());
    whole.api.done("DELETE", "/projects/shop", None).await;
    until("the log is gone with the project", async || (!log.exists()).then_some(())).await;
}
