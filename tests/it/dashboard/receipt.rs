//! What a deployment was made of, and what changed, on pages.

use orbitra::db::{self, DbError};
use orbitra::model::diagnosis::{Cause, listening};
use orbitra::model::failure::{Failure, FailureCode};
use orbitra::model::ids::DeploymentId;
use orbitra::model::receipt::{Limits, Receipt, VariableFacts};

use super::site::{START, Site};

/// Keeps a receipt as the pipeline would.
async fn keep(site: &Site, id: &str, memory_mb: u32, hash: &str, output: &[&str]) {
    let variable = |name: &str| VariableFacts { name: name.to_owned(), hash: Some(hash.repeat(8)) };
    let receipt = Receipt {
        variables: vec![variable("API_KEY")],
        limits: Some(Limits { memory_mb, cpu_millis: 500, instances: 1 }),
        hostname: "web-x.localhost".to_owned(),
        ..Receipt::default()
    };
    let (id, output) = (DeploymentId::parse(id).unwrap(), output.iter().map(|l| (*l).to_owned()));
    let output: Vec<String> = output.collect();
    let written = site.app.db.write(move |c| -> Result<(), DbError> {
        db::receipts::put(c, &id, &receipt, &output, START)
    });
    written.await.unwrap();
}

#[tokio::test]
async fn the_receipt_is_on_the_page_and_leads_to_what_changed() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let first = ada.project("web").await;
    let page = format!("/dashboard/deployments/{first}");
    assert!(!ada.get(&page).await.body.contains("id=\"receipt\""), "there is none yet");
    site.finish(&first, true).await;
    keep(&site, &first, 512, "a", &[]).await;
    let shown = ada.get(&page).await;
    let text = shown.text("#receipt");
    for part in ["512 MiB of memory, 0.5 of a core, 1 instance", "web-x.localhost", "API_KEY"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!shown.body.contains("id=\"compare\""), "there is nothing to compare with");

    let project = "/dashboard/projects/web";
    let made = ada.submit(project, &format!("{project}/deploy"), &[]).await;
    let second = made.location().strip_prefix("/dashboard/deployments/").unwrap().to_owned();
    site.finish(&second, true).await;
    keep(&site, &second, 1024, "b", &[]).await;
    let shown = ada.get(&format!("/dashboard/deployments/{second}")).await;
    let link = shown.attribute("#compare", "href");
    assert_eq!(link, format!("/dashboard/deployments/{first}/compare/{second}"));
    let compared = ada.get(&link).await;
    assert_eq!(compared.status, 200);
    assert_eq!(compared.text("h1"), "What changed");
    assert_eq!(compared.text("#facts tbody"), "Memory512 MiB1024 MiB");
    assert!(compared.body.contains("Other value") && compared.body.contains("API_KEY"));
    let back = ada.get(&compared.attribute("#other-way", "href")).await;
    assert_eq!(back.text("#facts tbody"), "Memory1024 MiB512 MiB");
    let same = ada.get(&format!("/dashboard/deployments/{first}/compare/{first}")).await;
    assert!(same.text("#same").starts_with("Both are made of the same"));
}

#[tokio::test]
async fn what_is_not_ones_own_is_not_compared() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let (one, two) = (ada.project("web").await, ada.project("blog").await);
    for path in [
        format!("/dashboard/deployments/{one}/compare/{two}"),
        format!("/dashboard/deployments/{one}/compare/dep_0000000000000000"),
        format!("/dashboard/deployments/rubbish/compare/{one}"),
    ] {
        assert_eq!(ada.get(&path).await.status, 404, "{path}");
    }
    site.user("bob@example.com", false).await;
    let mut bob = site.browser();
    bob.sign_in("bob@example.com").await;
    let path = format!("/dashboard/deployments/{one}/compare/{one}");
    assert_eq!(bob.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_failure_shows_its_evidence_its_next_step_and_a_hundred_lines() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    let listening = [("127.0.0.1".parse().unwrap(), 3000)];
    let output = orbitra::model::diagnosis::Output { lines: &[], variables: &[] };
    let sockets = listening::Sockets { told: 3000, fixed: false, listening: &listening, output };
    let failure = Failure::new(
        FailureCode::PortNotListening,
        "queued",
        "Nothing listens on port 3000 after 60 s. Last output:\nline 99\nline 100",
    );
    let failure = failure.explained(listening::nobody(&sockets));
    assert_eq!(failure.diagnosis.as_ref().unwrap().cause, Cause::BoundToLoopback);
    site.fail(&id, failure).await;
    let lines: Vec<_> = (1..=100).map(|number| format!("<b>line {number}")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    keep(&site, &id, 512, "a", &lines).await;
    let page = ada.get(&format!("/dashboard/deployments/{id}")).await;
    assert_eq!(page.text("#why"), "Nothing listens on port 3000 after 60 s");
    assert_eq!(page.text("#evidence"), "listens on 127.0.0.1:3000");
    let explained = page.text(".box.bad");
    assert!(explained.contains("Listen on 0.0.0.0 (or ::) instead of localhost"), "{explained}");
    let shown = page.text("#last-output");
    assert!(shown.starts_with("<b>line 1 ") && shown.ends_with("<b>line 100"), "{shown}");
}
