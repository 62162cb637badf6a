//! Private repositories, submodules and large files, from the setting to the site.

use serde_json::{Value, json};

use super::{DOCKERFILE, Whole};
use crate::support::api_client::text;
use crate::support::git_server::{GitServer, Repository, large_file_pointer};
use crate::support::ssh_server::SshServer;
use crate::support::until::until;

const SECRET: &str = "s3cret-Zf83kQp1x";

fn application(git: &GitServer, name: &str, body: &str) -> Repository {
    let app = json!({ "body": body }).to_string();
    git.repository_of(name, &[("Dockerfile", DOCKERFILE), ("app.json", &app)])
}

impl Whole {
    async fn set_source(&self, project: &str, source: Value) -> Value {
        self.api.done("PUT", &format!("/projects/{project}/source"), Some(source)).await
    }

    /// Deploys the project's own source; answers its id.
    async fn deploy_source(&self, project: &str) -> String {
        let path = format!("/projects/{project}/deployments");
        text(&self.api.done("POST", &path, Some(json!({}))).await, "id")
    }

    /// The error of a deployment of the project's own source.
    async fn source_error(&self, project: &str) -> (String, String) {
        let error = self.api.failure(&self.deploy_source(project).await).await;
        (text(&error, "code"), text(&error, "message"))
    }

    /// Files of the data directory that hold this text.
    fn files_with(&self, wanted: &str) -> Vec<std::path::PathBuf> {
        let finder = memchr::memmem::Finder::new(wanted.as_bytes());
        let (mut found, mut open) = (Vec::new(), vec![self.data.path().to_owned()]);
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if finder.find(&std::fs::read(&path).unwrap_or_default()).is_some() {
                    found.push(path);
                }
            }
        }
        found
    }
}

#[tokio::test]
async fn a_private_repository_is_deployed_with_its_token_which_is_shown_nowhere() {
    let (whole, git) = (Whole::start().await, GitServer::private("ada", SECRET));
    let repository = application(&git, "app", "private");
    let project = whole.project("shop").await;
    whole.set_source(&project, json!({ "git_url": repository.url })).await;
    let (code, message) = whole.source_error(&project).await;
    assert_eq!(code, "auth_failed", "{message}");
    assert!(message.contains("give the project's source a token"), "{message}");
    let wrong = json!({ "git_url": repository.url, "token": "ada:wrong-Zf83kQp1x" });
    assert_eq!(whole.set_source(&project, wrong).await["source"]["auth"], "token");
    let (code, message) = whole.source_error(&project).await;
    assert!(code == "auth_failed" && message.contains("token was refused"), "{message}");

    let right = json!({ "git_url": repository.url, "token": format!("ada:{SECRET}") });
    let mut shown = vec![whole.set_source(&project, right).await.to_string()];
    let id = whole.deploy_source(&project).await;
    shown.push(whole.api.live(&id).await.to_string());
    assert_eq!(whole.site("shop").await, "private");
    shown.push(whole.api.log(&id).await);
    for path in ["/audit-log", "/events", &format!("/projects/{project}"), "/projects?include=*"] {
        shown.push(whole.api.get(path).await.to_string());
    }
    for text in &shown {
        assert!(!text.contains(SECRET) && !text.contains("wrong-Zf83kQp1x"), "{text}");
    }
    assert!(shown[3].contains(r#""source.token":{"from":"***","to":"***"}"#), "{}", shown[3]);
    let found = whole.files_with(SECRET);
    assert!(found.is_empty(), "{found:?}");
    // The same commit again, with the token gone: it is refused, though the objects were here.
    whole.set_source(&project, json!({ "git_url": repository.url, "auth": "none" })).await;
    assert_eq!(whole.source_error(&project).await.0, "auth_failed");
}

#[tokio::test]
async fn the_credential_is_for_the_projects_own_repository_alone() {
    let (whole, git) = (Whole::start().await, GitServer::private("ada", SECRET));
    let (own, other) = (application(&git, "own", "own"), application(&git, "other", "other"));
    let project = whole.project("shop").await;
    let source = json!({ "git_url": own.url, "token": format!("ada:{SECRET}") });
    whole.set_source(&project, source).await;
    whole.api.deploy_live(&project, &own).await;
    let id = whole.api.deploy(&project, &other, json!({})).await;
    assert_eq!(whole.api.failure(&id).await["code"], "auth_failed");
    // Another project of the same repository has none either, not even for the very commit that is here.
    let stranger = whole.project("stranger").await;
    let commit = json!({ "commit_sha": own.head() });
    let id = whole.api.deploy(&stranger, &own, commit).await;
    assert_eq!(whole.api.failure(&id).await["code"], "auth_failed");
    assert_eq!(whole.site("shop").await, "own");
    // What was fetched goes with the project.
    let mirrors = whole.data.path().join("mirrors").join(&project);
    assert!(mirrors.is_dir());
    whole.api.done("DELETE", &format!("/projects/{project}"), None).await;
    until("its mirror is gone", async || (!mirrors.exists()).then_some(())).await;
}

#[tokio::test]
async fn a_repository_is_deployed_over_ssh_with_the_projects_key() {
    let (whole, ssh) = (Whole::start().await, SshServer::start().await);
    application(&whole.git, "app", "over ssh");
    let url = ssh.url(&whole.git.bare("app"));
    let project = whole.project("shop").await;
    let set = whole.set_source(&project, json!({ "git_url": url })).await;
    assert_eq!(set["source"]["auth"], "deploy_key");
    let (code, message) = whole.source_error(&project).await;
    assert!(code == "clone_failed" && message.contains(&ssh.fingerprint()), "{code} {message}");
    std::fs::write(whole.data.path().join("known_hosts"), ssh.known_host()).unwrap();
    let (code, message) = whole.source_error(&project).await;
    assert!(code == "auth_failed" && message.contains("ssh-ed25519 "), "{code} {message}");

    let path = format!("/projects/{project}/source/deploy-key");
    let key = whole.api.get(&path).await;
    ssh.accept(&text(&key, "public_key"));
    whole.api.live(&whole.deploy_source(&project).await).await;
    assert_eq!(whole.site("shop").await, "over ssh");

    let rotated = whole.api.done("POST", &format!("{path}/rotate"), None).await;
    assert_ne!(rotated["fingerprint"], key["fingerprint"]);
    assert_eq!(whole.source_error(&project).await.0, "auth_failed");
    ssh.accept(&text(&rotated, "public_key"));
    whole.api.live(&whole.deploy_source(&project).await).await;
    // A request that names the address of another repository does not get the key.
    application(&whole.git, "other", "other");
    let body = json!({ "git_url": ssh.url(&whole.git.bare("other")) });
    let made =
        whole.api.done("POST", &format!("/projects/{project}/deployments"), Some(body)).await;
    assert_eq!(whole.api.failure(&text(&made, "id")).await["code"], "auth_failed");
}

#[tokio::test]
async fn submodules_are_part_of_the_build() {
    let (whole, git) = (Whole::start().await, GitServer::private("ada", SECRET));
    let inner = git.repository_of("inner", &[("package.json", "{}")]);
    let app = application(&git, "app", "with a submodule");
    app.submodule("libs/inner", "../inner.git", &inner.head());
    let project = whole.project("shop").await;
    let source = json!({ "git_url": app.url, "token": format!("ada:{SECRET}") });
    whole.set_source(&project, source).await;
    let id = whole.deploy_source(&project).await;
    whole.api.live(&id).await;
    assert!(whole.api.log(&id).await.contains("Submodule libs/inner: fetching"));
    app.submodule("libs/gone", "../gone.git", &inner.head());
    let (code, message) = whole.source_error(&project).await;
    assert_eq!(code, "auth_failed");
    assert!(message.starts_with("The submodule `libs/gone` could not be fetched"), "{message}");
    assert_eq!(whole.site("shop").await, "with a submodule");
}

#[tokio::test]
async fn the_content_of_large_files_is_part_of_the_build() {
    let (whole, git) = (Whole::start().await, GitServer::private("ada", SECRET));
    let content = json!({ "body": "kept outside the repository" }).to_string();
    let pointer = large_file_pointer(content.as_bytes());
    let attributes = "*.json filter=lfs diff=lfs merge=lfs -text\n";
    let files =
        [("Dockerfile", DOCKERFILE), (".gitattributes", attributes), ("app.json", &pointer)];
    let app = git.repository_of("app", &files);
    let project = whole.project("shop").await;
    let source = json!({ "git_url": app.url, "token": format!("ada:{SECRET}") });
    whole.set_source(&project, source).await;
    // What was never pushed to the server of large files is named before anything is built.
    let (code, message) = whole.source_error(&project).await;
    assert_eq!(code, "clone_failed");
    assert!(message.starts_with("The Git LFS file `app.json` could not be fetched"), "{message}");
    assert_eq!(whole.engine.builds().1, 0);

    git.keep_large_file("app", content.as_bytes());
    let id = whole.deploy_source(&project).await;
    whole.api.live(&id).await;
    assert_eq!(whole.site("shop").await, "kept outside the repository");
    let log = whole.api.log(&id).await;
    assert!(log.contains("Git LFS: 1 files") && !log.contains("pointer"), "{log}");
}

#[tokio::test]
async fn pointers_that_no_attribute_makes_such_are_built_as_they_are() {
    let whole = Whole::start().await;
    let repository = whole.repository(&json!({ "body": "with pointers" }));
    let project = whole.project("shop").await;
    let mut logs = Vec::new();
    for file in ["image.png", "more.png"] {
        repository.commit(file, &large_file_pointer(format!("content of {file}").as_bytes()));
        let id = whole.deploy(&project, &repository).await;
        whole.api.live(&id).await;
        logs.push(whole.api.log(&id).await);
    }
    let one = "A file looks like a Git LFS pointer, and no `.gitattributes` sets `filter=lfs`: ";
    assert!(logs[0].contains(one), "{}", logs[0]);
    let two = "2 files look like Git LFS pointers, and no `.gitattributes` sets `filter=lfs`: ";
    assert!(logs[1].contains(two), "{}", logs[1]);
}
