//! What every answer has, whatever was asked.

use axum::body::Body;
use flate2::read::GzDecoder;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use std::io::Read;

use crate::support::app::TestApp;

#[tokio::test]
async fn every_way_to_write_a_path_is_the_same() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    for base in ["/api/v1", "/v1", ""] {
        client.get(&format!("{base}/users/me")).await.expect(200);
        client.get(&format!("{base}/users/me/")).await.expect(200);
        client.get(&format!("{base}/projects")).await.expect(200);
        client.get(&format!("{base}/projects/")).await.expect(200);
        client.get(&format!("{base}/health/")).await.expect(200);
    }
    for path in [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v2/users/me",
        "/v1/nothing",
        "/users/a/b",
        "/users/you",
        "/projects/a/b",
        "/deployments/x/y/z",
        "/api/v1//users/me",
        "/projects/%ff",
    ] {
        let reply = client.get(path).await;
        assert_eq!(reply.error("resource").0, 404, "{path}");
        assert_eq!(reply.header("content-type"), "application/json; charset=utf-8");
    }
    // Not the API's.
    for path in ["/", "/dashboard", "/login", "/setup", "/assets/x.css", "/apiary", "/projectsx"] {
        let reply = client.get(path).await.expect(404);
        assert_eq!(reply.header("x-request-id"), "", "{path}");
    }
}

#[tokio::test]
async fn headers_of_every_answer() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let ok = client.get("/users/me").await;
    assert_eq!(ok.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(ok.header("cache-control"), "private, no-cache");
    assert_eq!(ok.header("x-content-type-options"), "nosniff");
    assert_eq!(ok.header("x-orbitra-version"), env!("CARGO_PKG_VERSION"));
    let id = ok.header("x-request-id");
    assert!(id.starts_with("req_") && id.len() == 20, "{id}");
    let refused = app.anonymous().get("/users/me").await;
    assert_eq!(refused.header("x-orbitra-version"), "");
    assert!(refused.header("x-request-id").starts_with("req_"));
    assert_eq!(refused.header("x-content-type-options"), "nosniff");

    for (sent, echoed) in [("abc-1._Z", "abc-1._Z"), ("a b", ""), (&"x".repeat(129), "")] {
        let request = Request::get("/users/me").header("x-request-id", sent).body(Body::empty());
        let reply = client.ask(request.unwrap()).await;
        assert_eq!(reply.header("x-client-request-id"), echoed);
        assert_ne!(reply.header("x-request-id"), sent);
    }
    assert_eq!(app.anonymous().get("/health").await.expect(200).body(), r#"{"status":"ok"}"#);
}

#[tokio::test]
async fn methods() {
    let app = TestApp::new();
    let anonymous = app.anonymous();
    for (path, allow) in [
        ("/health", "GET, HEAD, OPTIONS"),
        ("/users/me", "GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/api-keys", "GET, HEAD, OPTIONS, POST"),
        ("/projects/x", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/deployments/x/cancel", "OPTIONS, POST"),
    ] {
        let options = anonymous.call("OPTIONS", path).await.expect(204);
        assert_eq!((options.header("allow"), options.body()), (allow, ""), "{path}");
        for method in ["TRACE", "BREW"] {
            let refused = anonymous.call(method, path).await;
            assert_eq!(refused.header("allow"), allow);
            let (status, code, allowed) = refused.error("allowed");
            assert_eq!((status, code.as_str()), (405, "method_not_allowed"));
            let words: Vec<_> = allow.split(", ").collect();
            assert_eq!(allowed, json!(words));
        }
    }
    anonymous.call("OPTIONS", "/users/you/too").await.expect(404);
    let client = app.client("user@example.com", &["full"]).await;
    let head = client.call("HEAD", "/users/me").await.expect(200);
    let get = client.get("/users/me").await;
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    assert!(head.body.is_empty());
    let head = anonymous.call("HEAD", "/users/me").await.expect(401);
    assert!(head.body.is_empty());
    assert_ne!(head.header("content-length"), "0");
}

#[tokio::test]
async fn credentials() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let key = client.key();
    let ask = |value: String| {
        let request = Request::get("/users/me").header(AUTHORIZATION, value).body(Body::empty());
        client.ask(request.unwrap())
    };
    for good in [format!("bearer {key}"), format!("BEARER {key}"), key.to_owned()] {
        ask(good).await.expect(200);
    }
    let mut broken = key.to_owned();
    broken.replace_range(10..11, if &key[10..11] == "0" { "1" } else { "0" });
    for bad in [
        format!("Basic {key}"),
        format!("Token {key}"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {broken}"),
        "Bearer orbu_0123456789ABCDEFGHIJabcdefghij1JixfD".to_owned(),
        format!("Bearer {key} x"),
        "Bearer ' OR 1=1 --".to_owned(),
    ] {
        let reply = ask(bad.clone()).await;
        assert_eq!(reply.error("reason"), (401, "unauthorized".to_owned(), "invalid_key".into()));
        assert!(reply.header("www-authenticate").starts_with("Bearer realm=\"orbitra\", error="));
        assert!(!reply.body().contains(key), "{bad}");
    }
    let anonymous = app.anonymous();
    let cookie = Request::get("/users/me").header("cookie", format!("key={key}"));
    for reply in [
        anonymous.get("/users/me").await,
        anonymous.get(&format!("/users/me?api_key={key}")).await,
        anonymous.ask(cookie.body(Body::empty()).unwrap()).await,
    ] {
        assert_eq!(reply.error("reason").2, "missing_credentials");
        assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"orbitra\"");
    }
    let twice = Request::get("/users/me").header(AUTHORIZATION, key).header(AUTHORIZATION, key);
    client.ask(twice.body(Body::empty()).unwrap()).await.expect(401);
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    for (body, line, column) in [
        ("", 1, 1),
        ("  \n ", 1, 1),
        ("[]", 1, 1),
        ("null", 1, 1),
        ("\"text\"", 1, 1),
        ("{\"name\":\n \"x\" \"y\"}", 2, 6),
        ("{\"name\":\"a\",\"name\":\"b\"}", 1, 18),
        ("{\"name\":\"\\ud800\"}", 1, 16),
        ("{\"name\":\"x\"} {}", 1, 14),
        ("{'name':'x'}", 1, 2),
        ("{\"name\":NaN}", 1, 9),
    ] {
        let reply = client.post("/projects", body).await;
        let expected = json!({ "line": line, "column": column });
        let error = reply.error("parse_error");
        assert_eq!(error, (400, "invalid_request".to_owned(), expected), "{body} {}", reply.body());
    }
    for depth in [129, 10_000] {
        let deep = format!("{{\"name\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(client.post("/projects", deep).await.error("parse_error").2.is_object());
    }
    let nested = format!("{{\"name\":{}{}}}", "[".repeat(100), "]".repeat(100));
    assert!(client.post("/projects", nested).await.invalid().contains(&"name type".to_owned()));

    let typed = |kind: &'static str| {
        let body = Body::from("{\"name\":\"typed\",\"region\":\"local\"}");
        client.ask(Request::post("/projects").header(CONTENT_TYPE, kind).body(body).unwrap())
    };
    for bad in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"]
    {
        let reply = typed(bad).await;
        let expected = (415, "unsupported_media_type".to_owned(), json!(["application/json"]));
        assert_eq!(reply.error("supported"), expected, "{bad}");
    }
    typed("Application/JSON; charset=utf-8").await.expect(201);
    typed("application/merge-patch+json").await.expect(409);
    let untyped = Request::post("/projects").body(Body::from("{}")).unwrap();
    client.ask(untyped).await.expect(400);
    let packed = Request::post("/projects").header("content-encoding", "gzip");
    client.ask(packed.body(Body::from("{}")).unwrap()).await.expect(415);
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let app = TestApp::new();
    let anonymous = app.anonymous();
    let limit = 1024 * 1024;
    let too_large = (413, "payload_too_large".to_owned(), Value::from(limit));
    let announced = Request::post("/projects").body(Body::from(vec![b' '; limit + 1])).unwrap();
    assert_eq!(anonymous.ask(announced).await.error("limit_bytes"), too_large);
    let chunked = |chunks: usize| {
        let chunk = Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b' '; limit / 4]));
        let chunks = std::iter::repeat_with(move || {
            chunk.as_ref().map(Clone::clone).map_err(|_| std::io::Error::other("never"))
        })
        .take(chunks);
        Body::from_stream(futures_util::stream::iter(chunks))
    };
    let request = Request::post("/projects").body(chunked(5)).unwrap();
    assert_eq!(anonymous.ask(request).await.error("limit_bytes"), too_large);
    // At the limit it is read.
    let request = Request::post("/projects").body(chunked(4)).unwrap();
    let client = app.client("user@example.com", &["full"]).await;
    assert!(client.ask(request).await.error("parse_error").2.is_object());
}

#[tokio::test]
async fn problems_on_request() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let request = Request::get("/projects?page=0")
        .header("accept", "application/json;q=0.5, application/problem+json")
        .body(Body::empty());
    let reply = client.ask(request.unwrap()).await.expect(400);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(
        reply.body(),
        format!(
            r#"{{"type":"https://example.com/docs/errors/invalid_request","title":"Invalid request","status":400,"detail":"Invalid value for `page`: A number from 1 to 1000000.","instance":"{}","error":{{"code":"invalid_request","message":"Invalid value for `page`: A number from 1 to 1000000.","details":{{"invalid_fields":[{{"field":"page","code":"out_of_range","message":"A number from 1 to 1000000."}}]}}}}}}"#,
            reply.header("x-request-id")
        )
    );
    assert_eq!(
        client.post("/projects", "{}").await.body(),
        r#"{"error":{"code":"invalid_request","message":"Missing required fields: name, region.","details":{"missing_fields":["name","region"]}}}"#
    );
}

#[tokio::test]
async fn compressed_when_asked_for() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let plain = client.get("/frameworks").await.expect(200);
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(plain.at("/data/0/id"), "nodejs");
    assert!(plain.at("/data").as_array().unwrap().iter().all(|item| item["detects"] != json!([])));
    let packed = |coding: &'static str| {
        let request = Request::get("/frameworks").header("accept-encoding", coding);
        client.ask(request.body(Body::empty()).unwrap())
    };
    let gzip = packed("gzip").await;
    assert_eq!(gzip.header("content-encoding"), "gzip");
    let mut text = String::new();
    GzDecoder::new(&gzip.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.body());
    assert_eq!(packed("br").await.header("content-encoding"), "br");
    let regions = client.get("/regions").await.expect(200);
    assert_eq!(
        regions.at("/data/0"),
        json!({ "id": "us-east-1", "name": "US East (N. Virginia)", "available": true })
    );
}

#[tokio::test]
async fn parameters_are_read_strictly() {
    let app = TestApp::new();
    let client = app.client("user@example.com", &["full"]).await;
    let unknown = client.get("/projects?limt=5&all=true&page=1").await;
    assert_eq!(unknown.error("unknown_params").2, json!(["limt", "all"]));
    for (query, expected) in [
        ("page=0", "page out_of_range"),
        ("page=1000001", "page out_of_range"),
        ("page=99999999999999999999999", "page out_of_range"),
        ("page=-1", "page out_of_range"),
        ("page=x", "page type"),
        ("page=", "page type"),
        ("page=+1", "page type"),
        ("page=1.0", "page type"),
        ("page=1;id", "page type"),
        ("limit=101", "limit out_of_range"),
        ("limit=0", "limit out_of_range"),
        ("page=1&page=2", "page duplicate"),
        ("status=active&status=pending", "status duplicate"),
        ("status=running", "status unknown_value"),
        ("status=", "status unknown_value"),
        ("region=mars", "region unknown_value"),
        ("framework=cobol", "framework unknown_value"),
        ("sort=owner", "sort unknown_value"),
        ("sort=--name", "sort unknown_value"),
        ("include=secrets", "include unknown_value"),
        ("created_after=yesterday", "created_after format"),
        ("team_id=%00", "team_id format"),
    ] {
        let reply = client.get(&format!("/projects?{query}")).await;
        assert_eq!(reply.invalid(), [expected], "{query}");
    }
    for path in ["/users/me?x=1", "/health?x=1", "/regions?x=1", "/api-keys/current?x=1"] {
        assert_eq!(client.get(path).await.error("unknown_params").2, json!(["x"]), "{path}");
    }
}
