use super::*;

fn path(text: &str) -> Vec<String> {
    text.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn redirected(rules: &str, to: &str, query: Option<&str>) -> Option<Outcome> {
    let (rules, warnings) = SiteRules::parse(rules, "");
    assert!(warnings.is_empty(), "{warnings:?}");
    rules.redirect(&path(to), query, false)
}

fn moved(status: u16, location: &str) -> Option<Outcome> {
    Some(Outcome::Moved { status, location: location.to_owned() })
}

fn rewritten(status: u16, path: &str) -> Option<Outcome> {
    Some(Outcome::File { status, path: path.to_owned() })
}

#[test]
fn redirects() {
    for (rules, from, query, expected) in [
        ("/old /new", "/old", None, moved(301, "/new")),
        ("/old /new", "/old/", None, moved(301, "/new")),
        ("/old /new 302 # why", "/old", Some("a=1"), moved(302, "/new?a=1")),
        ("/old /new", "/older", None, None),
        (
            "/news/:year/:id /blog/:id?y=:year 308",
            "/news/2024/7",
            None,
            moved(308, "/blog/7?y=2024"),
        ),
        ("/a/* /b/:splat", "/a/x/y z", None, moved(301, "/b/x/y%20z")),
        ("/a/* /b/:splat", "/a", None, moved(301, "/b/")),
        ("/* /index.html 200", "/users/7", None, rewritten(200, "/index.html")),
        ("/* /lost.html 404", "/x", None, rewritten(404, "/lost.html")),
        ("/ https://www.example.org/", "/", None, moved(301, "https://www.example.org/")),
        ("/store id=:id /products/:id 301", "/store", Some("x=1&id=7"), moved(301, "/products/7")),
        ("/store id=:id /products/:id 301", "/store", Some("x=1"), None),
        ("/a /first\n/a /second", "/a", None, moved(301, "/first")),
        ("/%C3%A9 /e", "/é", None, moved(301, "/e")),
        ("/:id/:idea /:idea/:id", "/a/b", None, moved(301, "/b/a")),
    ] {
        assert_eq!(redirected(rules, from, query), expected, "{rules} {from}");
    }
}

#[test]
fn what_a_visitor_sends_cannot_leave_its_place() {
    let (rules, _) = SiteRules::parse("/go/* /:splat\n/u/:name https://example.org/:name", "");
    let go = |segments: &[&str]| {
        let path: Vec<_> = segments.iter().map(|part| (*part).to_owned()).collect();
        rules.redirect(&path, None, false)
    };
    assert_eq!(go(&["go", "a\r\nSet-Cookie: x"]), moved(301, "/a%0D%0ASet-Cookie%3A%20x"));
    assert_eq!(go(&["go", "\\evil.test"]), moved(301, "/%5Cevil.test"));
    assert_eq!(go(&["u", "@evil.test/"]), moved(301, "https://example.org/@evil.test%2F"));
    assert_eq!(go(&["u", "?x#y"]), moved(301, "https://example.org/%3Fx%23y"));
}

#[test]
fn forced_rules_hold_where_there_is_a_file() {
    let (rules, _) = SiteRules::parse("/a /b\n/c /d 302!", "");
    assert_eq!(rules.redirect(&path("/a"), None, true), None);
    assert_eq!(rules.redirect(&path("/c"), None, true), moved(302, "/d"));
}

#[test]
fn lines_that_cannot_be_used_are_named() {
    for line in [
        "/a",
        "a /b",
        "/a b",
        "/a //evil.test",
        "/a javascript:alert(1)",
        "/a /b 500",
        "/a /b many",
        "/a https://example.org/ 200",
        "/a /b 302 Country=us",
        "/a*b /c",
        "/*/b /c",
        "/a /b\u{7f}",
    ] {
        let (rules, warnings) = SiteRules::parse(line, "");
        assert_eq!((rules.redirects.len(), warnings.len()), (0, 1), "{line}: {warnings:?}");
        assert!(warnings[0].starts_with("_redirects, line 1: "));
    }
    let (_, warnings) = SiteRules::parse(&"nonsense\n".repeat(5000), "");
    assert_eq!(warnings.len(), MOST_WARNINGS);
    let (rules, _) = SiteRules::parse(&"/a /b\n".repeat(5000), "");
    assert_eq!(rules.redirects.len(), MOST_RULES);
}

#[test]
fn headers() {
    let text = "# all\n/*\n  X-Frame-Options: DENY\n\n/assets/*.js\n\tCache-Control: max-age=60\n/u/:id/x\n  X-A: 1\n  X-A: 2\n";
    let (rules, warnings) = SiteRules::parse("", text);
    assert!(warnings.is_empty(), "{warnings:?}");
    let fields = |path: &str| rules.fields(path).collect::<Vec<_>>();
    assert_eq!(fields("/"), [("x-frame-options", "DENY")]);
    assert_eq!(
        fields("/assets/a/b.js"),
        [("x-frame-options", "DENY"), ("cache-control", "max-age=60")]
    );
    assert_eq!(fields("/u/7/x")[1..], [("x-a", "1"), ("x-a", "2")]);
    assert_eq!(fields("/u/7/8/x").len(), 1);
    let bad = "  X: 1\n/a\n  Content-Length: 5\n  no field\n  Bad Name: x\n  X: \u{e9}\nb\n";
    let (rules, warnings) = SiteRules::parse("", bad);
    assert_eq!(rules.fields("/a").count(), 0);
    assert_eq!(warnings.len(), 6, "{warnings:?}");
}

#[test]
fn patterns_take_bounded_time() {
    let pattern = "/*a".repeat(500);
    assert!(!glob(pattern.as_bytes(), format!("/{}", "a".repeat(8000)).as_bytes()));
}
