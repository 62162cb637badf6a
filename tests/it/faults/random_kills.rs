//! kill -9 at random moments, again and again, while projects are deployed, changed, visited and removed, and a webhook is told
//! of everything.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orbitra::crypto::random;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Place;
use crate::support::api_client::{Api, text, try_visit};
use crate::support::effort::effort;
use crate::support::receiver::Receiver;
use crate::support::until::within;

/// Projects that stay, each changed by somebody and visited by somebody.
const PROJECTS: usize = 3;
/// Deployments of a project that wait, so that the queue does not only grow.
const MOST: u64 = 8;
/// The longest until it answers again. What it must reach is two seconds; the machine that runs tests is busy.
const LONGEST: Duration = Duration::from_secs(10);

/// What was answered with success and must be there.
#[derive(Default)]
struct Acknowledged {
    /// Deployments, all of them.
    deployments: Vec<String>,
    /// The newest description of each project.
    values: BTreeMap<String, u32>,
    /// Values that were sent after it and never answered: each of them may be there or not.
    unknown: BTreeMap<String, Vec<u32>>,
    /// Projects that were made and not removed again.
    projects: Vec<String>,
    writes: usize,
    visits: usize,
    failures: Vec<String>,
}

type Shared = Arc<Mutex<Acknowledged>>;

/// Changes one project for as long as it may; a call that breaks off counts as neither done nor not.
async fn write(api: Api, project: String, url: String, seen: Shared, stop: CancellationToken) {
    for turn in 1u32.. {
        if stop.is_cancelled() {
            return;
        }
        let value = json!({"description": turn.to_string()});
        seen.lock().unwrap().unknown.entry(project.clone()).or_default().push(turn);
        let path = format!("/projects/{project}");
        if let Ok((200..=299, _)) = api.try_call("PATCH", &path, Some(value), None).await {
            let mut seen = seen.lock().unwrap();
            seen.values.insert(project.clone(), turn);
            seen.unknown.remove(&project);
            seen.writes += 1;
        }
        // Repeated with the same key until it is answered, as a careful client does.
        let once = format!("{project}-{turn}");
        let (path, body) = (format!("/projects/{project}/deployments"), json!({"git_url": url}));
        let id = loop {
            if let Ok((status, answer)) =
                api.try_call("POST", &path, Some(body.clone()), Some(&once)).await
            {
                match status {
                    201 => break text(&answer, "id"),
                    409 => {}
                    other => panic!("{other} {answer}"),
                }
            }
            if stop.is_cancelled() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        {
            let mut seen = seen.lock().unwrap();
            seen.deployments.push(id.clone());
            seen.writes += 1;
        }
        let [dice] = random::bytes::<1>();
        match dice % 8 {
            0 => {
                let _ = api
                    .try_call("POST", &format!("/deployments/{id}/cancel"), Some(json!({})), None)
                    .await;
            }
            1 => {
                let path = format!("/projects/{project}/rollback");
                let _ = api.try_call("POST", &path, Some(json!({})), None).await;
            }
            2 => {
                let made = json!({"name": format!("more-{}", &id[4..]), "region": "local"});
                let made = api.try_call("POST", "/projects", Some(made), None).await;
                let Ok((201, made)) = made else { continue };
                let id = text(&made, "id");
                seen.lock().unwrap().projects.push(id.clone());
                if dice % 16 == 2 {
                    // From here on it may be there or not.
                    seen.lock().unwrap().projects.retain(|one| *one != id);
                    let _ = api.try_call("DELETE", &format!("/projects/{id}"), None, None).await;
                }
            }
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(u64::from(dice))).await;
        while under_way(&api, &project).await >= MOST && !stop.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Deployments of a project that have not come to their end; as when there were many while nobody answers.
async fn under_way(api: &Api, project: &str) -> u64 {
    let path = format!("/projects/{project}/deployments?status=building&limit=1");
    let answer = api.try_call("GET", &path, None, None).await;
    answer.ok().and_then(|(_, page)| page["pagination"]["total"].as_u64()).unwrap_or(MOST)
}

/// Waits until nothing is still to be sent, and answers how many events a webhook was told of: all that ever happened.
async fn told(place: &Place, receiver: &Receiver) -> usize {
    let database = place.orbitra.database();
    let open = "SELECT count(*) FROM webhook_deliveries WHERE next_at IS NOT NULL";
    within(Duration::from_secs(120), "all is sent", async || {
        let open: i64 = database.query_row(open, [], |row| row.get(0)).unwrap();
        (open == 0).then_some(())
    })
    .await;
    let since =
        "SELECT id, event FROM events WHERE created_at >= (SELECT created_at FROM webhooks)";
    let mut statement = database.prepare(since).unwrap();
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let all: Vec<(String, String)> =
        statement.query_map([], read).unwrap().map(Result::unwrap).collect();
    let got: HashSet<_> = receiver.got().iter().map(|one| one.event_id().to_owned()).collect();
    let lost: Vec<_> = all.iter().filter(|(id, _)| !got.contains(id)).collect();
    assert!(lost.is_empty(), "{} of {} were not told: {lost:?}", lost.len(), all.len());
    assert_eq!(receiver.refused(), 0, "all are verified by the reference library");
    got.len()
}

/// Visits a project that has something live: whatever is answered must be its page.
async fn visit(port: u16, name: String, seen: Shared, stop: CancellationToken) {
    let host = format!("{name}.localhost");
    while !stop.is_cancelled() {
        // Nothing listens, or what was asked was killed: there was nobody to answer.
        if let Ok(answer) = try_visit(port, &host, "/").await {
            let mut seen = seen.lock().unwrap();
            seen.visits += 1;
            if answer.status != 200 || answer.body != "here" {
                seen.failures.push(format!("{} {}", answer.status, answer.body));
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_moment_is_the_wrong_one() {
    let mut place = Place::start().await;
    let repository = place.repository("app", &json!({"body": "here"}));
    let (seen, stop) = (Shared::default(), CancellationToken::new());
    let receiver = Receiver::start().await;
    let hook = json!({ "url": receiver.url(), "events": ["*"] });
    let hook = place.orbitra.api.done("POST", "/webhooks", Some(hook)).await;
    receiver.verify(&text(&hook, "secret"));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..PROJECTS {
        let name = format!("shop-{number}");
        let (project, _) = place.live(&name, &repository).await;
        let (api, url) = (place.orbitra.api.clone(), repository.url.clone());
        clients.spawn(write(api, project, url, seen.clone(), stop.clone()));
        clients.spawn(visit(place.orbitra.port, name, seen.clone(), stop.clone()));
    }
    let kills = effort("ORBITRA_TEST_KILLS", 30);
    let mut starts = Vec::new();
    for _ in 0..kills {
        let [a, b] = random::bytes::<2>();
        let moment = u64::from(u16::from_be_bytes([a, b])) % 600;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        place.orbitra.kill9();
        let took = place.orbitra.restart().await;
        assert!(took < LONGEST, "{took:?}");
        starts.push(took);
        for number in 0..PROJECTS {
            assert_eq!(place.site(&format!("shop-{number}")).await, "here", "right after a start");
        }
    }
    stop.cancel();
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let api = place.orbitra.api.clone();
    place.quiet().await;
    let told = told(&place, &receiver).await;
    {
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(seen.failures, Vec::<String>::new(), "of {} visits", seen.visits);
        for id in &seen.deployments {
            let (status, shown) = api.call("GET", &format!("/deployments/{id}"), None).await;
            assert_eq!(status, 200, "{id} was acknowledged: {shown}");
        }
        for (project, value) in &seen.values {
            let (_, shown) = api.call("GET", &format!("/projects/{project}"), None).await;
            let stored: u32 = shown["description"].as_str().unwrap().parse().unwrap();
            assert!(
                stored == *value
                    || seen.unknown.get(project).is_some_and(|tried| tried.contains(&stored)),
                "{stored} stands where {value} was acknowledged"
            );
        }
        for project in &seen.projects {
            let (status, _) = api.call("GET", &format!("/projects/{project}"), None).await;
            assert_eq!(status, 200, "{project} was acknowledged");
        }
        starts.sort_unstable();
        println!(
            "kills {kills}; ready again: median {:?}, longest {:?}; acknowledged writes {}, lost 0; visits {}, failed 0; \
             deployments {}; events told {told}, lost 0",
            starts[starts.len() / 2],
            starts[starts.len() - 1],
            seen.writes,
            seen.visits,
            seen.deployments.len(),
        );
    }
    place.sound_for_good().await;
}
