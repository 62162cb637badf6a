//! What a fetch refuses, and when it gives up.

use super::*;

#[tokio::test]
async fn a_silent_server_is_canceled_at_once_and_has_a_deadline() {
    let server = Server::start(&["--hang"]);
    let fetcher = server.fetcher();
    // One that accepts and says nothing, so that the moment to cancel is known: the request is out.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/repo.git", silent.local_addr().unwrap());
    let policy = Policy::parse(&["127.0.0.1/32"], true).unwrap();
    let request =
        FetchRequest { url: policy.git_url(&address).unwrap(), ..server.request(None, None) };
    let cancel = CancellationToken::new();
    let fetching = fetcher.fetch(request, Arc::new(|_| {}), cancel.clone());
    let (result, _held) = tokio::join!(fetching, async {
        let accepted = silent.accept().await.unwrap();
        cancel.cancel();
        accepted
    });
    assert!(matches!(result, Err(FetchError::Canceled)));
    let mut request = server.request(None, None);
    request.timeout = Duration::from_secs(1);
    assert!(matches!(fetch(&fetcher, request).await, Err(FetchError::TimedOut { seconds: 1 })));
    let idle = Limits { idle: Duration::from_millis(300), ..Limits::default() };
    let error = self::fetcher(server.root.path().join("m2"), idle)
        .fetch(server.request(None, None), Arc::new(|_| {}), CancellationToken::new())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("did not answer"), "{error}");
}

#[tokio::test]
async fn redirects_and_other_servers_are_refused() {
    let server = Server::start(&["--redirect-to", "http://169.254.169.254/"]);
    assert!(matches!(
        fetch(&server.fetcher(), server.request(None, None)).await,
        Err(FetchError::RedirectRefused)
    ));
    let server = Server::start(&["--garbage"]);
    let error = fetch(&server.fetcher(), server.request(None, None)).await.err().unwrap();
    assert!(error.to_string().contains("did not answer as a Git server"), "{error}");
}

#[tokio::test]
async fn limits_and_the_address_policy_hold() {
    let server = Server::start(&[]);
    let mut noise = String::new();
    let mut state = 1u64;
    while noise.len() < 3_000_000 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        noise.push_str(&format!("{state:x}"));
    }
    server.commit("main", &[("noise", &noise), ("a", "1"), ("b", "2")]);
    let mirrors = server.root.path().join("mirrors");
    let small = Limits { received_bytes: 1 << 20, ..Limits::default() };
    let error =
        fetch(&fetcher(mirrors.clone(), small), server.request(None, None)).await.err().unwrap();
    assert_eq!(error.to_string(), "The repository is larger than 1 MB.");
    let few = Limits { entries: 2, ..Limits::default() };
    let error =
        fetch(&fetcher(mirrors.clone(), few), server.request(None, None)).await.err().unwrap();
    assert!(error.to_string().contains("more than 2 files"), "{error}");
    let closed = LibGit::new(mirrors, Client::new(Policy::default()).unwrap(), Limits::default());
    let error = fetch(&closed, server.request(None, None)).await.err().unwrap();
    assert!(matches!(error, FetchError::AddressNotAllowed), "{error:?}");
}
