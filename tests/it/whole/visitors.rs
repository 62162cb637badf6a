//! What a project sets for its visitors, by the API; what it speaks; and the figures.

use serde_json::json;

use super::Whole;
use crate::support::api_client::try_visit;
use crate::support::until::until;

#[tokio::test]
async fn settings_for_visitors_count_at_once_and_passwords_are_not_shown() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    let path = format!("/projects/{project}");
    let login = json!({"user": "guest", "password": "correct horse"});
    let set = json!({"proxy": {
        "login": login, "headers": "/*\n  X-Shop: yes", "redirects": "/old /new 302", "max_body_mb": 10,
        "compress": true,
    }});
    let shown = whole.api.done("PATCH", &path, Some(set)).await;
    assert_eq!(shown["proxy"]["login"], json!({"user": "guest"}));
    assert_eq!(shown["proxy"]["max_body_mb"], 10);
    until("visitors are asked", async || {
        (whole.visit("shop.localhost").await.status == 401).then_some(())
    })
    .await;
    // What was read may be sent back; the password stays.
    let back = json!({"proxy": shown["proxy"]});
    whole.api.done("PATCH", &path, Some(back)).await;
    assert_eq!(whole.visit("shop.localhost").await.status, 401);
    let audit = whole.api.get("/audit-log").await.to_string();
    for secret in ["correct horse", "argon2"] {
        assert!(!audit.contains(secret) && !shown.to_string().contains(secret));
    }
    whole.api.done("PATCH", &path, Some(json!({"proxy": {"login": null}}))).await;
    until("nobody is asked", async || {
        let answer = whole.visit("shop.localhost").await;
        (answer.status == 200 && answer.headers.contains_key("x-shop")).then_some(())
    })
    .await;
    let moved = try_visit(whole.api.port, "shop.localhost", "/old").await.unwrap();
    assert_eq!(
        (moved.status.as_u16(), &moved.headers["location"]),
        (302, &"/new".parse().unwrap())
    );
    whole.api.done("PATCH", &path, Some(json!({"proxy": {"maintenance": true}}))).await;
    until("visitors are told", async || {
        (whole.visit("shop.localhost").await.status == 503).then_some(())
    })
    .await;
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_by_name() {
    let whole = Whole::start().await;
    let project = whole.project("shop").await;
    let path = format!("/projects/{project}");
    let before = whole.api.get(&path).await;
    for (set, field) in [
        (json!({"max_body_mb": 0}), "proxy.max_body_mb"),
        (json!({"max_body_mb": 102_401}), "proxy.max_body_mb"),
        (json!({"first_byte_seconds": 3601}), "proxy.first_byte_seconds"),
        (json!({"idle_seconds": -1}), "proxy.idle_seconds"),
        (json!({"allow": ["10.0.0.0/33"]}), "proxy.allow"),
        (json!({"deny": ["somewhere"]}), "proxy.deny"),
        (json!({"deny": vec!["10.0.0.1"; 257]}), "proxy.deny"),
        (json!({"redirects": "nonsense"}), "proxy.redirects"),
        (json!({"redirects": "x".repeat(17_000)}), "proxy.redirects"),
        (json!({"headers": "X-A: b"}), "proxy.headers"),
        (json!({"login": {"user": "a:b", "password": "long enough"}}), "proxy.login.user"),
        (json!({"login": {"user": "a", "password": "short"}}), "proxy.login.password"),
        (json!({"login": {"user": "a"}}), "proxy.login.password"),
        (json!({"login": "a"}), "proxy.login"),
        (json!({"nonsense": true}), "proxy.nonsense"),
    ] {
        let (status, answer) =
            whole.api.call("PATCH", &path, Some(json!({"proxy": set.clone()}))).await;
        assert!([400, 422].contains(&status), "{set}: {status} {answer}");
        assert!(answer.to_string().contains(field), "{set}: {answer}");
    }
    let (status, answer) =
        whole.api.call("PATCH", &path, Some(json!({"runtime": {"protocol": "spdy"}}))).await;
    assert!(
        [400, 422].contains(&status) && answer.to_string().contains("runtime.protocol"),
        "{answer}"
    );
    assert_eq!(whole.api.get(&path).await, before);
}

#[tokio::test]
async fn what_was_answered_is_counted_for_prometheus() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address: &'static str = format!("127.0.0.1:{port}").leak();
    let whole = Whole::start_with(&[("ORBITRA_METRICS_LISTEN", address)]).await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    let deployment = whole.api.deploy_live(&project, &repository).await;
    for _ in 0..5 {
        assert_eq!(whole.visit("shop.localhost").await.status, 200);
    }
    let labels = format!(
        "{{project=\"shop\",project_id=\"{project}\",deployment_id=\"{}\"",
        deployment["id"].as_str().unwrap()
    );
    let text = until("the figures are there", async || {
        let answer = try_visit(port, "127.0.0.1", "/metrics").await.ok()?;
        let counted = format!("orbitra_deployment_requests_total{labels},class=\"2xx\"}} 5\n");
        answer.body.contains(&counted).then_some(answer.body)
    })
    .await;
    for line in [
        format!("orbitra_deployment_request_duration_seconds_count{labels}}} 5\n"),
        format!("orbitra_deployment_requests_in_flight{labels}}} 0\n"),
        format!("orbitra_deployment_response_bytes_total{labels}}} 15\n"),
        "# TYPE orbitra_deployment_request_duration_seconds histogram\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}\n{text}");
    }
    // Nowhere else.
    for host in ["127.0.0.1", "shop.localhost"] {
        let answer = try_visit(whole.api.port, host, "/metrics").await.unwrap();
        assert!(!answer.body.contains("orbitra_deployment"), "{host}");
    }
}
