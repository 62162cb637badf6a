//! `docs/openapi.json` is the description as it is served. So a change of the API is seen where it is reviewed.

use std::path::Path;

use serde_json::{Value, json};

use super::compatibility::breaks;
use crate::support::app::TestApp;

/// Set to renew the file; to `breaking` when clients may break.
const RENEW: &str = "ORBITRA_RENEW";

#[tokio::test]
async fn the_committed_description_is_the_one_that_is_served() {
    let app = TestApp::new();
    let served = app.anonymous().get("/openapi.json").await.expect(200).json();
    let text = serde_json::to_string_pretty(&served).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if text == committed {
        return;
    }
    let before: Value = serde_json::from_str(&committed).unwrap_or_default();
    let found = breaks(&before, &served);
    let list = found.iter().map(|line| format!("\n  {line}")).collect::<String>();
    match std::env::var(RENEW).as_deref() {
        Ok("breaking") => std::fs::write(&path, text).unwrap(),
        Ok("1") if found.is_empty() => std::fs::write(&path, text).unwrap(),
        Ok("1") => panic!(
            "this breaks clients:{list}\nIn /v1 that is allowed for nothing that was released. Otherwise renew \
             with {RENEW}=breaking"
        ),
        _ => panic!(
            "docs/openapi.json is not what is served. Renew it and look at the difference:\n  \
             {RENEW}=1 cargo test --test it the_committed_description\nClients it breaks:{}",
            if found.is_empty() { "\n  none" } else { &list }
        ),
    }
}

/// The changes a client would notice are told from those it would not.
#[tokio::test]
async fn what_breaks_clients_is_found() {
    let app = TestApp::new();
    let now = app.anonymous().get("/openapi.json").await.expect(200).json();
    assert_eq!(breaks(&now, &now), Vec::<String>::new());
    let changed = |pointer: &str, value: Value| {
        let mut new = now.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let (parent, key) = (new.pointer_mut(parent).expect(pointer), key.replace("~1", "/"));
        if value.is_null() {
            parent.as_object_mut().unwrap().remove(&key);
        } else {
            parent[key] = value;
        }
        breaks(&now, &new)
    };
    let create = "/components/schemas/CreateProject";
    let project = "/components/schemas/Project";
    for (pointer, value) in [
        ("/paths/~1regions".to_owned(), Value::Null),
        ("/paths/~1projects/post".to_owned(), Value::Null),
        ("/paths/~1projects/post/responses/201".to_owned(), Value::Null),
        ("/paths/~1projects/get/operationId".to_owned(), json!("other")),
        ("/paths/~1projects/get/parameters".to_owned(), json!([])),
        ("/webhooks/project.created".to_owned(), Value::Null),
        (format!("{create}/required"), json!(["name", "region", "framework"])),
        (format!("{create}/properties/description"), Value::Null),
        (format!("{create}/properties/keep_images/maximum"), json!(50)),
        ("/components/schemas/ProjectName/pattern".to_owned(), json!("^[a-z]+$")),
        (format!("{create}/properties/auto_deploy/type"), json!("string")),
        ("/components/schemas/Region/enum".to_owned(), json!(["local"])),
        (format!("{project}/properties/url"), Value::Null),
        (format!("{project}/properties/keep_images/type"), json!("string")),
        ("/components/schemas/Pagination/required".to_owned(), json!(["page"])),
        ("/components/schemas/ProjectDeletedData/properties/name".to_owned(), Value::Null),
    ] {
        assert!(!changed(&pointer, value).is_empty(), "{pointer}");
    }
    for (pointer, value) in [
        ("/paths/~1new".to_owned(), json!({ "get": { "operationId": "new" } })),
        (format!("{create}/properties/more"), json!({ "type": "string" })),
        (format!("{create}/properties/keep_images/maximum"), json!(500)),
        (format!("{project}/properties/more"), json!({ "type": "string" })),
        ("/components/schemas/DeploymentStatus/description".to_owned(), json!("Other words.")),
        ("/info/version".to_owned(), json!("9.9.9")),
    ] {
        assert_eq!(changed(&pointer, value), Vec::<String>::new(), "{pointer}");
    }
}
