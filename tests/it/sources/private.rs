//! Repositories that want a name and a password.

use super::*;
use crate::support::git_server::GitServer;

const SECRET: &str = "s3cret-Zf83kQp1x";

#[tokio::test]
async fn a_private_repository_is_read_with_its_token_and_by_nobody_else() {
    let server = GitServer::private("ada", SECRET);
    let repository = server.repository_of("app", &[("a", "private"), ("dir/c", "c")]);
    let fetching = Fetching::new();
    let access = || Some(token(&repository.url, &format!("ada:{SECRET}")));
    let commit = fetching.fetch(&repository.url, access()).await.unwrap();
    assert_eq!(contents(&commit), ["a private", "dir", "dir/c c"]);
    // What one owner fetched is no way in for others, even by the commit's name.
    for wanted in [None, Some(commit.sha.clone())] {
        let refused = fetching.commit(&repository.url, None, wanted.clone()).await.err().unwrap();
        assert!(matches!(refused, FetchError::AuthFailed(_)), "{refused:?}");
        let mut other = token(&repository.url, "ada:wrong");
        other.owner = "prj_0000000000000002".to_owned();
        let refused = fetching.commit(&repository.url, Some(other), wanted).await.err().unwrap();
        assert!(refused.to_string().contains("token was refused"), "{refused}");
    }
    assert!(!fetching.stores(SECRET) && !fetching.said().contains(SECRET));
    // Only the difference is fetched the next time, also with a credential.
    repository.commit("b", "more");
    let commit = fetching.fetch(&repository.url, access()).await.unwrap();
    assert_eq!(contents(&commit), ["a private", "b more", "dir", "dir/c c"]);
    assert!(
        fetching.said().contains("(5/5)") && fetching.said().contains("(3/3)"),
        "{}",
        fetching.said()
    );
    drop(commit);
    assert!(fetching.fetcher.forget("prj_0000000000000001").await);
    let left = fetching.files();
    assert!(
        !left.iter().any(|path| path.to_string_lossy().contains("prj_0000000000000001")),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let server = GitServer::private("oauth2", SECRET);
    let repository = server.repository_of("app", &[("a", "private")]);
    let fetching = Fetching::new();
    let error = fetching.error(&repository.url, None).await.to_string();
    assert!(error.contains("If it is private, give the project's source a token"), "{error}");
    let wrong = fetching.error(&repository.url, Some(token(&repository.url, "wrong-token"))).await;
    assert!(wrong.to_string().contains("it may have expired"), "{wrong}");
    assert!(!wrong.to_string().contains("wrong-token"));
    // A bare token goes with the name GitLab and most others take.
    let commit = fetching.fetch(&repository.url, Some(token(&repository.url, SECRET))).await;
    assert_eq!(contents(&commit.unwrap()), ["a private"]);
}

#[tokio::test]
async fn a_token_is_sent_to_its_own_server_only() {
    let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (elsewhere, heard) = listener(answer.to_owned()).await;
    // A redirect to another server is not followed, with or without a token.
    let target = format!("{elsewhere}/app.git/info/refs");
    let server =
        GitServer::start_with(&["--redirect-to", &target, "--user", "ada", "--password", SECRET]);
    let url = format!("{}/app.git", server.address());
    let fetching = Fetching::new();
    let access = token(&url, &format!("ada:{SECRET}"));
    let error = fetching.error(&url, Some(access.clone())).await;
    assert!(matches!(error, FetchError::RedirectRefused), "{error:?}");
    assert_eq!(*heard.lock().unwrap(), "");
    // A credential that is for another server is not used, whoever passes it on.
    fetching.error(&format!("{elsewhere}/app.git"), Some(access)).await;
    let heard = heard.lock().unwrap().to_ascii_lowercase();
    assert!(heard.contains("get /app.git") && !heard.contains("authorization"), "{heard}");
}
