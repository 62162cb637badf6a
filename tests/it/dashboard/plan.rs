//! How a deployment is built, on its page.

use orbitra::db;
use orbitra::model::build_plan::{BuildPlan, Output, PINNED, Version};
use orbitra::model::ids::DeploymentId;

use super::site::Site;

/// Stores a plan as the pipeline would.
async fn found(site: &Site, id: &str, plan: BuildPlan) {
    let id = DeploymentId::parse(id).unwrap();
    let written = site.app.db.write(move |c| db::transitions::record_plan(c, &id, &plan));
    written.await.unwrap();
}

fn plan(path: Option<&str>) -> BuildPlan {
    let dockerfile = "FROM node:22-slim\nRUN echo '<b>' && true\n".to_owned();
    let output = Output::Container { dockerfile, path: path.map(str::to_owned) };
    let mut plan = BuildPlan::new("nextjs", "`package.json` depends on `next`.", output);
    let version = |name: &str, version: &str, source: &str| Version {
        name: name.to_owned(),
        version: version.to_owned(),
        source: source.to_owned(),
    };
    plan.versions =
        vec![version("node", "22.11.0", "engines.node"), version("pnpm", "9.12.3", PINNED)];
    plan.install_command = Some("pnpm install".to_owned());
    plan.build_command = Some("pnpm run build && echo '<i>'".to_owned());
    plan.release_command = Some("pnpm run migrate".to_owned());
    plan.start_command = Some("node server.js".to_owned());
    plan.port = Some(3000);
    plan.caches = vec!["/root/.cache".to_owned()];
    plan.warnings = vec!["There is no lock file.".to_owned()];
    plan
}

#[tokio::test]
async fn the_plan_is_on_the_page_with_its_dockerfile() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    let page = format!("/dashboard/deployments/{id}");
    assert!(!ada.get(&page).await.body.contains("id=\"plan\""), "nothing is known yet");
    found(&site, &id, plan(None)).await;
    let shown = ada.get(&page).await;
    assert_eq!(shown.text("#plan h2"), "Next.js");
    let text = shown.text("#plan");
    for part in [
        "package.json depends on next.",
        "There is no lock file.",
        "node 22.11.0 engines.node",
        "pnpm 9.12.3 pinned to what an earlier deployment found",
        "Install pnpm install",
        "Build pnpm run build && echo '<i>'",
        "Release pnpm run migrate",
        "Start node server.js",
        "Port 3000",
        "Kept between builds /root/.cache",
    ] {
        let part: String = part.split_whitespace().collect::<Vec<_>>().join(" ");
        let squeezed = text.replace(' ', "");
        assert!(squeezed.contains(&part.replace(' ', "")), "{part} is not in {text}");
    }
    assert_eq!(shown.text("#dockerfile-text"), "FROM node:22-slim RUN echo '<b>' && true");
    assert_eq!(shown.attribute("#copy-dockerfile", "data-from"), "dockerfile-text");
    assert!(!shown.body.contains("<details id=\"dockerfile\" open"));
    assert!(shown.body.contains(&format!("/dashboard/projects/web/logs?deployment={id}")));
    assert!(ada.get(&format!("{page}?part=state")).await.body.contains("id=\"plan\""));
}

#[tokio::test]
async fn a_dockerfile_of_the_repository_is_named_and_what_a_build_waits_for_is_said() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    let page = format!("/dashboard/deployments/{id}");
    found(&site, &id, plan(Some("deploy/Dockerfile"))).await;
    let shown = ada.get(&page).await;
    assert!(shown.text("#plan").contains("deploy/Dockerfile of the repository"));
    assert!(!shown.body.contains("dockerfile-text"));
    let (waits, why) = (DeploymentId::parse(&id).unwrap(), "Waits for memory: 120 MB are free.");
    let written = site.app.db.write(move |c| db::transitions::record_waiting(c, &waits, Some(why)));
    written.await.unwrap();
    assert!(ada.get(&page).await.text("#state").contains(why));
}
