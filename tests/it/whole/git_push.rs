//! `git push` to Orbitra itself: the real Git, the project's own repository, the log in the pusher's terminal.

use std::io::Write;

use serde_json::{Value, json};

use super::{DOCKERFILE, Whole};
use crate::support::api_client::{host_of, send, text};
use crate::support::pusher::{Pushed, Pusher};
use crate::support::until::until;

/// A project that is pushed to, and somebody who does.
struct Place {
    whole: Whole,
    project: String,
    pusher: Pusher,
}

impl Place {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(more: &[(&'static str, &'static str)]) -> Self {
        let whole = Whole::start_with(&[super::NO_PAUSE, more].concat()).await;
        let project = whole.project("shop").await;
        let app = json!({"body": "first"}).to_string();
        let pusher = Pusher::new(&[("Dockerfile", DOCKERFILE), ("app.json", &app)]);
        Self { whole, project, pusher }
    }

    fn address_with(&self, key: &str) -> String {
        format!("http://anybody:{key}@127.0.0.1:{}/git/shop.git", self.whole.api.port)
    }

    fn address(&self) -> String {
        self.address_with(&self.whole.api.key)
    }

    fn push(&self, what: &[&str]) -> Pushed {
        self.pusher.push(&self.address(), what)
    }

    /// Commits another behaviour. Answers the commit.
    fn change(&self, app: &Value) -> String {
        self.pusher.commit("app.json", &app.to_string())
    }

    async fn change_project(&self, body: Value) {
        self.whole.api.done("PATCH", &format!("/projects/{}", self.project), Some(body)).await;
    }

    async fn deployments(&self) -> Vec<Value> {
        let path = format!("/projects/{}/deployments?include=*&limit=100", self.project);
        let all = self.whole.api.get(&path).await;
        all["data"].as_array().unwrap().clone()
    }

    async fn count(&self) -> usize {
        self.deployments().await.len()
    }

    fn refs(&self) -> Vec<(String, String)> {
        let path = self.whole.data.path().join("orbitra.db");
        let database = rusqlite::Connection::open(path).unwrap();
        let mut read =
            database.prepare("SELECT name, object FROM pushed_refs ORDER BY name").unwrap();
        let rows = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    async fn answers(&self, host: &str, status: u16) {
        until("the host answers as it should", async || {
            (self.whole.visit(host).await.status == status).then_some(())
        })
        .await;
    }
}

/// The routes follow the database a moment later.
async fn serves(place: &Place, body: &str) {
    until(body, async || (place.whole.site("shop").await == body).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_is_live_when_it_returns_and_can_be_deployed_again() {
    let place = Place::start().await;
    let pushed = place.push(&["main"]).taken();
    assert_eq!(place.whole.site("shop").await, "first");
    let said = pushed.remote();
    let first = place.pusher.head();
    assert!(said.contains(&format!("Deploying main ({}) to production", &first[..7])), "{said}");
    assert!(said.contains("Reading what was pushed here"), "{said}");
    assert!(said.contains("Live: http://shop.localhost"), "{said}");
    let [one] = &place.deployments().await[..] else { panic!("one deployment") };
    assert_eq!(
        (&one["git"]["commit_sha"], &one["trigger"], &one["git"]["branch"]),
        (&json!(first), &json!("git_push"), &json!("main"))
    );
    // It is the project's source now, at an address that survives a new name.
    let shown = place.whole.api.get(&format!("/projects/{}", place.project)).await;
    let address = text(&shown["source"], "git_url");
    assert!(address.ends_with(&format!("/git/{}.git", place.project)), "{address}");
    assert_eq!((&one["git"]["url"], &shown["source"]["branch"]), (&json!(address), &json!("main")));

    place.change(&json!({"body": "second"}));
    place.push(&["main"]).taken();
    assert_eq!(place.whole.site("shop").await, "second");
    // Again, back, and the newest of the branch.
    let again = format!("/deployments/{}/redeploy", text(one, "id"));
    let again = place.whole.api.done("POST", &again, Some(json!({}))).await;
    place.whole.api.live(&text(&again, "id")).await;
    serves(&place, "first").await;
    let newest = place.whole.api.deploy_with(&place.project, json!({})).await;
    place.whole.api.live(&newest).await;
    serves(&place, "second").await;
    let receipt = place.whole.api.get(&format!("/deployments/{newest}/receipt")).await;
    assert!(receipt.to_string().contains(&place.pusher.head()), "{receipt}");
    // What is shown is accepted, by name as well, and means the same.
    for address in [address.clone(), address.replace(&place.project, "shop")] {
        let body = json!({"git_url": address, "branch": "main"});
        let path = format!("/projects/{}/source", place.project);
        let set = place.whole.api.done("PUT", &path, Some(body)).await;
        assert_eq!(set["source"]["git_url"], shown["source"]["git_url"]);
    }
    let back = format!("/projects/{}/rollback", place.project);
    let back = place.whole.api.done("POST", &back, Some(json!({}))).await;
    place.whole.released(&text(&back, "id")).await;
    serves(&place, "first").await;
    // What comes by itself waits then, and says so.
    place.change(&json!({"body": "third"}));
    let said = place.push(&["main"]).taken().remote();
    assert!(said.contains("Visitors stay where they are until it is promoted"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_fails_refuses_nothing_and_says_what_to_do() {
    let place = Place::start().await;
    place.push(&["main"]).taken();
    let broken = place.change(&json!({"build_exit": 3}));
    let said = place.push(&["main"]).taken().remote();
    assert!(said.contains("The deployment failed: RUN make ended with exit code 3"), "{said}");
    assert!(said.contains("Run `make` on your machine"), "{said}");
    assert!(said.contains("What was pushed is kept. Visitors get what they had before."), "{said}");
    assert!(said.contains("/dashboard/deployments/dep_"), "{said}");
    assert_eq!(place.refs(), [("refs/heads/main".to_owned(), broken)]);
    assert_eq!(place.whole.site("shop").await, "first");
    place.change(&json!({"body": "mended"}));
    place.push(&["main"]).taken();
    assert_eq!(place.whole.site("shop").await, "mended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_push_is_told_why_and_changes_nothing() {
    let place = Place::start().await;
    let api = &place.whole.api;
    let key = async |scopes: &[&str], more: Value| {
        let mut body = json!({"name": "k", "scopes": scopes});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        text(&api.done("POST", "/api-keys", Some(body)).await, "key")
    };
    let other = place.whole.project("other").await;
    let reader = key(&["read"], json!({})).await;
    let elsewhere = key(&["deploy"], json!({"project_ids": [other]})).await;
    let away = key(&["deploy"], json!({"allowed_ips": ["203.0.113.0/24"]})).await;
    let push = |address: &str| place.pusher.push(address, &["main"]);
    push(&place.address_with("nonsense")).refused("Authentication failed");
    push(&format!("http://127.0.0.1:{}/git/shop.git", api.port))
        .refused("terminal prompts disabled");
    push(&place.address_with(&reader)).refused("This key lacks the scope `deployments:write`.");
    push(&place.address_with(&elsewhere)).refused("There is no project `shop`");
    push(&place.address_with(&away)).refused("This key may not be used from this address.");
    push(&place.address().replace("shop", "nothing")).refused("There is no project `nothing`");
    for path in ["/git/shop.git/info/refs?service=git-receive-pack", "/git/shop/info/refs"] {
        let request = http::Request::get(path).header("host", "127.0.0.1");
        let answer = send(api.port, request.body(Default::default()).unwrap()).await.unwrap();
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    }
    let clone = place.pusher.path().join("copy").display().to_string();
    let output = std::process::Command::new("git")
        .args(["clone", &place.address(), &clone])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("there is nothing to clone"), "{said}");
    // What no Git sends.
    for (kind, status) in [("text/plain", 415), ("application/x-git-receive-pack-request", 400)] {
        let request = http::Request::post("/git/shop.git/git-receive-pack")
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {}", api.key))
            .header("content-type", kind);
        let request = request.body(bytes::Bytes::from_static(b"zzzz").into()).unwrap();
        assert_eq!(send(api.port, request).await.unwrap().status, status);
    }
    assert_eq!((place.count().await, place.refs().len()), (0, 0));
    // A key of the project itself, with the id in the address.
    let body = json!({"name": "ci", "scopes": ["deployments:write"]});
    let made = api.done("POST", &format!("/projects/{}/tokens", place.project), Some(body)).await;
    let address = place.address_with(&text(&made, "key")).replace("shop", &place.project);
    let said = push(&address).taken().remote();
    assert!(said.contains("This key may not read logs") && said.contains("Live: "), "{said}");
    assert!(!said.contains("Reading what was pushed"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn branches_tags_and_what_else_is_pushed() {
    let place = Place::start().await;
    let pusher = &place.pusher;
    pusher.git(&["branch", "feature"]);
    pusher.git(&["tag", "-a", "v1", "-m", "one"]);
    pusher.git(&["update-ref", "refs/notes/x", "HEAD"]);
    let pushed = place.push(&["main", "feature", "v1", "refs/notes/x"]);
    let pushed = pushed.refused("only branches and tags can be pushed here");
    let said = pushed.remote();
    assert!(said.contains("`feature` is kept and not deployed"), "{said}");
    assert!(said.contains("The tag `v1` is kept"), "{said}");
    assert!(said.contains("Live: "), "{said}");
    let names: Vec<_> = place.refs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["refs/heads/feature", "refs/heads/main", "refs/tags/v1"]);
    assert_eq!(place.count().await, 1);

    // With previews, a branch has its own address until it is deleted.
    place.change_project(json!({"preview_deployments": true})).await;
    pusher.git(&["checkout", "-q", "feature"]);
    place.change(&json!({"body": "a preview"}));
    let said = place.push(&["feature"]).taken().remote();
    assert!(said.contains("The branch: http://shop-git-feature.localhost"), "{said}");
    assert_eq!(place.whole.visit("shop-git-feature.localhost").await.body, "a preview");
    assert_eq!(place.whole.site("shop").await, "first");
    // History rewritten is what the branch is now.
    pusher.git(&["commit", "-q", "--amend", "-m", "rewritten"]);
    place.push(&["feature"]).refused("non-fast-forward");
    place.push(&["--force", "feature"]).taken();
    let newest = &place.deployments().await[0];
    assert_eq!(newest["git"]["commit_sha"], json!(pusher.head()));
    let said = place.push(&["--delete", "feature", "v1"]).taken().remote();
    assert!(said.contains("The branch `feature` is deleted, and its previews with it."), "{said}");
    place.answers("shop-git-feature.localhost", 410).await;
    assert_eq!(place.refs().len(), 1);
    assert_eq!(place.whole.site("shop").await, "first");
    // By then somebody else has a copy that knows nothing of it.
    place.push(&["--delete", "feature"]).refused("remote ref does not exist");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_of_pushes_hold() {
    let place = Place::start().await;
    place.change_project(json!({"source": {"watch_paths": ["app.json"]}})).await;
    place.push(&["main"]).taken();
    place.pusher.commit("README.md", "words");
    let said = place.push(&["main"]).taken().remote();
    assert!(said.contains("nothing has changed that the project watches"), "{said}");
    place.pusher.commit("lib/app.json", "{}");
    place.push(&["main"]).taken();
    assert_eq!(place.count().await, 2, "a pattern without a slash is found at every depth");
    place.pusher.write("app.json", json!({"body": "skipped"}).to_string().as_bytes());
    place.pusher.save("more\n\nnot yet [skip ci]");
    let said = place.push(&["main"]).taken().remote();
    assert!(said.contains("the message of its newest commit says so"), "{said}");
    place.change_project(json!({"auto_deploy": false})).await;
    place.change(&json!({"body": "off"}));
    let said = place.push(&["main"]).taken().remote();
    assert!(said.contains("does not deploy what is pushed"), "{said}");
    assert_eq!(place.count().await, 2);
    place.change_project(json!({"auto_deploy": true})).await;
    // Nothing is accepted that could not be deployed, so that it can be pushed again.
    let path = format!("/projects/{}", place.project);
    place.whole.api.done("POST", &format!("{path}/pause"), None).await;
    let before = place.refs();
    place.change(&json!({"body": "resumed"}));
    place.push(&["main"]).refused("paused");
    assert_eq!(place.refs(), before);
    place.whole.api.done("POST", &format!("{path}/resume"), None).await;
    place.push(&["main"]).taken();
    assert_eq!(place.whole.site("shop").await, "resumed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_push_takes_only_the_two_usual_names_for_production() {
    let place = Place::start().await;
    place.pusher.git(&["branch", "-m", "trunk"]);
    let said = place.push(&["trunk"]).taken().remote();
    assert!(said.contains("`main` or `master` goes to production"), "{said}");
    assert_eq!(place.count().await, 0);
    place.change_project(json!({"source": {"branch": "trunk"}})).await;
    place.change(&json!({"body": "trunk"}));
    place.push(&["trunk"]).taken();
    assert_eq!(place.whole.site("shop").await, "trunk");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_of_another_repository_takes_a_push_once_and_keeps_its_source() {
    let place = Place::start().await;
    let repository = place.whole.repository(&json!({"body": "the forge's"}));
    place.whole.api.deploy_live(&place.project, &repository).await;
    let said = place.push(&["main"]).taken().remote();
    assert!(said.contains(&format!("source stays {}", repository.url)), "{said}");
    assert_eq!(place.whole.site("shop").await, "first");
    let pushed = text(&place.deployments().await[0], "id");
    let newest = place.whole.api.deploy_with(&place.project, json!({})).await;
    place.whole.api.live(&newest).await;
    assert_eq!(place.whole.site("shop").await, "the forge's");
    // What was pushed is still there to be deployed again.
    let again = format!("/deployments/{pushed}/redeploy");
    let again = place.whole.api.done("POST", &again, Some(json!({}))).await;
    place.whole.api.live(&text(&again, "id")).await;
    assert_eq!(place.whole.site("shop").await, "first");
    // Another project's repository is nobody else's.
    let other = place.whole.project("other").await;
    for source in [format!("pushed://{}", place.project), "pushed://nothing".to_owned()] {
        let body = json!({"git_url": source});
        let path = format!("/projects/{other}/deployments");
        let (status, answer) = place.whole.api.call("POST", &path, Some(body)).await;
        assert_eq!(status, 400, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_is_too_large_or_lacks_objects_is_refused_whole() {
    let place = Place::start_with(&[("ORBITRA_GIT_SIZE_LIMIT", "1")]).await;
    place.push(&["main"]).taken();
    let before = place.refs();
    // What does not compress.
    let mut noise = vec![0_u8; 3_000_000];
    let mut state = 1_u64;
    for byte in &mut noise {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = (state >> 56) as u8;
    }
    place.pusher.write("large", &noise);
    place.pusher.save("large");
    place.push(&["main"]).refused("the push is larger than 1 MB");
    assert_eq!(place.refs(), before);
    place.pusher.git(&["reset", "-q", "--hard", "HEAD~1"]);
    // Names that programs take for something else.
    let blob = place.pusher.git(&["rev-parse", "HEAD:app.json"]);
    let list = place.pusher.path().join("list");
    std::fs::write(&list, format!("100644 blob {blob}\t.GIT\n")).unwrap();
    let script = format!("git -C {} mktree < {}", place.pusher.path().display(), list.display());
    let tree = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap().trim().to_owned();
    let commit = place.pusher.git(&["commit-tree", "-p", "HEAD", "-m", "evil", &tree]);
    place.push(&[&format!("{commit}:main")]).refused("a file may not be named `.GIT`");
    assert_eq!(place.refs(), before);
    // A copy without the history.
    place.change(&json!({"body": "second"}));
    let copy = place.pusher.cloned(&["--depth", "1"]);
    copy.commit("app.json", &json!({"body": "shallow"}).to_string());
    let pushed = copy.push(&place.address(), &["--force", "HEAD:main"]);
    pushed.refused("shallow clones cannot be pushed");
    assert_eq!((place.refs(), place.count().await), (before, 1));
    let incoming =
        place.whole.data.path().join(format!("repositories/{}.git/incoming", place.project));
    assert_eq!(std::fs::read_dir(incoming).map_or(0, Iterator::count), 0);
    // One whose end the server knows is as good as a whole one.
    place.push(&["main"]).taken();
    let copy = place.pusher.cloned(&["--depth", "1"]);
    copy.commit("app.json", &json!({"body": "shallow"}).to_string());
    copy.push(&place.address(), &["HEAD:main"]).taken();
    assert_eq!(place.whole.site("shop").await, "shallow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_breaks_off_in_the_middle_changes_nothing() {
    let place = Place::start().await;
    let commit = place.pusher.head();
    let line = format!("{} {commit} refs/heads/main\0report-status side-band-64k", "0".repeat(40));
    let request = format!(
        "POST /git/shop.git/git-receive-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 100000\r\n\r\n\
         {:04x}{line}0000PACK",
        place.whole.api.key,
        line.len() + 4
    );
    let repositories = place.whole.data.path().join("repositories");
    let incoming = repositories.join(format!("{}.git/incoming", place.project));
    let mut wire = std::net::TcpStream::connect(("127.0.0.1", place.whole.api.port)).unwrap();
    wire.write_all(request.as_bytes()).unwrap();
    until("it is being taken in", async || incoming.join("pack").is_dir().then_some(())).await;
    drop(wire);
    place.push(&["main"]).taken();
    assert_eq!(place.whole.site("shop").await, "first");
    assert_eq!((place.count().await, place.refs().len(), incoming.exists()), (1, 1, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deployment_goes_on_when_whoever_pushed_is_gone() {
    let place = Place::start().await;
    place.push(&["main"]).taken();
    place.change(&json!({"body": "alone", "delay": 300}));
    let mut pushing = place.pusher.begin(&place.address(), &["main"]);
    pushing.until("Deploying main");
    drop(pushing);
    let id = text(&place.deployments().await[0], "id");
    place.whole.api.live(&id).await;
    assert_eq!(place.whole.site("shop").await, "alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_pushes_that_wait_the_newest_is_built() {
    let place = Place::start().await;
    place.push(&["main"]).taken();
    place.change(&json!({"body": "stuck", "build_hangs": true}));
    let mut stuck = place.pusher.begin(&place.address(), &["main"]);
    stuck.until("Deploying main");
    place.change(&json!({"body": "between"}));
    let mut between = place.pusher.begin(&place.address(), &["main"]);
    between.until("Deploying main");
    place.change(&json!({"body": "newest"}));
    let mut newest = place.pusher.begin(&place.address(), &["main"]);
    newest.until("Deploying main");
    assert!(between.ended().said.contains("Canceled: a newer push takes its place."));
    let hanging = &place.deployments().await[2];
    let cancel = format!("/deployments/{}/cancel", text(hanging, "id"));
    place.whole.api.done("POST", &cancel, None).await;
    assert!(stuck.ended().said.contains("The deployment was canceled."));
    assert!(newest.ended().taken().said.contains("Live: "));
    assert_eq!(place.whole.site("shop").await, "newest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_project_leaves_no_repository_behind() {
    let place = Place::start().await;
    place.push(&["main"]).taken();
    let own = text(&place.deployments().await[0], "url");
    let path = place.whole.data.path().join(format!("repositories/{}.git", place.project));
    assert!(path.is_dir());
    place.whole.api.done("DELETE", &format!("/projects/{}", place.project), None).await;
    place.push(&["main"]).refused("There is no project `shop`");
    until("nothing is left of it", async || (!path.exists()).then_some(())).await;
    assert_ne!(place.whole.visit(&host_of(&own)).await.status, 200);
}
