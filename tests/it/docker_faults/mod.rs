//! What happens to a Docker daemon, on a daemon of the test's own: restarted, stood still, emptied, away.

mod disk;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::api_client::{host_of, text, try_visit};
use crate::support::apps;
use crate::support::effort::effort;
use crate::support::git_server::{GitServer, Repository};
use crate::support::load::Load;
use crate::support::orbitra::Orbitra;
use crate::support::own_dockerd::OwnDockerd;
use crate::support::until::{until, within};

const IMAGE: &str = "node:22-bookworm-slim";

/// An Orbitra on a daemon of its own, with one application that is live.
struct Place {
    orbitra: Orbitra,
    dockerd: OwnDockerd,
    git: GitServer,
}

impl Place {
    async fn start(live_restore: bool) -> Self {
        let dockerd = OwnDockerd::start(live_restore, &[IMAGE]).await;
        let orbitra = Orbitra::start_on(&dockerd.host(), &[("ORBITRA_DRAIN_SECONDS", "1")]).await;
        Self { orbitra, dockerd, git: GitServer::start() }
    }

    /// A project that answers with its own name. Answers the project, its deployment and its repository.
    async fn live(&self, name: &str, server: &str) -> (String, String, Repository) {
        let repository = self.git.repository_of(name, &apps::node(server));
        let project = self.orbitra.api.project(name, json!({})).await;
        let id = text(&self.orbitra.api.deploy_live(&project, &repository).await, "id");
        (project, id, repository)
    }

    /// What a project's host answers: its body, or its status, or the transport's error.
    async fn site(&self, name: &str) -> String {
        match try_visit(self.orbitra.port, &format!("{name}.localhost"), "/").await {
            Ok(answer) if answer.status == 200 => answer.body,
            Ok(answer) => answer.status.to_string(),
            Err(error) => error,
        }
    }

    /// Waits until projects answer with their own names, and never with another's.
    async fn answer(&self, limit: Duration, names: &[&str]) -> Duration {
        let begin = Instant::now();
        within(limit, "all answer", async || {
            let mut all = true;
            for name in names {
                let said = self.site(name).await;
                let own = said == *name;
                let down = ["502", "503", "504"].iter().any(|status| said.starts_with(status));
                assert!(own || down, "{name} answers {said}");
                all &= own;
            }
            all.then_some(())
        })
        .await;
        begin.elapsed()
    }
}

/// An application that does not obey SIGTERM.
fn stubborn(text: &str) -> String {
    let (server, _) = apps::answering(text)
        .split_once("process.on")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    format!("{server}process.on(\"SIGTERM\", () => {{}});\n")
}

#[tokio::test]
async fn a_restart_of_the_daemon_is_over_for_applications_soon_after_it_is_back() {
    let mut place = Place::start(false).await;
    place.live("polite", &apps::answering("polite")).await;
    place.live("stubborn", &stubborn("stubborn")).await;
    let (_, third, _) = place.live("third", &apps::answering("third")).await;
    place.dockerd.stop().await;
    let answer = try_visit(place.orbitra.port, "polite.localhost", "/").await.unwrap();
    assert!(matches!(answer.status.as_u16(), 502 | 503), "{}", answer.status);
    if answer.status == 503 {
        assert!(answer.headers.contains_key("retry-after"));
    }
    assert_eq!(place.orbitra.api.get("/projects").await["data"].as_array().unwrap().len(), 3);
    place.dockerd.launch().await;
    let took = place.answer(Duration::from_secs(15), &["polite", "stubborn", "third"]).await;
    println!("all three answered {took:?} after the daemon did");
    // What is stored is what is there.
    let address = place.dockerd.inspect(
        &format!("orbitra-{third}"),
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
    );
    until("the stored address is the container's", async || {
        let stored: String = place
            .orbitra
            .database()
            .query_row("SELECT address FROM replicas WHERE deployment_id = ?1", [&third], |row| {
                row.get(0)
            })
            .unwrap();
        stored.starts_with(&format!("{address}:")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_live_restore_a_restart_of_the_daemon_costs_no_request() {
    let mut place = Place::start(true).await;
    let (_, id, _) = place.live("steady", &apps::answering("steady")).await;
    let started = place.dockerd.inspect(&format!("orbitra-{id}"), "{{.State.StartedAt}}");
    let load = Load::start(place.orbitra.port, "steady.localhost", 200);
    place.dockerd.stop().await;
    place.dockerd.launch().await;
    let before = load.seen().requests;
    until("visitors come", async || (load.seen().requests > before + 200).then_some(())).await;
    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    assert_eq!(place.dockerd.inspect(&format!("orbitra-{id}"), "{{.State.StartedAt}}"), started);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_hangs_holds_up_nothing_but_what_needs_it() {
    let place = Place::start(false).await;
    let (project, _, repository) = place.live("steady", &apps::answering("steady")).await;
    let load = Load::start(place.orbitra.port, "steady.localhost", 100);
    place.dockerd.signal(Signal::STOP);
    let id = place.orbitra.api.deploy(&project, &repository, json!({})).await;
    // Lists that are answered while the daemon owes the deployment an answer: none of them waits for it as well.
    let mut lists = 0;
    let error =
        within(Duration::from_secs(100), "every call to the daemon has ended", async || {
            place.orbitra.api.get("/projects").await;
            let shown = place.orbitra.api.get(&format!("/deployments/{id}")).await;
            lists += 1;
            (shown["status"] == "failed").then(|| text(&shown["error"], "message"))
        })
        .await;
    assert!(error.contains("did not answer in time"), "{error}");
    assert!(lists > 20, "{lists} lists while one call to the daemon took its time");
    place.dockerd.signal(Signal::CONT);
    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.requests);
    let id = place.orbitra.api.deploy(&project, &repository, json!({})).await;
    place.orbitra.api.live(&id).await;
}

#[tokio::test]
async fn what_is_removed_behind_its_back_comes_back_or_says_why_not() {
    let place = Place::start(false).await;
    let (project, id, repository) = place.live("shop", &apps::answering("shop")).await;
    let container = format!("orbitra-{id}");
    place.dockerd.docker(&["rm", "-f", &container]);
    let took = place.answer(Duration::from_secs(15), &["shop"]).await;
    println!("it answered again {took:?} after it was removed");
    // With the network, as a prune does it, while nobody looks.
    place.orbitra.signal(Signal::STOP);
    place.dockerd.docker(&["rm", "-f", &container]);
    place.dockerd.docker(&["network", "rm", &format!("orbitra-{project}")]);
    place.orbitra.signal(Signal::CONT);
    // Meanwhile its address is none of this machine's: what others say there is not looked at.
    within(Duration::from_secs(15), "it answers again", async || {
        (place.site("shop").await == "shop").then_some(())
    })
    .await;
    // Everything that is not in use: its image is.
    place.dockerd.docker(&["stop", "-t", "0", &container]);
    place.answer(Duration::from_secs(15), &["shop"]).await;
    // With its image: nothing can bring it back, and that is said.
    let image = place.dockerd.inspect(&container, "{{.Image}}");
    // In between it would be made again, and the image be in use.
    place.orbitra.signal(Signal::STOP);
    place.dockerd.docker(&["rm", "-f", &container]);
    place.dockerd.docker(&["image", "rm", "-f", &image]);
    place.orbitra.signal(Signal::CONT);
    within(Duration::from_secs(20), "it is known to be down", async || {
        let shown = place.orbitra.api.get(&format!("/projects/{project}")).await;
        (shown["status"] == "degraded").then_some(())
    })
    .await;
    assert_eq!(place.site("shop").await, "503 Service Unavailable");
    let again = place.orbitra.api.deploy(&project, &repository, json!({})).await;
    place.orbitra.api.live(&again).await;
    assert_eq!(place.site("shop").await, "shop");
}

/// The container a deployment's requests go to, while they go anywhere.
fn serving(place: &Place, deployment: &str) -> Option<String> {
    let sql = "SELECT container_id FROM replicas WHERE deployment_id = ?1 AND serves";
    place.orbitra.database().query_row(sql, [deployment], |row| row.get(0)).ok()
}

#[tokio::test]
async fn nobody_is_sent_to_the_address_of_a_network_that_is_gone() {
    let place = Place::start(false).await;
    let (project, id, _) = place.live("shop", &apps::answering("shop")).await;
    let (container, network) = (format!("orbitra-{id}"), format!("orbitra-{project}"));
    // More than once: the look that comes every 15 s may be lucky.
    for _ in 0..3 {
        let before = serving(&place, &id).unwrap();
        place.dockerd.docker(&["network", "disconnect", "--force", &network, &container]);
        place.dockerd.docker(&["network", "rm", &network]);
        within(Duration::from_secs(4), "nobody is sent there any more", async || {
            (serving(&place, &id).as_ref() != Some(&before)).then_some(())
        })
        .await;
        place.answer(Duration::from_secs(15), &["shop"]).await;
    }
    let all = place.dockerd.docker(&["ps", "-aq", "--filter", "label=orbitra.instance"]);
    assert_eq!(all.lines().count(), 1, "what was replaced is gone");
    // A network that is tidied up while nothing runs in it is made again for the next request.
    place.orbitra.signal(Signal::STOP);
    place.dockerd.docker(&["stop", "-t", "0", &container]);
    place.dockerd.docker(&["network", "rm", &network]);
    place.orbitra.signal(Signal::CONT);
    within(Duration::from_secs(15), "it answers again", async || {
        (place.site("shop").await == "shop").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_address_that_another_container_has_got_is_not_answered_from() {
    let place = Place::start(false).await;
    let repository = place.git.repository_of("shop", &apps::node(&apps::answering("one")));
    let project = place.orbitra.api.project("shop", json!({})).await;
    let one = place.orbitra.api.deploy_live(&project, &repository).await;
    repository.commit("server.js", &apps::answering("two"));
    place.orbitra.api.deploy_live(&project, &repository).await;
    let (id, own) = (text(&one, "id"), host_of(&text(&one, "url")));
    // The first one is woken and then loses its address to a new one, while nobody looks.
    assert_eq!(try_visit(place.orbitra.port, &own, "/").await.unwrap().body, "one");
    place.dockerd.docker(&["kill", &format!("orbitra-{id}")]);
    repository.commit("server.js", &apps::answering("three"));
    let third = place.orbitra.api.deploy(&project, &repository, json!({})).await;
    until("the third is live", async || {
        let answer = try_visit(place.orbitra.port, &own, "/").await.unwrap();
        let wrong = answer.status == 200 && answer.body != "one";
        assert!(!wrong, "the first one's URL answers {}", answer.body);
        let shown = place.orbitra.api.get(&format!("/deployments/{third}")).await;
        (shown["status"] == "live").then_some(())
    })
    .await;
    until("the first one answers at its own URL", async || {
        let answer = try_visit(place.orbitra.port, &own, "/").await.unwrap();
        (answer.status == 200).then(|| assert_eq!(answer.body, "one"))
    })
    .await;
    assert_eq!(place.site("shop").await, "three");
}

#[tokio::test]
async fn a_daemon_that_comes_later_and_one_full_of_strangers_are_used() {
    let mut place = Place::start(false).await;
    place.orbitra.kill9();
    let strangers: usize = effort("ORBITRA_TEST_STRANGERS", 20);
    for number in 0..strangers {
        let label = format!("orbitra.instance=other-{number}");
        place.dockerd.docker(&["create", "--network", "none", "--label", &label, IMAGE, "true"]);
    }
    place.dockerd.stop().await;
    place.orbitra.restart().await;
    let repository = place.git.repository_of("late", &apps::node(&apps::answering("late")));
    let project = place.orbitra.api.project("late", json!({})).await;
    let id = place.orbitra.api.deploy(&project, &repository, json!({})).await;
    let message = text(&place.orbitra.api.failure(&id).await, "message");
    assert!(message.contains("Docker does not answer"), "{message}");
    place.dockerd.launch().await;
    place.orbitra.api.deploy_live(&project, &repository).await;
    assert_eq!(place.site("late").await, "late");
    let all = place.dockerd.docker(&["ps", "-aq", "--filter", "label=orbitra.instance"]);
    assert_eq!(all.lines().count(), strangers + 1);
}
