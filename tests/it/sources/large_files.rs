//! Git LFS: files whose content is kept outside the repository.

use orbitra::crypto::digest::Sha256;
use orbitra::crypto::token::hex;

use super::*;
use crate::support::git_server::{GitServer, Repository, large_file_pointer};
use crate::support::ssh_server::SshServer;

const ATTRIBUTES: &str = "*.bin filter=lfs diff=lfs merge=lfs -text\n";

fn repository(git: &GitServer, name: &str, contents: &[&[u8]]) -> Repository {
    let repository = git.repository_of(name, &[(".gitattributes", ATTRIBUTES), ("plain", "p")]);
    for (number, content) in contents.iter().enumerate() {
        repository.commit(&format!("f{number}.bin"), &large_file_pointer(content));
    }
    repository
}

#[tokio::test]
async fn what_the_real_client_pushed_is_read() {
    let git = GitServer::private("ada", "s3cret-Zf83kQp1x");
    let app = git.repository_of("app", &[("plain", "p")]);
    let url = app.url.replace("http://", "http://ada:s3cret-Zf83kQp1x@");
    for arguments in [
        &["lfs", "install", "--local"][..],
        &["config", "lfs.url", &format!("{url}/info/lfs")],
        &["config", "lfs.locksverify", "false"],
        &["lfs", "track", "*.bin"],
    ] {
        app.git(arguments);
    }
    let content = "0123456789".repeat(100_000);
    app.commit("app/large.bin", &content);
    app.commit("small.bin", "tiny");
    let shown = app.git(&["show", "HEAD:app/large.bin"]);
    assert!(shown.starts_with("version https://git-lfs.github.com/spec/v1"), "{shown}");
    let fetching = Fetching::new();
    let access = token(&app.url, "ada:s3cret-Zf83kQp1x");
    let commit = fetching.fetch(&app.url, Some(access.clone())).await.unwrap();
    assert_eq!(read(&commit, "app/large.bin").unwrap(), content);
    assert_eq!(read(&commit, "small.bin").as_deref(), Some("tiny"));
    assert!(contents(&commit).iter().any(|line| *line == format!("app/large.bin {content}")));
    let below = commit.tree.subtree("app").unwrap();
    let mut sizes = Vec::new();
    let walked = below.walk(&mut |entry, content| {
        sizes.push((entry.path.clone(), content.size()?));
        Ok(())
    });
    walked.unwrap();
    assert_eq!(sizes, [("large.bin".to_owned(), 1_000_000)]);
    assert!(
        fetching.said().contains("Git LFS: 2 files, 1.0 MB, 2 to fetch"),
        "{}",
        fetching.said()
    );
    // The second time it is here.
    fetching.fetch(&app.url, Some(access)).await.unwrap();
    assert!(fetching.said().contains("1.0 MB, 0 to fetch"), "{}", fetching.said());
}

#[tokio::test]
async fn over_ssh_the_server_says_where_the_content_is() {
    let (git, ssh) = (GitServer::private("lfs", "for-this-push"), SshServer::start().await);
    repository(&git, "app", &[b"over ssh"]);
    git.keep_large_file("app", b"over ssh");
    let fetching = Fetching::new();
    fetching.know(&ssh.known_host());
    let url = ssh.url(&git.bare("app"));
    let (access, line) = key(&url, 7);
    ssh.accept(&line);
    // base64 of lfs:for-this-push
    ssh.authenticate_lfs(&format!(
        r#"{{"href":"{}/app.git/info/lfs","header":{{"Authorization":"Basic bGZzOmZvci10aGlzLXB1c2g="}},"expires_in":60}}"#,
        git.address()
    ));
    let commit = fetching.fetch(&url, Some(access.clone())).await.unwrap();
    assert_eq!(read(&commit, "f0.bin").as_deref(), Some("over ssh"));
    // Without content in the cache and with a server that answers nonsense.
    ssh.authenticate_lfs("not json");
    let error = Fetching::new();
    error.know(&ssh.known_host());
    let error = error.error(&url, Some(access)).await.to_string();
    assert!(
        error.contains("The Git LFS file `f0.bin` could not be fetched: `git-lfs-authenticate`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_submodule_brings_its_own_large_files() {
    let git = GitServer::start();
    let sub = repository(&git, "sub", &[b"of the submodule"]);
    git.keep_large_file("sub", b"of the submodule");
    let app = git.repository_of("app", &[("a", "a")]);
    app.submodule("sub", "../sub.git", &sub.head());
    let fetching = Fetching::new();
    let commit = fetching.fetch(&app.url, None).await.unwrap();
    assert_eq!(read(&commit, "sub/f0.bin").as_deref(), Some("of the submodule"));
}

#[tokio::test]
async fn what_is_missing_or_false_is_named_and_nothing_of_it_is_kept() {
    let git = GitServer::start();
    let missing = repository(&git, "missing", &[b"here", b"never pushed"]);
    git.keep_large_file("missing", b"here");
    let fetching = Fetching::new();
    let error = fetching.error(&missing.url, None).await.to_string();
    assert_eq!(
        error,
        "The Git LFS file `f1.bin` could not be fetched: the server does not have its content. Was it pushed (`git lfs push`)?"
    );
    for (name, stored) in
        [("other", &b"OTHER BYTES"[..]), ("short", b"right"), ("long", b"right bytes and more")]
    {
        let app = repository(&git, name, &[b"right bytes"]);
        let path = git.keep_large_file(name, b"right bytes");
        std::fs::write(path, stored).unwrap();
        let fetching = Fetching::new();
        let error = fetching.error(&app.url, None).await.to_string();
        assert!(
            error.contains("The Git LFS file `f0.bin`") && error.contains("the server sent"),
            "{error}"
        );
        let kept = fetching.files().iter().any(|path| path.to_string_lossy().contains(".lfs/"));
        assert!(!kept, "{:?}", fetching.files());
    }
    let large = repository(&git, "large", &[&vec![b'x'; 3_000_000]]);
    git.keep_large_file("large", &vec![b'x'; 3_000_000]);
    let small = Fetching::limited(Limits { received_bytes: 2 << 20, ..Limits::default() });
    let error = small.error(&large.url, None).await;
    assert!(matches!(error.cause(), FetchError::TooLarge { limit_megabytes: 2 }), "{error:?}");
}

#[tokio::test]
async fn pointers_are_content_where_nothing_says_otherwise() {
    let git = GitServer::start();
    let text = large_file_pointer(b"never asked for");
    let config = "[lfs]\n\turl = http://127.0.0.1:1/\n";
    let app = git.repository_of(
        "app",
        &[
            ("x.bin", &text),
            (".lfsconfig", config),
            (".gitattributes", "# filter=lfs\n*.txt text\n"),
        ],
    );
    let fetching = Fetching::new();
    let commit = fetching.fetch(&app.url, None).await.unwrap();
    assert_eq!(read(&commit, "x.bin").unwrap(), text);
    // With the filter the repository's own server is asked, whatever .lfsconfig says.
    app.commit(".gitattributes", ATTRIBUTES);
    git.keep_large_file("app", b"never asked for");
    let commit = fetching.fetch(&app.url, None).await.unwrap();
    assert_eq!(read(&commit, "x.bin").as_deref(), Some("never asked for"));
}

#[tokio::test]
async fn a_credential_does_not_follow_content_to_another_server() {
    const SECRET: &str = "s3cret-Zf83kQp1x";
    let content = b"content elsewhere";
    let text = String::from_utf8_lossy(content);
    let body = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    let (elsewhere, heard) = listener(body).await;
    // The repository's own server says that the content is elsewhere, first by a redirect.
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: {elsewhere}/object\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let (between, passed) = listener(redirect).await;
    let oid = hex(&Sha256::of(content));
    let answer = format!(
        r#"{{"objects":[{{"oid":"{oid}","size":{},"actions":{{"download":{{"href":"{between}/x","header":{{"Authorization":"Bearer for-between"}}}}}}}}]}}"#,
        content.len()
    );
    let git = GitServer::private("ada", SECRET);
    let app = repository(&git, "app", &[content]);
    let front = front(git.address().to_owned(), answer).await;
    let url = app.url.replace(git.address(), &front);
    let fetching = Fetching::new();
    let commit = fetching.fetch(&url, Some(token(&url, &format!("ada:{SECRET}")))).await.unwrap();
    assert_eq!(read(&commit, "f0.bin").unwrap(), text);
    let passed = passed.lock().unwrap().to_ascii_lowercase();
    assert!(passed.contains("authorization: bearer for-between"), "{passed}");
    assert!(!passed.contains("basic"), "{passed}");
    let heard = heard.lock().unwrap().to_ascii_lowercase();
    assert!(heard.starts_with("get /object") && !heard.contains("authorization"), "{heard}");
}

/// A request with its content: what is left unread would reset the connection that the answer is on.
async fn whole_request(stream: &mut tokio::net::TcpStream) -> String {
    let (mut request, mut part) = (Vec::new(), vec![0; 65536]);
    loop {
        let length = stream.read(&mut part).await.unwrap_or(0);
        request.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, content)| {
            let head = head.to_ascii_lowercase();
            let sized = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            content.len() >= sized.map_or(0, |size| size.trim().parse().unwrap())
        });
        if whole || length == 0 {
            return text;
        }
    }
}

/// A server before another one that answers the batch API with this and passes everything else on.
async fn front(server: String, batch: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let target = server.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (target, batch) = (target.clone(), batch.clone());
            tokio::spawn(async move {
                let head = whole_request(&mut stream).await;
                if head.contains("/objects/batch") {
                    let length = batch.len();
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{batch}"
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                    return;
                }
                // One request a connection, so that the next one is looked at as well.
                let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                let mut upstream = tokio::net::TcpStream::connect(&target).await.unwrap();
                upstream.write_all(head.as_bytes()).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
            });
        }
    });
    address
}
