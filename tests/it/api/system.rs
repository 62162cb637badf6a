//! `/system` and `/system/settings`.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use orbitra::app::users::NewUser;
use orbitra::db::issuance::FailedOrder;
use orbitra::db::ocsp::Answered;
use orbitra::db::{self, DbError};
use orbitra::model::certificate::{Certificate, Origin};
use orbitra::model::ids::CertificateId;
use orbitra::model::timestamp::Timestamp;
use orbitra::model::user::Plan;
use serde_json::{Value, json};

use crate::support::app::{Client, TestApp};
use crate::support::engine::Engine;

async fn admin(app: &TestApp) -> Client {
    let new = NewUser {
        email: "ada@example.com".to_owned(),
        name: "Ada".to_owned(),
        plan: Plan::Enterprise,
        instance_admin: true,
        password: None,
    };
    let user = app.app.create_user(new).await.unwrap();
    app.client_of(&user, &["full"]).await
}

#[tokio::test]
async fn the_state_of_the_server() {
    let app = TestApp::new();
    let client = admin(&app).await;
    let project = client.project("web").await;
    client.deployment(&project).await;
    app.app.clock.advance(Duration::from_secs(90));
    let state = client.get("/api/v1/system").await.expect(200);
    assert_eq!(state.at("/version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(state.at("/started_at"), "2026-01-20T16:30:00Z");
    assert_eq!(state.at("/uptime_seconds"), 90);
    assert_eq!(state.at("/node/os"), std::env::consts::OS);
    let number = |pointer: &str| state.at(pointer).as_u64().unwrap();
    assert!(number("/node/cpus") >= 1);
    assert!(number("/node/memory_bytes") > number("/node/memory_available_bytes"));
    assert!(number("/node/disk_bytes") >= number("/node/disk_available_bytes"));
    assert!(number("/database/size_bytes") > 0 && number("/database/wal_bytes") > 0);
    assert_eq!(
        state.at("/engine"),
        json!({
            "available": false, "version": null, "containers": null, "trouble": null, "vulnerabilities": [],
        })
    );
    assert_eq!(state.at("/queue"), json!({ "building": 0, "queued": 1 }));
    assert_eq!(state.at("/limits/body_bytes"), 1_048_576);
    let limit = number("/limits/page_limit");
    client.get(&format!("/projects?limit={}", limit + 1)).await.expect(400);
}

#[tokio::test]
async fn an_engine_that_answers_is_shown_and_one_that_does_not_is_not_waited_for() {
    let app = TestApp::new();
    let client = admin(&app).await;
    let engine = Engine::new();
    assert!(app.app.engine.set(std::sync::Arc::new(engine.clone())).is_ok());
    let state = client.get("/system").await.expect(200);
    assert_eq!(state.at("/engine/available"), true);
    assert!(state.at("/engine/version").is_string());
    assert_eq!(state.at("/engine/containers"), 0);
    // What an engine of this version is known for, and not what its runtime is too new for.
    let known = state.at("/engine/vulnerabilities");
    let known = known.as_array().unwrap();
    assert!(known.iter().all(|one| one["component"] == "Docker"), "{known:?}");
    let one = known.iter().find(|one| one["id"] == "CVE-2024-24557").unwrap();
    assert_eq!(one["fixed_in"], json!(["24.0.9", "25.0.2"]));
    engine.set_down(true);
    let state = client.get("/system").await.expect(200);
    assert_eq!(state.at("/engine/available"), false);
    let trouble = state.at("/engine/trouble");
    assert!(trouble.as_str().unwrap().starts_with("Docker does not answer"), "{trouble}");
}

#[tokio::test]
async fn the_settings_it_runs_with() {
    let app = TestApp::new();
    let client = admin(&app).await;
    let settings = client.get("/system/settings").await.expect(200);
    assert_eq!(settings.at("/base_domain"), "example.com");
    assert_eq!(settings.at("/public_scheme"), "https");
    assert_eq!(settings.at("/dashboard_host"), Value::Null);
    assert_eq!(settings.at("/drain_seconds"), 30);
    assert_eq!(settings.at("/egress_allow"), json!([]));
    assert_eq!(settings.at("/git_size_limit"), 512 * 1024 * 1024);
    assert_eq!(settings.json().as_object().unwrap().len(), 20);
    assert_eq!(settings.at("/disk_budget"), Value::Null);
    assert_eq!(settings.at("/preview_days"), 14);
    let bad = client.get("/system/settings?all=true").await.expect(400);
    assert_eq!(bad.error("unknown_params").2, json!(["all"]));
}

#[tokio::test]
async fn settings_are_changed_at_once_and_stay_changed() {
    let app = TestApp::new();
    let client = admin(&app).await;
    let path = "/system/settings";
    let before = client.get(path).await.expect(200);
    let chosen = json!({ "rate_free": 7, "egress_allow": ["10.1.0.0/16", "git.corp"] });
    let changed = client.patch(path, &chosen).await.expect(200);
    assert_eq!(
        (changed.at("/rate_free"), changed.at("/rate_professional")),
        (7.into(), 10_000.into())
    );
    assert_eq!(changed.at("/egress_allow"), chosen["egress_allow"]);
    assert_ne!(client.get(path).await.header("etag"), before.header("etag"));
    assert_eq!(app.anonymous().get("/projects").await.header("x-ratelimit-limit"), "7");

    let project = client.project("web").await;
    let deploy = json!({ "git_url": "https://git.corp/a.git" });
    client.post(&format!("/projects/{project}/deployments"), &deploy).await.expect(201);
    let audited = client.get("/audit-log?action=system.settings.updated").await.expect(200);
    assert_eq!(audited.at("/data/0/changes/rate_free"), json!({ "from": null, "to": 7 }));

    let app = app.restarted().await;
    let client = app.with_key(client.key());
    let after = client.get(path).await.expect(200);
    assert_eq!(after.at("/rate_free"), 7);
    let stale = Request::patch(path)
        .header("authorization", format!("Bearer {}", client.key()))
        .header("if-match", before.header("etag"))
        .body(Body::from(r#"{"rate_free":9}"#))
        .unwrap();
    client.ask(stale).await.expect(412);
    let back = json!({ "rate_free": null, "egress_allow": null });
    let back = client.patch(path, &back).await.expect(200);
    assert_eq!((back.at("/rate_free"), back.at("/egress_allow")), (1000.into(), json!([])));
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let app = TestApp::new();
    let client = admin(&app).await;
    let path = "/system/settings";
    for (body, expected) in [
        (json!({ "rate_free": 0 }), "rate_free out_of_range"),
        (json!({ "rate_professional": -1 }), "rate_professional out_of_range"),
        (json!({ "rate_free": "many" }), "rate_free type"),
        (json!({ "egress_allow": ["not a name"] }), "egress_allow format"),
        (json!({ "egress_allow": vec!["10.0.0.1"; 101] }), "egress_allow too_long"),
        (json!({ "egress_allow_http": 1 }), "egress_allow_http type"),
    ] {
        assert_eq!(client.patch(path, &body).await.invalid(), [expected], "{body}");
    }
    // The tests are started with a base domain of their own.
    let unknown = client.patch(path, &json!({ "base_domain": "example.org" })).await;
    assert_eq!(unknown.error("unknown_fields").2, json!([{ "field": "base_domain" }]));
    assert_eq!(client.get(path).await.at("/rate_free"), 1000);
    let other = app.client("user@example.com", &["full"]).await;
    other.patch(path, &json!({ "rate_free": 1 })).await.expect(403);
}

#[tokio::test]
async fn what_would_go_is_said_and_bad_wishes_are_refused() {
    let app = TestApp::new();
    let client = admin(&app).await;
    let state = client.get("/system").await.expect(200);
    assert_eq!(state.at("/disk/used_bytes"), Value::Null);
    assert_eq!(state.at("/disk/floor_bytes"), 1024 * 1024 * 1024);
    assert!(state.at("/disk/free_bytes").as_u64().unwrap() > 0);
    let nothing = json!({ "reclaimed_bytes": 0, "items": [] });
    let dry = client.post("/system/gc", json!({ "dry_run": true })).await.expect(200);
    assert_eq!(dry.json(), nothing);
    // Nobody sweeps in this process.
    let real = client.post("/system/gc", json!({})).await;
    assert_eq!(real.error("reason").2, "engine_unavailable");
    assert!(!real.header("retry-after").is_empty());
    for (body, expected) in [
        (json!({ "images": "all" }), "images type"),
        (json!({ "build_cache": 1 }), "build_cache type"),
        (json!({ "dry_run": null }), "dry_run type"),
    ] {
        assert_eq!(client.post("/system/gc", &body).await.invalid(), [expected], "{body}");
    }
    let unknown = client.post("/system/gc", &json!({ "volumes": true })).await;
    assert_eq!(unknown.error("unknown_fields").2, json!([{ "field": "volumes" }]));
    let ledger = client.get("/system/gc").await.expect(200);
    assert_eq!((ledger.at("/data"), ledger.at("/pagination/total")), (json!([]), json!(0)));
}

#[tokio::test]
async fn only_instance_admins_see_it() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    for path in ["/system", "/system/settings", "/system/gc"] {
        let refused = client.get(path).await;
        assert_eq!(refused.error("reason").2, "insufficient_role");
        assert_eq!(refused.error("required_role").2, "instance_admin");
        app.anonymous().get(path).await.expect(401);
    }
}

#[tokio::test]
async fn mail_is_set_as_a_whole_and_its_password_is_never_shown() {
    let app = TestApp::new();
    let client = admin(&app).await;
    assert_eq!(client.get("/system/settings").await.expect(200).at("/mail"), Value::Null);
    let body = |mail: Value| json!({ "mail": mail });
    let good = json!({
        "host": "Mail.example.com", "port": 587, "user": "orbitra", "password": "ORBCANARY-mail",
        "sender": "Orbitra <orbitra@example.com>",
    });
    let shown = client.patch("/system/settings", body(good.clone())).await.expect(200);
    let expected = json!({
        "host": "mail.example.com", "port": 587, "security": "starttls", "user": "orbitra", "has_password": true,
        "sender": "Orbitra <orbitra@example.com>",
    });
    assert_eq!(shown.at("/mail"), expected);
    // Neither here nor in the audit log nor in the files.
    let audit = client.get("/audit-log?action=system.*").await.expect(200);
    assert!(audit.body().contains("mail.example.com"));
    assert!(!audit.body().contains("ORBCANARY") && !app.stores("ORBCANARY"));
    // What was read may be sent back, and the password stays as long as it goes to the same server.
    client.patch("/system/settings", body(expected.clone())).await.expect(200);
    let elsewhere = |field: &str, value: Value| {
        let mut sent = expected.clone();
        sent[field] = value;
        body(sent)
    };
    for (field, value) in
        [("host", json!("evil.example.com")), ("port", json!(25)), ("user", json!("other"))]
    {
        let refused = client.patch("/system/settings", elsewhere(field, value)).await.expect(400);
        assert_eq!(
            refused.at("/error/details/missing_fields"),
            json!(["mail.password"]),
            "{field}"
        );
    }
    let with = |field: &str, value: Value| {
        let mut sent = good.clone();
        sent[field] = value;
        body(sent)
    };
    for (sent, wrong) in [
        (with("host", json!("169.254.169.254")), "mail.host url_not_allowed"),
        (with("host", json!("localhost")), "mail.host url_not_allowed"),
        (with("host", json!("a b")), "mail.host format"),
        (with("host", json!("a\r\nb")), "mail.host format"),
        (with("port", json!(22)), "mail.host url_not_allowed"),
        (with("port", json!(0)), "mail.port out_of_range"),
        (with("port", json!(70_000)), "mail.port out_of_range"),
        (with("security", json!("ssl")), "mail.security unknown_value"),
        (with("security", json!("none")), "mail.security mutually_exclusive"),
        (with("sender", json!("nobody")), "mail.sender format"),
        (with("sender", json!("x <a@b.de>\r\nBcc: c@d.de")), "mail.sender format"),
        (with("user", json!("a\r\nb")), "mail.user format"),
        (with("password", json!("x".repeat(257))), "mail.password too_long"),
        (with("password", json!(1)), "mail.password type"),
        (body(json!("x")), "mail type"),
    ] {
        let refused = client.patch("/system/settings", sent.clone()).await;
        assert_eq!(refused.invalid(), [wrong], "{sent}");
    }
    let refused = client.patch("/system/settings", with("nonsense", json!(1))).await.expect(400);
    assert_eq!(refused.at("/error/details/unknown_fields/0/field"), "mail.nonsense");
    assert_eq!(client.get("/system/settings").await.expect(200).at("/mail"), expected);
    // A test mail goes nowhere from here, and says so; twice with one key it is one.
    let tried =
        client.post("/system/mail/test", json!({ "to": "ada@example.com" })).await.expect(200);
    assert_eq!((tried.at("/taken"), tried.at("/status")), (json!(false), Value::Null));
    for (to, wrong) in
        [(json!("ada"), "to format"), (json!("a@b.de, c@d.de"), "to format"), (json!(1), "to type")]
    {
        let refused = client.post("/system/mail/test", json!({ "to": to })).await;
        assert_eq!(refused.invalid(), [wrong]);
    }
    let gone = client.patch("/system/settings", json!({ "mail": null })).await.expect(200);
    assert_eq!(gone.at("/mail"), Value::Null);
    let refused = client.post("/system/mail/test", json!({ "to": "ada@example.com" })).await;
    assert_eq!(refused.error("reason"), (409, "conflict".to_owned(), json!("mail_not_configured")));
}

#[tokio::test]
async fn certificates_and_tries_that_failed_are_a_ledger() {
    let app = TestApp::new();
    let client = admin(&app).await;
    assert_eq!(client.get("/system/certificates").await.expect(200).at("/data"), json!([]));
    let now = app.app.clock.now();
    let day = 24 * 3600 * 1000;
    let certificate = Certificate {
        id: CertificateId::from_random([1; 10]),
        hostname: "www.example.org".to_owned(),
        origin: Origin::Acme,
        chain: "a chain".to_owned(),
        issuer: "Somebody".to_owned(),
        not_before: now,
        not_after: now.plus(Duration::from_secs(90 * 24 * 3600)),
        created_at: now,
    };
    let failed = FailedOrder {
        failures: 3,
        next_at: now.plus(Duration::from_secs(3600)),
        error: "198.51.100.7: connection refused".to_owned(),
    };
    let written = app.app.db.write(move |c| -> Result<(), DbError> {
        db::certificates::put(c, &certificate, b"a sealed key")?;
        let answered = Answered {
            shown: Some(b"an answer".to_vec()),
            from: now,
            until: now.plus(Duration::from_secs(7 * 24 * 3600)),
            revoked_at: None,
            ask_at: now,
        };
        assert!(db::ocsp::answered(c, &certificate.id, &answered)?);
        db::ocsp::unanswered(c, &certificate.id, 1, Some("it is away"), now)?;
        db::issuance::fail(c, "api.example.org", &failed)?;
        for (host, ago) in [("old.example.org", 8), ("www.example.org", 1), ("mail.example.org", 0)]
        {
            db::issuance::count(c, "example.org", host, Timestamp(now.0 - ago * day), i64::MAX)?;
        }
        Ok(())
    });
    written.await.unwrap();
    let page = client.get("/system/certificates?limit=1").await.expect(200);
    assert_eq!(page.at("/pagination/total"), 2);
    assert_eq!(
        page.at("/data/0"),
        json!({
            "hostname": "api.example.org", "origin": null, "issuer": null, "issued_at": null, "expires_at": null,
            "renew_at": null, "ocsp": null, "failures": 3, "last_error": "198.51.100.7: connection refused",
            "next_try_at": "2026-01-20T17:30:00Z",
            "budget": { "domain": "example.org", "signed": 2, "limit": 40 },
        })
    );
    let page = client.get("/system/certificates?limit=1&page=2").await.expect(200);
    assert_eq!(
        page.at("/data/0"),
        json!({
            "hostname": "www.example.org", "origin": "acme", "issuer": "Somebody",
            "issued_at": "2026-01-20T16:30:00Z", "expires_at": "2026-04-20T16:30:00Z", "renew_at": null,
            "ocsp": { "good_until": "2026-01-27T16:30:00Z", "revoked_at": null, "last_error": "it is away" },
            "failures": 0, "last_error": null, "next_try_at": null,
            "budget": { "domain": "example.org", "signed": 2, "limit": 40 },
        })
    );
    client.get("/system/certificates?sort=issuer").await.expect(400);
}
