//! Every shape of an address.

use super::*;

fn code(text: &str, allow_http: bool) -> &'static str {
    let host_allowed =
        &|host: &str, _| host.contains('.') && host.parse::<std::net::IpAddr>().is_err();
    let rules = GitUrlRules { allow_http, host_allowed, ssh_allowed: host_allowed };
    match GitUrl::parse(text, &rules) {
        Ok(_) => "ok",
        Err(error) => error.code,
    }
}

fn parsed(text: &str) -> GitUrl {
    let rules =
        GitUrlRules { allow_http: true, host_allowed: &|_, _| true, ssh_allowed: &|_, _| true };
    GitUrl::parse(text, &rules).unwrap()
}

#[test]
fn each_shape_gets_its_code() {
    for (text, expected) in [
        ("https://github.com/user/repo.git", "ok"),
        ("https://GitHub.com/user/repo/", "ok"),
        ("HTTPS://github.com/user/repo", "ok"),
        ("https://org@dev.azure.com/org/project/_git/repo", "ok"),
        ("http://github.com/user/repo.git", "url_not_allowed"),
        ("", "format"),
        ("not-a-url", "format"),
        ("github.com/user/repo", "format"),
        ("https:github.com/user/repo", "format"),
        ("https://", "format"),
        ("https://github.com", "format"),
        ("https://github.com/", "format"),
        ("https://github.com/a?b=c", "format"),
        ("https://github.com/a#b", "format"),
        ("https://git hub.com/a", "format"),
        ("https://github.com/a\nb", "format"),
        ("https://github.com\\@evil.test/a", "format"),
        ("https://user:secret@github.com/a/b", "unsafe"),
        ("https://:secret@github.com/a/b", "unsafe"),
        ("https://ghp_abcdef@github.com/a/b", "unsafe"),
        ("https://github.com/a%00b", "unsafe"),
        ("https://github.com/%2e%2e%2fb", "unsafe"),
        ("--upload-pack=touch PWNED", "unsafe"),
        ("--upload-pack=id", "unsafe"),
        ("-u touch", "unsafe"),
        ("-oProxyCommand=touch", "unsafe"),
        ("--config=core.sshCommand=id", "unsafe"),
        ("ssh://-oProxyCommand=touch%20PWNED/x", "unsafe"),
        ("git@-oProxyCommand=id:x", "unsafe"),
        ("git@host.test:-x", "unsafe"),
        ("ssh://a b/x", "format"),
        ("file:///etc/passwd", "unsafe"),
        ("FILE:///etc/passwd", "unsafe"),
        ("file:/etc/passwd", "unsafe"),
        ("/etc/passwd", "unsafe"),
        ("../other", "unsafe"),
        ("~/x", "unsafe"),
        ("C:/x", "unsafe"),
        ("ext::sh -c id", "format"),
        ("ext::sh", "unsafe"),
        ("fd::17", "unsafe"),
        ("git://h.test/x", "unsafe"),
        ("ftp://h.test/x", "url_not_allowed"),
        ("rsync://h.test/x", "url_not_allowed"),
        ("javascript:x", "unsafe"),
        ("data:,x", "unsafe"),
        ("git@github.com:o/r.git", "ok"),
        ("h:x", "url_not_allowed"),
        ("ssh://git@h.test/x", "ok"),
        ("ssh://git:pw@h.test/x", "unsafe"),
        ("https://localhost/x", "url_not_allowed"),
    ] {
        assert_eq!(code(text, false), expected, "{text}");
    }
    assert_eq!(code(&format!("https://a.test/{}", "x".repeat(2048)), false), "too_long");
    assert_eq!(code("http://github.com/user/repo.git", true), "ok");
}

#[test]
fn every_spelling_of_an_address_reaches_the_rule_in_its_normal_form() {
    for (text, expected) in [
        ("https://127.1/x", "127.0.0.1"),
        ("https://0177.0.0.1/x", "127.0.0.1"),
        ("https://0x7f000001/x", "127.0.0.1"),
        ("https://2130706433/x", "127.0.0.1"),
        ("https://①②⑦.0.0.1/x", "127.0.0.1"),
        ("https://[::ffff:7f00:1]/x", "::ffff:127.0.0.1"),
        ("https://LOCALHOST./x", "localhost."),
        ("https://GitHub.com/x", "github.com"),
    ] {
        assert_eq!(parsed(text).host(), expected, "{text}");
    }
}

#[test]
fn an_ssh_address_says_whom_where_and_what() {
    for (text, canonical, user, port, path) in [
        ("git@GitHub.com:o/r.git", "git@github.com:o/r.git", "git", 22, "o/r.git"),
        ("github.com:o/r.git/", "git@github.com:o/r.git", "git", 22, "o/r.git"),
        ("ssh://git@github.com/o/r.git", "ssh://git@github.com/o/r.git", "git", 22, "/o/r.git"),
        ("ssh://github.com:22/o/r", "ssh://git@github.com/o/r", "git", 22, "/o/r"),
        ("git+ssh://me@h.test:2222/~me/r", "ssh://me@h.test:2222/~me/r", "me", 2222, "~me/r"),
        (
            "git@ssh.dev.azure.com:v3/o/My%20P/r",
            "git@ssh.dev.azure.com:v3/o/My%20P/r",
            "git",
            22,
            "v3/o/My%20P/r",
        ),
    ] {
        let url = parsed(text);
        let ssh = url.ssh().unwrap();
        assert_eq!((url.as_str(), ssh.user.as_str(), ssh.port), (canonical, user, port), "{text}");
        assert_eq!(ssh.path, path, "{text}");
        assert_eq!(parsed(url.as_str()), url);
        assert_eq!(url.origin(), format!("ssh://{}:{port}", url.host()));
    }
    assert_eq!(parsed("https://A.test/x").origin(), "https://a.test:443");
    assert_eq!(parsed("https://a.test/x").ssh(), None);
}

#[test]
fn what_could_be_more_than_a_path_is_refused_in_an_ssh_address() {
    for (text, expected) in [
        ("git@h.test:o/r'; id; '", "format"),
        ("git@h.test:o/r';id;'", "unsafe"),
        ("git@h.test:o/$(id)", "unsafe"),
        ("git@h.test:o/`id`", "unsafe"),
        ("git@h.test:o/\"r", "unsafe"),
        ("git@h.test:../r", "unsafe"),
        ("git@h.test:o/../../r", "unsafe"),
        ("ssh://git@h.test/o/%2e%2e/r", "unsafe"),
        ("ssh://git@h.test/o%00r", "unsafe"),
        ("ssh://h.test", "format"),
        ("ssh://h.test/", "format"),
        ("ssh://h.test:0/x", "format"),
        ("ssh://h.test:99999/x", "format"),
        ("ssh://-x@h.test/r", "unsafe"),
        ("ssh://a;b@h.test/r", "format"),
        ("ssh://git@h.test/x?y", "unsafe"),
        ("ssh://git@127.0.0.1/x", "url_not_allowed"),
        ("ssh://git@2130706433/x", "url_not_allowed"),
    ] {
        assert_eq!(code(text, false), expected, "{text}");
    }
}

#[test]
fn a_relative_address_stays_on_its_server() {
    for (base, relative, expected) in [
        ("https://h.test/o/r.git", "../s.git", Some("https://h.test/o/s.git")),
        ("https://h.test/o/r.git", "./s", Some("https://h.test/o/r.git/s")),
        ("https://h.test/o/r.git", "../../p/s", Some("https://h.test/p/s")),
        ("https://h.test/o/r.git", "../../../x", None),
        ("https://h.test/o/r.git", "../..", None),
        ("git@h.test:o/r.git", "../s.git", Some("git@h.test:o/s.git")),
        ("git@h.test:r.git", "../s.git", Some("git@h.test:s.git")),
        ("git@h.test:r.git", "../../s.git", None),
        ("ssh://git@h.test:2222/o/r", "../s", Some("ssh://git@h.test:2222/o/s")),
    ] {
        assert_eq!(parsed(base).relative(relative).as_deref(), expected, "{base} {relative}");
    }
}

#[test]
fn the_canonical_text_has_no_user_and_the_key_is_a_file_name() {
    let url = parsed("https://org@Dev.Azure.com/org/My%20Repo/");
    assert_eq!(url.as_str(), "https://dev.azure.com/org/My%20Repo");
    let key = url.mirror_key();
    assert!(key.starts_with("dev-azure-com-org-my-20repo-"), "{key}");
    assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    assert_eq!(key, parsed("https://dev.azure.com/org/My%20Repo").mirror_key());
    assert_ne!(key, parsed("https://dev.azure.com/org/My%20Repo2").mirror_key());
}
