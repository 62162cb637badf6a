//! Other dialects and damaged answers, through a proxy in between.

use super::*;

/// Passes connections on to the server. Asks for version 0 when told so, and flips bits of the answers after the
/// first `damage.0` bytes of a connection, about one byte in `damage.1`.
async fn proxy(server: &Server, version_0: bool, damage: Option<(usize, u64)>) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let target = server.address.trim_start_matches("http://").to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        while let Ok((client, _)) = listener.accept().await {
            let upstream = tokio::net::TcpStream::connect(&target).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = upstream.into_split();
            tokio::spawn(async move {
                let mut buffer = vec![0; 65536];
                while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
                    let text = &mut buffer[..n];
                    if version_0
                        && let Some(at) =
                            text.windows(12).position(|w| w.eq_ignore_ascii_case(b"git-protocol"))
                    {
                        text[at] = b'x';
                    }
                    if to_server.write_all(text).await.is_err() {
                        break;
                    }
                }
            });
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let mut state = seed;
            tokio::spawn(async move {
                let (mut buffer, mut passed) = (vec![0; 4096], 0);
                while let Ok(n @ 1..) = from_server.read(&mut buffer).await {
                    for byte in &mut buffer[..n] {
                        passed += 1;
                        state = state
                            .wrapping_mul(6364136223846793005)
                            .wrapping_add(1442695040888963407);
                        if let Some((after, one_in)) = damage
                            && passed > after
                            && (state >> 33).is_multiple_of(one_in)
                        {
                            *byte ^= 1 << (state >> 60 & 7);
                        }
                    }
                    if to_client.write_all(&buffer[..n]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

fn through(
    server: &Server,
    address: &str,
    branch: Option<&str>,
    commit: Option<&str>,
) -> FetchRequest {
    let policy = Policy::parse(&["127.0.0.1/32"], true).unwrap();
    FetchRequest {
        url: policy.git_url(&format!("{address}/repo.git")).unwrap(),
        ..server.request(branch, commit)
    }
}

#[tokio::test]
async fn servers_of_version_0_are_understood() {
    let server = Server::start(&[]);
    let address = proxy(&server, true, None).await;
    let fetcher = server.fetcher();
    let get = |branch, commit| fetch(&fetcher, through(&server, &address, branch, commit));
    assert!(get(None, None).await.is_err());
    let first = server.commit("main", &[("a", "1")]);
    let second = server.commit("main", &[("a", "2")]);
    let commit = get(None, None).await.unwrap();
    assert_eq!((commit.sha.as_str(), commit.branch.as_str()), (second.as_str(), "main"));
    let third = server.commit("main", &[("a", "3")]);
    let commit = get(Some("main"), None).await.unwrap();
    assert_eq!(commit.sha, third);
    assert_eq!(read(&commit, "a").as_deref(), Some("3"));
    // This server hands out tips only, so the history is fetched.
    let commit = get(None, Some(&first)).await.unwrap();
    assert_eq!(read(&commit, "a").as_deref(), Some("1"));
    assert!(matches!(get(Some("none"), None).await, Err(FetchError::BranchNotFound { .. })));
    let key = through(&server, &address, None, None).url.mirror_key();
    let mirror = server.root.path().join("mirrors").join(format!("{key}.git"));
    assert_eq!(git(&mirror, &["rev-list", "--count", "HEAD"]), "3");
    git(&server.root.path().join("mirrors").join(format!("{key}.git")), &["fsck", "--strict"]);
}

#[tokio::test]
async fn damaged_answers_are_errors_and_never_wrong_files() {
    let server = Server::start(&[]);
    let files: Vec<(String, String)> =
        (0..50).map(|n| (format!("d{}/f{n}", n % 7), format!("content {n} ").repeat(20))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let sha = server.commit("main", &files);
    let mut succeeded = 0;
    for round in 0..40u32 {
        let damage = (200 + 10 * round as usize, 300 + 100 * u64::from(round % 10));
        let address = proxy(&server, round % 2 == 1, Some(damage)).await;
        let idle = Limits { idle: Duration::from_millis(500), ..Limits::default() };
        let fetcher = fetcher(server.root.path().join(format!("m{round}")), idle);
        let mut request = through(&server, &address, Some("main"), None);
        request.timeout = Duration::from_secs(3);
        if let Ok(commit) = fetch(&fetcher, request).await {
            succeeded += 1;
            assert_eq!(commit.sha, sha);
            for (path, content) in &files {
                assert_eq!(read(&commit, path).as_deref(), Some(*content));
            }
        }
    }
    eprintln!("{succeeded} of 40 damaged answers did no harm");
}
