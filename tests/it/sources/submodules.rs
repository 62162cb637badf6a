//! Repositories within repositories.

use super::*;
use crate::support::git_server::GitServer;
use crate::support::ssh_server::SshServer;

#[tokio::test]
async fn submodules_stand_in_their_places() {
    let git = GitServer::start();
    let deepest = git.repository_of("deepest", &[("leaf", "leaf")]);
    let inner = git.repository_of("inner", &[("dir/i", "inner")]);
    inner.submodule("vendor/deep", "../deepest.git", &deepest.head());
    let outer = git.repository_of("outer", &[("o", "outer")]);
    let app = git.repository_of("app", &[("a", "app"), ("libs/own", "own")]);
    app.submodule("libs/inner", "../inner.git", &inner.head());
    app.submodule("outer", &outer.url, &outer.head());
    // Later commits of a submodule do not count: the one that is named does.
    inner.commit("dir/i", "newer");
    let fetching = Fetching::new();
    let commit = fetching.fetch(&app.url, None).await.unwrap();
    let all = contents(&commit);
    let all: Vec<_> = all.iter().filter(|line| !line.starts_with(".gitmodules")).collect();
    assert_eq!(
        all,
        [
            "a app",
            "libs",
            "libs/inner",
            "libs/inner/.gitmodules [submodule \"vendor/deep\"]\n\tpath = vendor/deep\n\turl = ../deepest.git",
            "libs/inner/dir",
            "libs/inner/dir/i inner",
            "libs/inner/vendor",
            "libs/inner/vendor/deep",
            "libs/inner/vendor/deep/leaf leaf",
            "libs/own own",
            "outer",
            "outer/o outer",
        ]
    );
    assert_eq!(read(&commit, "libs/inner/vendor/deep/leaf").as_deref(), Some("leaf"));
    // The second time nothing is fetched for them.
    fetching.said.lock().unwrap().clear();
    fetching.fetch(&app.url, None).await.unwrap();
    assert!(!fetching.said().contains("Receiving"), "{}", fetching.said());
}

#[tokio::test]
async fn the_credential_goes_to_submodules_of_the_same_server_and_to_no_other() {
    let private = GitServer::private("ada", "s3cret-Zf83kQp1x");
    let sub = private.repository_of("sub", &[("s", "sub")]);
    let app = private.repository_of("app", &[("a", "app")]);
    app.submodule("sub", "../sub.git", &sub.head());
    let answer = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (elsewhere, heard) = listener(answer.to_owned()).await;
    let fetching = Fetching::new();
    let access = token(&app.url, "ada:s3cret-Zf83kQp1x");
    let commit = fetching.fetch(&app.url, Some(access.clone())).await.unwrap();
    assert_eq!(read(&commit, "sub/s").as_deref(), Some("sub"));
    app.submodule("far", &format!("{elsewhere}/far.git"), &sub.head());
    let error = fetching.error(&app.url, Some(access)).await;
    assert!(matches!(error.cause(), FetchError::AuthFailed(_)), "{error:?}");
    assert!(error.to_string().starts_with("The submodule `far` could not be fetched: "), "{error}");
    let heard = heard.lock().unwrap().to_ascii_lowercase();
    assert!(heard.contains("get /far.git") && !heard.contains("authorization"), "{heard}");
}

#[tokio::test]
async fn submodules_are_read_over_ssh_with_the_same_key() {
    let (git, ssh) = (GitServer::start(), SshServer::start().await);
    let sub = git.repository_of("sub", &[("s", "sub")]);
    let app = git.repository_of("app", &[("a", "app")]);
    app.submodule("sub", "../sub.git", &sub.head());
    let fetching = Fetching::new();
    fetching.know(&ssh.known_host());
    let url = ssh.url(&git.bare("app"));
    let (access, line) = key(&url, 6);
    ssh.accept(&line);
    let commit = fetching.fetch(&url, Some(access)).await.unwrap();
    assert_eq!(read(&commit, "sub/s").as_deref(), Some("sub"));
}

#[tokio::test]
async fn what_cannot_be_fetched_is_named() {
    let git = GitServer::start();
    let sub = git.repository_of("sub", &[("s", "sub")]);
    let head = sub.head();
    let missing = "0123456789abcdef0123456789abcdef01234567";
    for (number, (path, url, commit, expected)) in [
        ("p", "file:///etc", head.as_str(), "address is not accepted"),
        ("p", "ext::id", &head, "address is not accepted"),
        ("p", "-u./p", &head, "address is not accepted"),
        ("p", "/etc/passwd", &head, "address is not accepted"),
        ("p", "../../../../etc", &head, "leads out of the server"),
        ("p", "https:///evil", &head, ""),
        ("p", "https://169.254.169.254/x", &head, "may not be reached"),
        ("p", "http://127.0.0.1:1/x.git", &head, "no connection"),
        ("p", "../none.git", &head, "was refused, or there is no such repository"),
        ("p", "../sub.git", missing, "was not found in this repository"),
        ("-p", "../sub.git", &head, "its path is not accepted"),
    ]
    .into_iter()
    .enumerate()
    {
        let app = git.repository_of(&format!("app{number}"), &[("a", "app")]);
        app.submodule(path, url, commit);
        let error = Fetching::new().error(&app.url, None).await.to_string();
        assert!(
            error.starts_with(&format!("The submodule `{path}` could not be fetched: ")),
            "{error}"
        );
        assert!(error.contains(expected), "{url}: {error}");
        assert!(!error.contains("169.254"), "{error}");
    }
}

#[tokio::test]
async fn a_declaration_alone_does_nothing_and_a_link_alone_stays_empty() {
    let git = GitServer::start();
    let hostile = "[submodule \"../../hooks\"]\n\tpath = ../x\n\turl = file:///etc\n\tupdate = !touch PWNED\n\
                   [submodule \"y\"]\n\tpath = nowhere\n\turl = ext::id\n";
    let app = git.repository_of("app", &[("a", "app"), (".gitmodules", hostile)]);
    let sub = git.repository_of("sub", &[("s", "sub")]);
    app.link("lonely", &sub.head());
    app.commit("b", "b");
    let fetching = Fetching::new();
    let commit = fetching.fetch(&app.url, None).await.unwrap();
    let paths: Vec<_> =
        contents(&commit).iter().map(|l| l.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(paths, [".gitmodules", "a", "b", "lonely"]);
    assert!(fetching.said().contains("`lonely` is a submodule that .gitmodules does not name"));
}

#[tokio::test]
async fn depth_and_number_have_limits() {
    let git = GitServer::start();
    let mut below = git.repository_of("d0", &[("leaf", "0")]);
    for level in 1..=4 {
        let next = git.repository_of(&format!("d{level}"), &[("level", "x")]);
        next.submodule("sub", &format!("../d{}.git", level - 1), &below.head());
        below = next;
    }
    let fetching = Fetching::new();
    let three = format!("{}/d3.git", git.address());
    let commit = fetching.fetch(&three, None).await.unwrap();
    assert_eq!(read(&commit, "sub/sub/sub/leaf").as_deref(), Some("0"));
    let error = fetching.error(&below.url, None).await.to_string();
    assert!(error.contains("more than three deep"), "{error}");
    // One that holds itself ends the same way.
    let own = git.repository_of("own", &[("a", "a")]);
    own.submodule("me", "../own.git", &own.head());
    own.submodule("again", "../own.git", &own.head());
    fetching.fetch(&own.url, None).await.unwrap();

    let many = git.repository_of("many", &[("a", "a")]);
    let mut declared = String::new();
    let leaf = git.repository_of("leaf", &[("l", "l")]);
    let head = leaf.head();
    for number in 0..65 {
        declared += &format!("[submodule \"{number}\"]\n\tpath = s{number}\n\turl = ../leaf.git\n");
        many.link(&format!("s{number}"), &head);
    }
    many.commit(".gitmodules", &declared);
    let error = fetching.error(&many.url, None).await.to_string();
    assert!(error.contains("more than 64 submodules"), "{error}");
    // The files of all of them are counted together.
    let small = Fetching::limited(Limits { entries: 5, ..Limits::default() });
    let error = small.error(&three, None).await.to_string();
    assert!(error.contains("more than 5 files"), "{error}");
}
