//! The documentation of the API: complete, the same for everybody, and where problems lead.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use http::header::{ACCEPT, ACCEPT_ENCODING, IF_NONE_MATCH};
use orbitra::web::docs::TEXTS;
use scraper::{Html, Selector};
use serde_json::Value;

use super::browser::{Browser, Page};
use super::site::Site;

async fn with(browser: &mut Browser, path: &str, name: http::HeaderName, value: &str) -> Page {
    let request = browser.request("GET", path).header(name, value);
    browser.send(request.body(Body::empty()).unwrap()).await
}

fn all(page: &Page, selector: &str) -> Vec<String> {
    let html = Html::parse_document(&page.body);
    let found = Selector::parse(selector).unwrap();
    html.select(&found).map(|element| element.text().collect::<String>()).collect()
}

#[tokio::test]
async fn every_operation_is_documented_where_its_name_leads() {
    let site = Site::secure();
    let mut nobody = site.browser();
    let description: Value =
        serde_json::from_str(&nobody.get("/openapi.json").await.body).expect("JSON");
    let page = nobody.get("/docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("set-cookie").is_empty(), "nobody is remembered");
    assert_eq!(page.text("#start .code code"), "https://orbitra.test/api/v1");
    let mut operations = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(id) = operation["operationId"].as_str() else { continue };
            operations += 1;
            let text = page.text(&format!("details:has(> #{id})"));
            assert!(text.contains(&method.to_uppercase()) && text.contains(path), "{id}");
            assert!(text.contains(operation["summary"].as_str().unwrap()), "{id}");
            for status in operation["responses"].as_object().unwrap().keys() {
                assert!(text.contains(status), "{id} {status}");
            }
            for scope in operation["security"][0]["bearerAuth"].as_array().into_iter().flatten() {
                assert!(text.contains(scope.as_str().unwrap()), "{id} {scope}");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let reference = parameter["$ref"].as_str().and_then(|to| to.rsplit('/').next());
                let name = parameter["name"].as_str().or(reference).unwrap();
                assert!(text.contains(name), "{id} {name}");
            }
        }
    }
    assert!(operations > 50);
    assert_eq!(all(&page, "[data-op]").len(), operations);
    for event in description["webhooks"].as_object().unwrap().keys() {
        assert!(page.body.contains(event), "{event}");
    }
}

#[tokio::test]
async fn bodies_and_answers_have_examples_that_are_json() {
    let site = Site::plain();
    let page = site.browser().get("/docs").await;
    let create = page.text("#projects_create");
    assert!(create.contains("name string, required"), "{create}");
    assert!(create.contains("409 conflict") && create.contains("name_taken"), "{create}");
    let blocks = all(&page, ".op pre");
    let bodies: Vec<_> = blocks.iter().filter(|block| block.starts_with('{')).collect();
    assert!(bodies.len() > 40);
    for body in bodies {
        serde_json::from_str::<Value>(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    }
    let commands: Vec<_> = blocks.iter().filter(|block| block.starts_with("curl")).collect();
    assert!(
        commands
            .iter()
            .any(|command| command.contains("-X POST \"http://localhost:8080/api/v1/projects\"")
                && command.contains("\"region\": \"us-west-2\""))
    );
    assert!(commands.iter().any(|command| command.contains("/projects/$PROJECT/env/$KEY\"")));
    for text in all(&page, ".kind") {
        assert!(!text.trim().is_empty() && !text.trim().starts_with(','), "a field without a type");
    }
}

#[tokio::test]
async fn every_reference_of_the_reference_leads_somewhere() {
    let site = Site::plain();
    let mut nobody = site.browser();
    let page = nobody.get("/docs").await;
    let html = Html::parse_document(&page.body);
    let ids: Vec<_> =
        html.select(&Selector::parse("[id]").unwrap()).filter_map(|e| e.attr("id")).collect();
    let known: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(ids.len(), known.len(), "an id occurs twice");
    let mut outside = BTreeSet::new();
    for link in html.select(&Selector::parse("main a[href]").unwrap()) {
        let href = link.attr("href").unwrap();
        match href.strip_prefix('#') {
            Some(id) => assert!(known.contains(id), "{href}"),
            None => _ = outside.insert(href.to_owned()),
        }
    }
    for path in outside {
        let status = nobody.get(&path).await.status.as_u16();
        assert!(status == 200 || path.starts_with("/dashboard"), "{path} {status}");
    }
}

#[tokio::test]
async fn the_type_of_a_problem_is_a_page_that_says_what_to_do() {
    let site = Site::plain();
    let mut nobody = site.browser();
    let problem = with(&mut nobody, "/api/v1/projects", ACCEPT, "application/problem+json").await;
    assert_eq!(problem.header("content-type"), "application/problem+json");
    let problem: Value = serde_json::from_str(&problem.body).unwrap();
    let kind = problem["type"].as_str().unwrap();
    assert_eq!(kind, "http://localhost:8080/docs/errors/unauthorized");
    let page = nobody.get(kind.strip_prefix("http://localhost:8080").unwrap()).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.text("h1"), "unauthorized");
    assert!(page.text("#missing_credentials").contains("Authorization: Bearer"));

    let description: Value = serde_json::from_str(&nobody.get("/openapi.json").await.body).unwrap();
    let codes = description["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap();
    assert_eq!(codes.len(), TEXTS.len());
    let list = nobody.get("/docs/errors").await;
    for text in &TEXTS {
        assert!(codes.contains(&text.code.into()), "{}", text.code);
        assert!(list.body.contains(&format!("/docs/errors/{}\"", text.code)));
        let page = nobody.get(&format!("/docs/errors/{}", text.code)).await;
        assert_eq!(page.status, 200, "{}", text.code);
        assert!(page.text(".head").contains(&text.status.to_string()));
        let example: Value = serde_json::from_str(text.example).unwrap();
        assert_eq!(example["error"]["code"], text.code);
        let keys: Vec<_> = example["error"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["code", "details", "message"], "{}", text.code);
        if let Some(reason) = example["error"]["details"]["reason"].as_str() {
            assert!(text.reasons.iter().any(|known| known.name == reason), "{reason}");
        }
    }
    for unknown in ["nothing", "Conflict", "conflict%2f..", "%00"] {
        let missing = nobody.get(&format!("/docs/errors/{unknown}")).await;
        assert_eq!(missing.status, 404, "{unknown}");
        assert!(missing.header("cache-control").contains("no-store"), "{unknown}");
    }
}

/// Reasons the sources give that are never an answer of the API.
const OF_PAGES: [&str; 3] = ["invalid_credentials", "set_up_done", "link_spent"];

#[test]
fn every_reason_the_server_gives_is_explained() {
    fn read(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, text);
            } else {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text = String::new();
    for folder in ["src/app", "src/web/api"] {
        read(Path::new(folder), &mut text);
    }
    let text: String = text.split_whitespace().collect();
    let mut given = BTreeSet::new();
    for start in ["reason:\"", "\"reason\":\"", "conflict(\"", "refused(\"", "missing_scope(\""] {
        for rest in text.split(start).skip(1) {
            let word = rest.split('"').next().unwrap_or_default();
            if word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                given.insert(word.to_owned());
            }
        }
    }
    assert!(
        given.contains("name_taken") && given.contains("deployment_is_live") && given.len() > 12
    );
    let known: BTreeSet<_> = TEXTS
        .iter()
        .flat_map(|text| text.reasons)
        .map(|reason| reason.name)
        .chain(OF_PAGES)
        .collect();
    let unknown: Vec<_> = given.iter().filter(|word| !known.contains(word.as_str())).collect();
    assert!(unknown.is_empty(), "not in the documentation: {unknown:?}");
}

#[tokio::test]
async fn the_pages_are_kept_until_they_change() {
    let site = Site::plain();
    let mut nobody = site.browser();
    for path in [
        "/docs",
        "/docs/",
        "/docs/errors",
        "/docs/errors/conflict",
        "/api/v1/docs",
        "/v1/docs",
        "/api/v1/docs/errors/conflict",
    ] {
        let plain = nobody.get(path).await;
        assert_eq!((plain.status.as_u16(), plain.header("content-encoding")), (200, ""), "{path}");
        assert!(plain.header("cache-control").starts_with("public, no-cache"), "{path}");
        assert!(plain.header("content-security-policy").starts_with("default-src 'none'"));
        let packed = with(&mut nobody, path, ACCEPT_ENCODING, "gzip, br").await;
        assert_eq!(packed.header("content-encoding"), "br", "{path}");
        assert_ne!(packed.header("etag"), plain.header("etag"), "{path}");
        let tag = plain.header("etag");
        assert!(tag.len() == 18 && tag.starts_with('"'), "{tag}");
        for known in [tag.to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let same = with(&mut nobody, path, IF_NONE_MATCH, &known).await;
            assert_eq!((same.status.as_u16(), same.body.as_str()), (304, ""), "{path} {known}");
            assert_eq!(same.header("etag"), tag);
        }
        assert_eq!(with(&mut nobody, path, IF_NONE_MATCH, "\"other\"").await.status, 200);
    }
    let mut ada = site.ada().await;
    assert_eq!(ada.get("/docs").await.body, nobody.get("/docs").await.body, "nobody's own");
    let wrong = ada.request("POST", "/docs").body(Body::empty()).unwrap();
    assert_eq!(ada.send(wrong).await.status, 403, "a form without an origin");
    // What a reader loads, style sheet and scripts aside.
    let packed = with(&mut nobody, "/docs", ACCEPT_ENCODING, "gzip").await;
    let size: usize = packed.header("content-length").parse().unwrap();
    assert!(size < 64_000, "{size} bytes");
}
