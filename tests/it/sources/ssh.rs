//! Repositories that are read over SSH.

use super::*;
use crate::support::git_server::GitServer;
use crate::support::ssh_server::SshServer;

#[tokio::test]
async fn a_repository_is_read_with_the_key_and_only_the_difference_later() {
    let (git, ssh) = (GitServer::start(), SshServer::start().await);
    let repository = git.repository_of("app", &[("a", "1"), ("dir/b", "2")]);
    let fetching = Fetching::new();
    fetching.know(&ssh.known_host());
    let url = ssh.url(&git.bare("app"));
    let (access, line) = key(&url, 1);
    ssh.accept(&line);
    let first = fetching.fetch(&url, Some(access.clone())).await.unwrap();
    assert_eq!(contents(&first), ["a 1", "dir", "dir/b 2"]);
    let second = repository.commit("a", "changed");
    let commit = fetching.fetch(&url, Some(access.clone())).await.unwrap();
    assert_eq!((commit.sha.as_str(), commit.branch.as_str()), (second.as_str(), "main"));
    assert!(fetching.said().contains("(3/3)"), "{}", fetching.said());
    // By a short name, which needs the branch's history.
    let sha = repository.commit("a", "again");
    let middle = fetching.commit(&url, Some(access.clone()), Some(second[..9].to_owned())).await;
    assert_eq!(read(&middle.unwrap(), "a").as_deref(), Some("changed"));
    assert_eq!(fetching.fetch(&url, Some(access)).await.unwrap().sha, sha);
}

#[tokio::test]
async fn a_server_that_speaks_the_first_version_is_understood() {
    let (git, ssh) = (GitServer::start(), SshServer::old().await);
    let repository = git.repository_of("app", &[("a", "1")]);
    let first = repository.head();
    repository.commit("a", "2");
    let fetching = Fetching::new();
    fetching.know(&ssh.known_host());
    let url = ssh.url(&git.bare("app"));
    let (access, line) = key(&url, 2);
    ssh.accept(&line);
    let commit = fetching.fetch(&url, Some(access.clone())).await.unwrap();
    assert_eq!(contents(&commit), ["a 2"]);
    // One that is not a tip: this server does not hand it out by its name.
    let old = fetching.commit(&url, Some(access.clone()), Some(first)).await.unwrap();
    assert_eq!(contents(&old), ["a 1"]);
    repository.commit("b", "3");
    let commit = fetching.fetch(&url, Some(access)).await.unwrap();
    assert_eq!(contents(&commit), ["a 2", "b 3"]);
}

#[tokio::test]
async fn a_key_that_is_not_accepted_is_shown_so_that_it_can_be_added() {
    let (git, ssh) = (GitServer::start(), SshServer::start().await);
    git.repository_of("app", &[("a", "1")]);
    let fetching = Fetching::new();
    fetching.know(&ssh.known_host());
    let url = ssh.url(&git.bare("app"));
    let (access, line) = key(&url, 3);
    let error = fetching.error(&url, Some(access.clone())).await;
    assert!(matches!(error, FetchError::AuthFailed(_)), "{error:?}");
    assert!(error.to_string().contains(&line), "{error}");
    ssh.accept(&line);
    fetching.fetch(&url, Some(access.clone())).await.unwrap();
    // Revoked: nothing new comes any more.
    ssh.accept("");
    let error = fetching.error(&url, Some(access.clone())).await;
    assert!(matches!(error, FetchError::AuthFailed(_)), "{error:?}");
    // Accepted, and no such repository.
    ssh.accept(&line);
    let error = fetching.error(&ssh.url(&git.bare("other")), Some(access)).await;
    assert!(matches!(error, FetchError::AuthFailed(_)), "{error:?}");
    assert!(error.to_string().contains("said: "), "{error}");
    // Without a key nothing is asked at all.
    let error = fetching.error(&url, None).await;
    assert!(error.to_string().contains("deploy key"), "{error}");
}

#[tokio::test]
async fn only_a_known_host_key_is_accepted() {
    let (git, mut ssh) = (GitServer::start(), SshServer::start().await);
    git.repository_of("app", &[("a", "1")]);
    let fetching = Fetching::new();
    let url = ssh.url(&git.bare("app"));
    let (access, line) = key(&url, 4);
    ssh.accept(&line);
    let unknown = fetching.error(&url, Some(access.clone())).await.to_string();
    assert!(unknown.contains("is not known") && unknown.contains(&ssh.fingerprint()), "{unknown}");
    // The line it names is the one that makes it known.
    let shown = unknown.rsplit("data directory: ").next().unwrap();
    assert_eq!(format!("{shown}\n"), ssh.known_host());
    fetching.know(shown);
    fetching.fetch(&url, Some(access.clone())).await.unwrap();
    ssh.change_host_key().await;
    let changed = fetching.error(&url, Some(access.clone())).await.to_string();
    assert!(
        changed.contains("another host key") && changed.contains(&ssh.fingerprint()),
        "{changed}"
    );
    let known = ssh.known_host();
    fetching.know(&format!("@revoked {known}{known}"));
    let revoked = fetching.error(&url, Some(access.clone())).await.to_string();
    assert!(revoked.contains("marked as revoked"), "{revoked}");
    fetching.know(&known);
    fetching.fetch(&url, Some(access)).await.unwrap();
}

#[tokio::test]
async fn something_else_than_an_ssh_server_is_named() {
    let (other, _) = listener("HTTP/1.1 400 Bad Request\r\n\r\n".to_owned()).await;
    let url = other.replace("http://", "ssh://git@") + "/app.git";
    let fetching = Fetching::new();
    let (access, _) = key(&url, 5);
    let error = fetching.error(&url, Some(access)).await;
    assert!(error.to_string().contains("SSH connection failed"), "{error}");
    let refused = Policy::parse::<&str>(&[], true).unwrap().git_url(&url);
    assert_eq!(refused.unwrap_err().code, "url_not_allowed");
}
