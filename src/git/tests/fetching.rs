//! What a fetch brings.

use super::*;

#[tokio::test]
async fn a_branch_is_fetched_and_later_only_the_difference() {
    let server = Server::start(&[]);
    let many: Vec<(String, String)> =
        (0..200).map(|n| (format!("src/{n}.txt"), format!("file {n}"))).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    server.commit("main", &many);
    let first = server.commit("main", &[("index.html", "one"), ("src/deep/a.txt", "a")]);
    let fetcher = server.fetcher();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let progress: Progress = Arc::new(move |line| sink.lock().unwrap().push(line));
    let commit = fetcher
        .fetch(server.request(None, None), Arc::clone(&progress), CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(commit.sha, first);
    assert_eq!(commit.branch, "main");
    assert_eq!(commit.subject, "Change index.html");
    assert_eq!(commit.author, "Ada");
    assert_eq!(read(&commit, "index.html").as_deref(), Some("one"));
    assert_eq!(read(&commit, "src/deep/a.txt").as_deref(), Some("a"));
    assert_eq!(read(&commit, "src").as_deref(), None);
    assert_eq!(read(&commit, "../x").as_deref(), None);
    // One commit, its three directories and 202 files: no history.
    let received = lines.lock().unwrap().pop().unwrap();
    assert!(received.contains("(206/206)"), "{received}");
    git(&server.mirror(), &["fsck", "--strict"]);

    let second = server.commit("main", &[("index.html", "two")]);
    let commit2 = fetcher
        .fetch(server.request(Some("main"), None), progress, CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(commit2.sha, second);
    assert_eq!(read(&commit2, "index.html").as_deref(), Some("two"));
    let received = lines.lock().unwrap().pop().unwrap();
    assert!(received.contains("(3/3)"), "{received}");
    // The tree of the first commit still reads.
    assert_eq!(read(&commit, "index.html").as_deref(), Some("one"));
    git(&server.mirror(), &["fsck", "--strict"]);
    assert_eq!(git(&server.mirror(), &["log", "--format=%H"]), second);
    // Nothing new: nothing is fetched.
    fetch(&fetcher, server.request(Some("main"), None)).await.unwrap();
    assert!(lines.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_forced_push_and_a_tag_are_followed() {
    let server = Server::start(&[]);
    server.commit("main", &[("a", "1")]);
    let second = server.commit("main", &[("a", "2")]);
    git(&server.work(), &["tag", "-a", "-m", "one", "v1"]);
    git(&server.work(), &["push", "-q", "../repo.git", "v1"]);
    let fetcher = server.fetcher();
    assert_eq!(fetch(&fetcher, server.request(None, None)).await.unwrap().sha, second);
    git(&server.work(), &["reset", "-q", "--hard", "HEAD~1"]);
    let third = server.commit("main", &[("a", "3")]);
    let commit = fetch(&fetcher, server.request(Some("main"), None)).await.unwrap();
    assert_eq!(commit.sha, third);
    assert_eq!(read(&commit, "a").as_deref(), Some("3"));
    let tagged = fetch(&fetcher, server.request(Some("v1"), None)).await.unwrap();
    assert_eq!(tagged.sha, second);
    assert_eq!(read(&tagged, "a").as_deref(), Some("2"));
}

#[tokio::test]
async fn commits_are_found_by_whole_and_short_names() {
    let server = Server::start(&[]);
    let first = server.commit("main", &[("a", "1")]);
    let second = server.commit("main", &[("a", "2")]);
    let third = server.commit("main", &[("a", "3")]);
    let fetcher = server.fetcher();
    let commit = fetch(&fetcher, server.request(Some("main"), Some(&first))).await.unwrap();
    assert_eq!((commit.sha.as_str(), commit.branch.as_str()), (first.as_str(), "main"));
    assert_eq!(read(&commit, "a").as_deref(), Some("1"));
    assert_eq!(fetch(&fetcher, server.request(None, None)).await.unwrap().sha, third);
    let commit = fetch(&fetcher, server.request(None, Some(&second[..9]))).await.unwrap();
    assert_eq!(commit.sha, second);
    assert_eq!(read(&commit, "a").as_deref(), Some("2"));
    git(&server.mirror(), &["fsck", "--strict"]);
    for missing in ["0123456789abcdef0123456789abcdef01234567", "0123456", "zzzzzzz", "HEAD^{/.*}"]
    {
        let error = fetch(&fetcher, server.request(None, Some(missing))).await.err().unwrap();
        assert!(matches!(error, FetchError::CommitNotFound(_)), "{missing}: {error:?}");
    }
}

#[tokio::test]
async fn a_missing_branch_names_the_default_one() {
    let server = Server::start(&[]);
    let fetcher = server.fetcher();
    let empty = fetch(&fetcher, server.request(None, None)).await.err().unwrap();
    assert!(empty.to_string().contains("empty"), "{empty}");
    server.commit("main", &[("a", "1")]);
    let error = fetch(&fetcher, server.request(Some("mian"), None)).await.err().unwrap();
    assert_eq!(error.to_string(), "There is no branch `mian`. The default branch is `main`.");
    let mut request = server.request(None, None);
    request.url = Policy::parse(&["127.0.0.1/32"], true)
        .unwrap()
        .git_url(&format!("{}/other.git", server.address))
        .unwrap();
    assert!(matches!(fetch(&fetcher, request).await, Err(FetchError::AuthFailed(_))));
}

#[tokio::test]
async fn a_damaged_mirror_is_made_anew() {
    let server = Server::start(&[]);
    server.commit("main", &[("a", "1"), ("b/c", "x")]);
    let fetcher = server.fetcher();
    fetch(&fetcher, server.request(None, None)).await.unwrap();
    let packs = || -> Vec<PathBuf> {
        std::fs::read_dir(server.mirror().join("objects/pack"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect()
    };
    for damage in 0..4 {
        for pack in packs() {
            let index = pack.extension().is_some_and(|e| e == "idx");
            std::fs::set_permissions(&pack, std::os::unix::fs::PermissionsExt::from_mode(0o600))
                .unwrap();
            match damage {
                0 if index => std::fs::remove_file(&pack).unwrap(),
                1 => std::fs::write(&pack, b"").unwrap(),
                2 if !index => {
                    let mut bytes = std::fs::read(&pack).unwrap();
                    let end = bytes.len() - 20;
                    bytes[12..end].fill(0xff);
                    std::fs::write(&pack, bytes).unwrap();
                }
                3 => {
                    std::fs::write(server.mirror().join("objects/pack/tmp_pack_x"), b"half")
                        .unwrap();
                    std::fs::write(server.mirror().join("config"), b"half").unwrap();
                }
                _ => {}
            }
        }
        let sha = server.commit("main", &[("a", &format!("after {damage}"))]);
        let commit = fetch(&fetcher, server.request(None, None)).await.unwrap();
        assert_eq!(commit.sha, sha, "{damage}");
        assert_eq!(read(&commit, "a"), Some(format!("after {damage}")));
        assert_eq!(read(&commit, "b/c").as_deref(), Some("x"));
        git(&server.mirror(), &["fsck", "--strict"]);
        assert!(packs().iter().all(|p| p.extension().is_some_and(|e| e == "pack" || e == "idx")));
    }
}

#[tokio::test]
async fn fetches_of_one_repository_wait_for_each_other() {
    let server = Server::start(&[]);
    server.commit("main", &[("a", "1")]);
    server.commit("next", &[("a", "2")]);
    let fetcher = server.fetcher();
    let requests = ["main", "next", "main", "next"]
        .map(|name| fetch(&fetcher, server.request(Some(name), None)));
    for result in futures_util::future::join_all(requests).await {
        result.unwrap();
    }
    git(&server.mirror(), &["fsck", "--strict"]);
}

#[tokio::test]
async fn a_large_directory_is_listed_in_order_and_searched() {
    let server = Server::start(&[]);
    let names: Vec<String> = (0..2000).map(|n| format!("module_{n}.py")).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    // Git keeps `lib` behind `lib.py` and `lib-x`, as if it were called `lib/`.
    files.extend([("lib/a.py", "aa"), ("lib.py", "bbb"), ("lib-x", ""), ("lib/b/c.py", "cccc")]);
    server.commit("main", &files);
    let tree = fetch(&server.fetcher(), server.request(None, None)).await.unwrap().tree;

    let list: Vec<String> = tree.list("").unwrap().into_iter().map(|entry| entry.path).collect();
    assert_eq!(list.len(), 2003);
    assert!(list.is_sorted() && list[..3] == ["lib", "lib-x", "lib.py"], "{:?}", &list[..3]);
    let file = Some(EntryKind::File { executable: false });
    for (path, kind) in [
        ("lib", Some(EntryKind::Directory)),
        ("lib.py", file),
        ("lib/b/c.py", file),
        ("module_1999.py", file),
        ("module_2000.py", None),
        ("lib/none", None),
        ("lib.py/a.py", None),
        ("none/a.py", None),
    ] {
        assert_eq!(tree.kind(path).unwrap(), kind, "{path}");
    }
    assert_eq!(tree.subtree("lib").unwrap().read("b/c.py", 9).unwrap().unwrap(), b"cccc");
    assert!(matches!(tree.read("lib.py", 2), Err(TreeError::TooLarge(_, 2))));
    // Sizes are told by what is walked over, whether or not it is read.
    let mut bytes = 0;
    tree.walk(&mut |_, content| {
        bytes += content.size()?;
        Ok(())
    })
    .unwrap();
    assert_eq!(bytes, 2000 + 2 + 3 + 4);
}
