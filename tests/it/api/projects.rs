//! `/projects`.

use serde_json::{Value, json};

use crate::support::app::TestApp;

#[tokio::test]
async fn the_given_shapes() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let body = json!({ "name": "my-new-app", "region": "us-west-2", "framework": "nodejs" });
    let made = client.post("/api/v1/projects", body).await.expect(201);
    let id = made.text("/id");
    assert!(id.starts_with("prj_") && id.len() == 20);
    assert_eq!(
        made.body(),
        format!(
            r#"{{"id":"{id}","name":"my-new-app","region":"us-west-2","framework":"nodejs","status":"pending","created_at":"2026-01-20T16:30:00Z"}}"#
        )
    );
    assert_eq!(made.header("location"), format!("/api/v1/projects/{id}"));
    let list = client.get("/projects?page=1&limit=20").await.expect(200);
    assert_eq!(
        list.body(),
        format!(
            r#"{{"data":[{{"id":"{id}","name":"my-new-app","region":"us-west-2","status":"pending","created_at":"2026-01-20T16:30:00Z"}}],"pagination":{{"page":1,"limit":20,"total":1}}}}"#
        )
    );
    assert_eq!(list.header("link"), "");
    let team = client.get("/users/me?include=default_team_id").await.text("/default_team_id");
    let full = format!(
        r#"{{"id":"{id}","name":"my-new-app","region":"us-west-2","framework":"nodejs","status":"pending","created_at":"2026-01-20T16:30:00Z","updated_at":"2026-01-20T16:30:00Z","team_id":"{team}","url":"https://my-new-app.example.com","source":{{"git_url":null,"branch":null,"root_dir":"/","auth":"none","watch_paths":[],"fork_previews":false}},"build":{{"builder":"auto","dockerfile":"Dockerfile","install_command":null,"build_command":null,"start_command":null,"output_dir":null,"timeout_seconds":1800}},"runtime":{{"port":null,"protocol":"http1","instances":1,"cpu_millis":1000,"memory_mb":512,"healthcheck":{{"path":"/","expect":"200-399","interval_seconds":5,"timeout_seconds":5,"grace_seconds":60}},"release":{{"strategy":"rolling","drain_seconds":null,"stop_seconds":10,"watch_seconds":60}},"sleep":{{"live":false,"crawlers":false}}}},"proxy":{{"max_body_mb":null,"first_byte_seconds":null,"idle_seconds":null,"maintenance":false,"compress":false,"redirects":"","headers":"","allow":[],"deny":[],"login":null,"sign_in":"none"}},"auto_deploy":true,"preview_deployments":false,"keep_images":5,"live_deployment_id":null,"latest_deployment_id":null,"pending_redeploy":false,"release_paused_at":null,"domains":["my-new-app.example.com"],"description":null}}"#
    );
    assert_eq!(client.get(&format!("/projects/{id}")).await.expect(200).body(), full);
    assert_eq!(client.get("/projects/my-new-app").await.expect(200).body(), full);
    let all = client.get("/projects?include=*").await.expect(200);
    assert_eq!(
        all.body(),
        format!(r#"{{"data":[{full}],"pagination":{{"page":1,"limit":20,"total":1}}}}"#)
    );
    let some = client.get("/projects?include=url,framework").await.expect(200);
    assert_eq!(some.at("/data/0").as_object().unwrap().len(), 7);
}

#[tokio::test]
async fn what_was_read_can_be_sent_back() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let id = client.project("my-app").await;
    let path = format!("/projects/{id}");
    let mut full = client.get(&path).await.json();
    client.patch(&path, &full).await.expect(200);
    full["runtime"]["port"] = json!(8080.0);
    full["description"] = "Shop".into();
    let changed = client.patch(&path, &full).await.expect(200);
    assert_eq!(
        (changed.at("/runtime/port"), changed.at("/description")),
        (8080.into(), "Shop".into())
    );
    // Nested objects merge, null clears.
    let body = json!({ "description": null, "runtime": { "port": null, "healthcheck": { "path": "/up" } } });
    let changed = client.patch(&path, body).await.expect(200);
    assert_eq!(changed.at("/description"), Value::Null);
    assert_eq!(changed.at("/runtime/port"), Value::Null);
    assert_eq!(changed.at("/runtime/healthcheck/path"), "/up");
    assert_eq!(changed.at("/runtime/healthcheck/expect"), "200-399");
    client.patch(&path, "{}").await.expect(200);
    let renamed = client.patch("/projects/my-app", json!({ "name": "shop" })).await.expect(200);
    assert_eq!(renamed.at("/url"), "https://shop.example.com");
    client.get("/projects/my-app").await.expect(404);
    client.project("my-app").await;
    let taken = client.patch(&path, json!({ "name": "my-app" })).await;
    assert_eq!(taken.error("reason"), (409, "conflict".to_owned(), "name_taken".into()));
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_none() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let path = format!("/projects/{}", client.project("my-app").await);
    let before = client.get(&path).await.expect(200);
    for body in [json!({}), json!({ "name": "my-app", "runtime": { "instances": 1 } })] {
        client.patch(&path, &body).await.expect(200);
        let same = client.get(&path).await;
        assert_eq!(same.header("etag"), before.header("etag"), "{body}");
    }
    let audited = client.get("/audit-log?action=project.updated").await;
    assert_eq!(audited.at("/data"), json!([]));
    client.patch(&path, json!({ "description": "x" })).await.expect(200);
    assert_ne!(client.get(&path).await.header("etag"), before.header("etag"));
}

#[tokio::test]
async fn names() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let long = "a".repeat(41);
    for name in [
        "a;id>PWNED",
        "$(id)",
        "`id`",
        "a&&id",
        "a|id",
        "a'b",
        "a\"b",
        "a b",
        "a\nid",
        "a%0aid",
        "a\0b",
        "a*",
        "a{b,c}",
        "xn--pypal-4ve",
        "аdmin",
        "ＡＢＣ",
        "İ",
        &long,
        "",
        ".",
        "..",
        "../b",
        "a/../b",
        "..%2fb",
        "a\\b",
        "C:",
        "www",
        "api",
        "admin",
        "orbitra",
        "dashboard",
        "localhost",
        "_acme-challenge",
        "wpad",
        "autoconfig",
        "mail",
        "-a",
        "a-",
        "1a",
    ] {
        let reply = client.post("/projects", json!({ "name": name, "region": "local" })).await;
        let invalid = reply.invalid();
        assert!(invalid.len() == 1 && invalid[0].starts_with("name "), "{name:?} {invalid:?}");
    }
    let suggested = client.post("/projects", json!({ "name": "My App", "region": "local" })).await;
    assert_eq!(suggested.at("/error/details/invalid_fields/0/suggestion"), "my-app");
    client.project("a--b").await;
    for path in ["/projects/..%2f..%2f", "/projects/%00", "/projects/'%20OR%201=1", "/projects/."] {
        client.get(path).await.expect(404);
    }
    assert_eq!(client.get("/projects").await.at("/pagination/total"), 1);
    let long_path = format!("/projects/{}", "x".repeat(500));
    assert_eq!(client.get(&long_path).await.text("/error/details/id").len(), 64);
}

#[tokio::test]
async fn settings_are_checked() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let path = format!("/projects/{}", client.project("my-app").await);
    let health = |path: &str| json!({ "runtime": { "healthcheck": { "path": path } } });
    let port = |port: Value| json!({ "runtime": { "port": port } });
    let mut rows = vec![
        (json!({ "region": "us-east-1" }), "region immutable"),
        (json!({ "framework": "cobol" }), "framework unknown_value"),
        (json!({ "description": "x".repeat(501) }), "description too_long"),
        (json!({ "keep_images": 0 }), "keep_images out_of_range"),
        (json!({ "auto_deploy": "yes" }), "auto_deploy type"),
        (json!({ "auto_deploy": null }), "auto_deploy type"),
        (json!({ "status": "active" }), "status read_only"),
        (json!({ "url": "https://evil.test" }), "url read_only"),
        (json!({ "domains": [] }), "domains read_only"),
        (json!({ "team_id": "team_unknown" }), "team_id read_only"),
        (json!({ "build": [] }), "build type"),
        (json!({ "build": null }), "build type"),
        (json!({ "build": { "builder": "magic" } }), "build.builder unknown_value"),
        (json!({ "build": { "dockerfile": "../Dockerfile" } }), "build.dockerfile unsafe"),
        (json!({ "build": { "build_command": "a\nid" } }), "build.build_command format"),
        (json!({ "build": { "timeout_seconds": 5 } }), "build.timeout_seconds out_of_range"),
        (json!({ "source": { "root_dir": "/../x" } }), "source.root_dir unsafe"),
        (json!({ "source": { "watch_paths": ["../x"] } }), "source.watch_paths format"),
        (json!({ "source": { "watch_paths": ["a", ""] } }), "source.watch_paths format"),
        (json!({ "source": { "watch_paths": ["a\u{7f}"] } }), "source.watch_paths format"),
        (json!({ "source": { "watch_paths": ["a\0"] } }), "source.watch_paths type"),
        (json!({ "source": { "watch_paths": ["x".repeat(201)] } }), "source.watch_paths format"),
        (json!({ "source": { "watch_paths": vec!["a"; 51] } }), "source.watch_paths out_of_range"),
        (json!({ "source": { "watch_paths": {} } }), "source.watch_paths type"),
        (json!({ "source": { "branch": "-x" } }), "source.branch unsafe"),
        (json!({ "source": { "auth": "token" } }), "source.auth unknown_value"),
        (json!({ "runtime": { "instances": 21 } }), "runtime.instances out_of_range"),
        (json!({ "runtime": { "memory_mb": 1.5 } }), "runtime.memory_mb type"),
        (json!({ "runtime": { "sleep": { "live": 1 } } }), "runtime.sleep.live type"),
        (json!({ "runtime": { "sleep": { "crawlers": null } } }), "runtime.sleep.crawlers type"),
        (json!({ "runtime": { "sleep": [] } }), "runtime.sleep type"),
        (json!({ "runtime": { "release": "single" } }), "runtime.release type"),
    ];
    let release = |name: &str, value: Value| json!({ "runtime": { "release": { name: value } } });
    for (name, bad, code) in [
        ("strategy", json!("canary"), "unknown_value"),
        ("strategy", json!("Single"), "unknown_value"),
        ("strategy", json!(null), "type"),
        ("drain_seconds", json!(-1), "out_of_range"),
        ("drain_seconds", json!(3601), "out_of_range"),
        ("drain_seconds", json!("30"), "type"),
        ("stop_seconds", json!(0), "out_of_range"),
        ("stop_seconds", json!(301), "out_of_range"),
        ("stop_seconds", json!(null), "type"),
        ("watch_seconds", json!(-1), "out_of_range"),
        ("watch_seconds", json!(3601), "out_of_range"),
        ("watch_seconds", json!(1.5), "type"),
    ] {
        let expected: &str = format!("runtime.release.{name} {code}").leak();
        rows.push((release(name, bad), expected));
    }
    for bad in [
        "/;\n",
        "//evil.test/",
        "http://169.254.169.254/",
        "/a b",
        "/\r\nHost: x",
        "/%0d%0aX:y",
        "a",
        "",
        "/#x",
    ] {
        rows.push((health(bad), "runtime.healthcheck.path format"));
    }
    for bad in [json!(0), json!(-1), json!(65536), json!(u64::MAX), json!(1e9), json!(-1e300)] {
        rows.push((port(bad), "runtime.port out_of_range"));
    }
    for bad in [json!("80;id"), json!("80"), json!(3.5)] {
        rows.push((port(bad), "runtime.port type"));
    }
    for (body, expected) in &rows {
        assert_eq!(client.patch(&path, body).await.invalid(), [*expected], "{body}");
    }
    let unknown =
        client.patch(&path, json!({ "nmae": "x", "build": { "dockerfil": "x" }, "zzz": 1 })).await;
    assert_eq!(
        unknown.error("unknown_fields").2,
        json!([
            { "field": "build.dockerfil", "suggestion": "build.dockerfile" },
            { "field": "nmae", "suggestion": "name" },
            { "field": "zzz" },
        ])
    );
    // All problems of one request together.
    let body = json!({ "name": "A", "region": 5, "zzz": 1, "framework": "x" });
    let all = client.post("/projects?x=1", body).await;
    assert_eq!(all.invalid(), ["region type", "name format", "framework unknown_value"]);
    assert_eq!(all.at("/error/details/unknown_params"), json!(["x"]));
    assert_eq!(all.at("/error/details/unknown_fields/0/field"), "zzz");
    let null = client.post("/projects", json!({ "region": null })).await;
    assert_eq!(null.error("missing_fields").2, json!(["name", "region"]));
    let null = client.patch(&path, json!({ "name": null })).await;
    assert_eq!(null.error("missing_fields").2, json!(["name"]));
}

#[tokio::test]
async fn release_and_sleep_settings_are_merged_field_by_field() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let path = format!("/projects/{}", client.project("my-app").await);
    let change = async |runtime: Value| {
        client.patch(&path, json!({ "runtime": runtime })).await.expect(200).json()["runtime"]
            .clone()
    };
    let changed = change(json!({ "release": { "strategy": "single", "drain_seconds": 0 } })).await;
    assert_eq!(
        changed["release"],
        json!({ "strategy": "single", "drain_seconds": 0, "stop_seconds": 10, "watch_seconds": 60 })
    );
    change(json!({ "release": { "stop_seconds": 300, "watch_seconds": 0 } })).await;
    change(json!({ "sleep": { "live": true } })).await;
    let changed = change(json!({ "sleep": { "crawlers": true } })).await;
    assert_eq!(
        changed["release"],
        json!({ "strategy": "single", "drain_seconds": 0, "stop_seconds": 300, "watch_seconds": 0 })
    );
    assert_eq!(changed["sleep"], json!({ "live": true, "crawlers": true }));
    let changed = change(json!({ "release": { "drain_seconds": null } })).await;
    assert_eq!(changed["release"]["drain_seconds"], Value::Null);
    let read = client.get(&path).await.json();
    let back = client.patch(&path, json!({ "runtime": read["runtime"] })).await.expect(200).json();
    assert_eq!(back["runtime"], read["runtime"]);
}

#[tokio::test]
async fn pages() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    for name in ["a", "b", "c", "d", "e"] {
        client.project(&format!("app-{name}")).await;
    }
    let names = |reply: crate::support::app::Reply| -> String {
        let data = reply.expect(200).at("/data");
        let name = |item: &Value| item["name"].as_str().unwrap().replace("app-", "");
        data.as_array().unwrap().iter().map(name).collect()
    };
    let first = client.get("/v1/projects?limit=2&q=APP-").await.expect(200);
    let link = |page: u32, rel: &str| {
        format!("<https://example.com/api/v1/projects?limit=2&q=APP-&page={page}>; rel=\"{rel}\"")
    };
    assert_eq!(
        first.header("link"),
        [link(1, "first"), link(2, "next"), link(3, "last")].join(", ")
    );
    assert_eq!(names(first), "ed");
    let second = client.get("/projects?q=APP-&limit=2&page=2").await;
    assert_eq!(second.header("link").matches("rel=").count(), 4);
    assert_eq!(names(second), "cb");
    let past = client.get("/projects?limit=2&page=1000000").await.expect(200);
    assert!(past.header("link").contains("page=3>; rel=\"prev\""));
    assert_eq!(
        past.json(),
        json!({ "data": [], "pagination": { "page": 1_000_000, "limit": 2, "total": 5 } })
    );
    assert_eq!(names(client.get("/projects?sort=name&limit=100").await), "abcde");
    assert_eq!(names(client.get("/projects?sort=-name").await), "edcba");
    assert_eq!(names(client.get("/projects?q=-c").await), "c");
    assert_eq!(names(client.get("/projects?q=%25").await), "");
    assert_eq!(names(client.get("/projects?status=active").await), "");
    assert_eq!(names(client.get("/projects?status=active,pending&region=local").await), "edcba");
    assert_eq!(names(client.get("/projects?created_after=2026-01-20T16:30:00Z").await), "");
    assert_eq!(
        names(client.get("/projects?created_before=2026-01-20T17:30:01%2B01:00").await),
        "edcba"
    );
    assert_eq!(names(client.get("/projects?team_id=team_unknown").await), "");
    let special = client.get("/projects?limit=1&q=app-%22%3E%0d%0aX:").await.expect(200);
    assert_eq!(special.at("/pagination/total"), 0);
}

#[tokio::test]
async fn projects_of_others_do_not_exist() {
    let app = TestApp::new();
    let theirs = app.client("other@example.com", &["full"]).await;
    let foreign = theirs.project("foreign").await;
    let deployment = theirs.deployment(&foreign).await;
    let client = app.client("user@example.com", &["full"]).await;
    for (method, path, body) in [
        ("GET", "/projects/{}", ""),
        ("PATCH", "/projects/{}", "{}"),
        ("DELETE", "/projects/{}", ""),
        ("GET", "/projects/{}/deployments", ""),
        ("POST", "/projects/{}/deployments", "{}"),
    ] {
        let ask = async |id: &str| {
            let reply = client.with(method, &path.replace("{}", id), body).await.expect(404);
            reply.body().replace(id, "")
        };
        let random = ask("prj_0000000000000000").await;
        assert_eq!(ask(&foreign).await, random, "{method} {path}");
        assert_eq!(ask("foreign").await, random, "{method} {path}");
    }
    for (method, path) in
        [("GET", ""), ("POST", "/cancel"), ("GET", "/logs"), ("GET", "/logs?follow=true")]
    {
        let ask = async |id: &str| {
            let reply = client.call(method, &format!("/deployments/{id}{path}")).await.expect(404);
            reply.body().replace(id, "")
        };
        assert_eq!(ask(&deployment).await, ask("dep_0000000000000000").await, "{method} {path}");
    }
    for path in ["/projects", "/deployments"] {
        assert_eq!(client.get(path).await.at("/pagination/total"), 0);
    }
    // Names are unique for all, which is the one thing to be learned.
    let taken = client.post("/projects", json!({ "name": "foreign", "region": "local" })).await;
    assert_eq!(taken.error("reason").2, "name_taken");
    theirs.get(&format!("/projects/{foreign}")).await.expect(200);
}

#[tokio::test]
async fn a_deleted_project_is_gone_at_once() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let id = client.project("my-app").await;
    let deployment = client.deployment(&id).await;
    let bad = client.delete(&format!("/projects/{id}?delete_volumes=maybe")).await;
    assert_eq!(bad.invalid(), ["delete_volumes unknown_value"]);
    client.delete(&format!("/projects/{id}")).await.expect(204);
    for path in [format!("/projects/{id}"), format!("/deployments/{deployment}")] {
        client.get(&path).await.expect(404);
    }
    client.delete(&format!("/projects/{id}")).await.expect(404);
    client.project("my-app").await;
}
