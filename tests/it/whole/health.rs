//! When a new deployment counts as healthy, and what is said when it does not.

use serde_json::json;

use super::{Whole, change};
use crate::support::api_client::text;

#[tokio::test]
async fn an_application_that_answers_well_now_and_then_gets_no_visitors() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one"}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    change(&repository, &json!({"body": "two", "flaps": 1_000_000}));
    let error = whole.api.failure(&whole.deploy(&project, &repository).await).await;
    assert_eq!(
        (&error["code"], &error["phase"]),
        (&json!("healthcheck_failed"), &json!("checking"))
    );
    let message = text(&error, "message");
    assert!(message.contains("but never 3 times in a row"), "{message}");
    assert_eq!(whole.site("shop").await, "one");
}

#[tokio::test]
async fn a_bad_answer_starts_the_row_anew() {
    let whole = Whole::start().await;
    // Good by turns seven times: only the eighth begins a row that is long enough.
    let repository = whole.repository(&json!({"body": "one", "flaps": 8}));
    let project = whole.project("shop").await;
    let live = whole.api.deploy_live(&project, &repository).await;
    assert_eq!(whole.site("shop").await, "one");
    let asked = whole.engine.asked(&text(&live, "id"));
    assert!(asked >= 8 + 3, "{asked}");
}

#[tokio::test]
async fn what_listens_too_late_is_given_up() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({"body": "one", "delay": 300}));
    let project = whole.project("shop").await;
    whole.api.deploy_live(&project, &repository).await;
    change(&repository, &json!({"body": "late", "delay": 60_000}));
    let error = whole.api.failure(&whole.deploy(&project, &repository).await).await;
    assert_eq!(error["code"], "port_not_listening");
    assert_eq!(whole.site("shop").await, "one");
}
