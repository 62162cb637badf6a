//! Figures over time on a page.

use orbitra::db::DbError;
use orbitra::db::series::{self, Seen};
use orbitra::model::ids::DeploymentId;
use orbitra::model::series::Point;

use super::site::Site;

/// Something is seen of a deployment, so many seconds before now.
async fn seen(site: &Site, id: &str, instance: u32, ago: i64, point: Point) {
    let deployment = DeploymentId::parse(id).unwrap();
    let project = site.deployment(id).await.project_id;
    let seen = Seen { project, deployment, instance, point };
    let mut at = site.app.clock.now();
    at.0 -= ago * 1000;
    let write = site.app.db.write(move |c| -> Result<(), DbError> { series::add(c, at, &seen) });
    write.await.unwrap();
}

fn answered(ok: u64, failed: u64) -> Point {
    let mut point = Point { bytes: 1_000_000 * ok, ..Point::default() };
    (point.classes[2], point.classes[5]) = (ok, failed);
    point.buckets[3] = ok + failed;
    point
}

#[tokio::test]
async fn a_project_without_anything_says_so() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let deployment = ada.project("web").await;
    let page = ada.get("/dashboard/projects/web/metrics").await;
    assert_eq!((page.status.as_u16(), page.text("h1")), (200, "Metrics".to_owned()));
    assert!(page.text("#nothing").contains("Nothing was seen in this time"));
    assert!(!page.body.contains("<svg viewBox"), "no chart of nothing");
    let of = ada.get(&format!("/dashboard/projects/web/metrics?deployment={deployment}")).await;
    assert!(of.text("h1").starts_with("Metrics of "));
}

#[tokio::test]
async fn charts_have_their_numbers_beside_them() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let id = ada.project("web").await;
    site.finish(&id, true).await;
    seen(&site, &id, 0, 120, answered(1200, 0)).await;
    seen(&site, &id, 0, 60, answered(2, 3)).await;
    let memory = 100 << 20;
    seen(
        &site,
        &id,
        1,
        60,
        Point { cpu_micros: 1_500_000, cpu_millis: 15_000, memory, ..Point::default() },
    )
    .await;
    let page = ada.get("/dashboard/projects/web/metrics").await;
    assert!(
        page.text("#requests figcaption").contains("1,205 requests, 3 of them failed with 5xx.")
    );
    let numbers = page.text("#requests tbody");
    assert!(numbers.contains("1,200") && numbers.contains('5'), "{numbers}");
    assert!(page.text("#memory figcaption").contains("100 MiB at last"));
    assert!(page.text("#memory figcaption").contains("Each may use 512 MiB."));
    assert!(page.text("#cpu tbody").contains("0.10 cores"));
    assert!(page.text("#egress figcaption").starts_with("Network out"));
    assert!(page.text("#latency figcaption").contains("p95"));
    // The picture is for those who see it; the table says the same.
    assert_eq!(page.attribute("#requests .chart svg", "aria-hidden"), "true");
    // Each step has its words for whoever reads the picture with the arrow keys.
    let words = page.attribute("#requests path.l1", "data-words");
    assert_eq!(words.split('|').count(), 60, "{words}");
    assert!(words.contains("|1,200|5") || words.contains("1,200|5|"), "{words}");
    assert_eq!(page.attribute("#requests path.l1", "data-line"), "Requests");
    assert_eq!(page.attribute("#requests-chart", "data-step"), "60000");
    // What changes comes again without its page.
    assert_eq!(page.attribute("#figures", "data-every"), "15");
    seen(&site, &id, 0, 60, answered(0, 1)).await;
    let part = ada.get(&page.attribute("#figures", "data-src")).await;
    assert!(part.body.trim_start().starts_with("<div id=\"figures\""), "{}", part.body);
    assert!(part.text("#requests figcaption").contains("1,206 requests, 4 of them failed"));
    let day = ada.get("/dashboard/projects/web/metrics?range=24h").await;
    assert_eq!(day.attribute("#figures", "data-every"), "60");
    let day = ada.get(&day.attribute("#figures", "data-src")).await;
    assert_eq!(day.attribute("#requests-chart", "data-step"), "600000");
    let of = format!("/dashboard/projects/web/metrics?deployment={id}");
    let of = ada.get(&of).await.attribute("#figures", "data-src");
    assert!(of.ends_with(&format!("&deployment={id}")), "{of}");
    assert_eq!(ada.get("/dashboard/projects/web/metrics?part=nothing").await.status, 404);
    let csv = ada.get("/dashboard/projects/web/metrics.csv?range=24h").await;
    assert!(csv.body.starts_with("from,metric,unit,label,value\n"), "{}", csv.body);
    assert!(csv.body.contains(",requests,requests,,1206\n"), "{}", csv.body);
    assert!(csv.body.contains(",cpu,millicores,1,100\n"), "{}", csv.body);
}

#[tokio::test]
async fn what_is_not_ones_own_has_no_figures() {
    let site = Site::plain();
    let mut ada = site.ada().await;
    let (one, two) = (ada.project("web").await, ada.project("blog").await);
    seen(&site, &one, 0, 60, answered(7, 0)).await;
    assert_eq!(
        ada.get(&format!("/dashboard/projects/web/metrics?deployment={one}")).await.status,
        200
    );
    for path in [
        format!("/dashboard/projects/web/metrics?deployment={two}"),
        "/dashboard/projects/web/metrics?deployment=rubbish".to_owned(),
        "/dashboard/projects/nothing/metrics".to_owned(),
    ] {
        assert_eq!(ada.get(&path).await.status, 404, "{path}");
    }
    // A range that nobody knows is the usual one.
    assert_eq!(ada.get("/dashboard/projects/web/metrics?range=%3Cb%3E").await.status, 200);
    site.user("bob@example.com", false).await;
    let mut bob = site.browser();
    bob.sign_in("bob@example.com").await;
    for path in ["/dashboard/projects/web/metrics", "/dashboard/projects/web/metrics.csv"] {
        assert_eq!(bob.get(path).await.status, 404, "{path}");
    }
}
