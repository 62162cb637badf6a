use super::*;

fn host(version: Version, uri: &str, hosts: &[&str]) -> Option<String> {
    let mut request = Request::builder().version(version).uri(uri);
    for host in hosts {
        request = request.header(HOST, *host);
    }
    of(&request.body(()).unwrap()).ok().map(Cow::into_owned)
}

#[test]
fn a_host_is_lower_case_without_port_and_dot() {
    for (field, name) in [
        ("app.example.com", "app.example.com"),
        ("App.Example.COM:8080", "app.example.com"),
        ("app.example.com.", "app.example.com"),
        ("app.example.com.:80", "app.example.com"),
        ("app.example.com:", "app.example.com"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("a_b.example.com", "a_b.example.com"),
    ] {
        let found = host(Version::HTTP_11, "/", &[field]);
        assert_eq!(found.as_deref(), Some(name), "{field}");
    }
}

#[test]
fn what_is_not_a_host_is_refused() {
    for field in [
        "", ".", "a b", "a..b", ".a", "a/b", "a@b", "a,b", "a:b", "a:123456", "a:80:80", "[::1",
        "[::1]x", "[x]", "%61", "a\\b", "::1",
    ] {
        assert_eq!(host(Version::HTTP_11, "/", &[field]), None, "{field:?}");
    }
    assert_eq!(host(Version::HTTP_11, "/", &[]), None);
    assert_eq!(host(Version::HTTP_11, "/", &["a", "a"]), None);
    assert_eq!(host(Version::HTTP_10, "/", &["a", "a"]), None);
}

#[test]
fn an_absolute_target_replaces_the_field() {
    assert_eq!(
        host(Version::HTTP_11, "http://b.example/x", &["a.example"]).as_deref(),
        Some("b.example")
    );
    assert_eq!(host(Version::HTTP_11, "http://b.example/x", &[]), None);
    assert_eq!(host(Version::HTTP_11, "http://b.example/x", &["a b"]), None);
}

#[test]
fn http_1_0_may_leave_the_host_out() {
    assert_eq!(host(Version::HTTP_10, "/", &[]).as_deref(), Some(""));
}
