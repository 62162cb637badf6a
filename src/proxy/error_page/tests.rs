//! Every problem in every form.

use http_body::Body as _;

use super::*;
use crate::proxy::reference::References;

const ALL: [Problem; 26] = [
    Problem::BadRequest,
    Problem::HeadTooLarge,
    Problem::MethodRefused,
    Problem::MethodNotForFiles,
    Problem::Misdirected,
    Problem::UnknownHost,
    Problem::NoSuchFile,
    Problem::Notice(Notice::NotReady),
    Problem::Notice(Notice::Building),
    Problem::Notice(Notice::Failed),
    Problem::Notice(Notice::Stopped),
    Problem::Notice(Notice::Paused),
    Problem::Notice(Notice::Removed),
    Problem::Asleep,
    Problem::Waking { page: true },
    Problem::Unavailable,
    Problem::Elsewhere,
    Problem::Busy,
    Problem::NoAnswer,
    Problem::TooSlow,
    Problem::NotAdmitted,
    Problem::SignIn,
    Problem::Maintenance,
    Problem::BodyTooLarge,
    Problem::Loop,
    Problem::Internal,
];

#[test]
fn every_code_is_described() {
    let described = include_str!("../../../docs/proxy.md");
    for problem in ALL {
        let text = problem.text();
        let line = described
            .lines()
            .find(|line| line.starts_with('|') && line.contains(&format!("`{}`", text.code)));
        let line = line.unwrap_or_else(|| panic!("{} is not in docs/proxy.md", text.code));
        assert!(line.contains(text.status.as_str()), "{line}");
    }
}

/// Small, of one form each, and with nothing about the inside.
#[test]
fn every_problem_has_its_page_in_every_form() {
    let references = References::default();
    for problem in ALL {
        for (accept, content_type) in [
            ("text/html", "text/html; charset=utf-8"),
            ("application/json", "application/json"),
            ("*/*", "text/plain; charset=utf-8"),
        ] {
            let reference = references.next();
            let accept = HeaderValue::from_static(accept);
            let answer = answer(problem, Some(&accept), reference);
            assert!(answer.status().as_u16() >= 400, "{problem:?}");
            let json = problem == Problem::SignIn && accept == "*/*";
            let expected = if json { "application/json" } else { content_type };
            assert_eq!(answer.headers()[CONTENT_TYPE], expected, "{problem:?}");
            assert_eq!(answer.headers()[CACHE_CONTROL], "no-store", "{problem:?}");
            assert!(!answer.headers().contains_key("server"), "{problem:?}");
            let size = answer.body().size_hint().exact().unwrap();
            assert!((20..4096).contains(&size), "{problem:?}: {size} bytes");
        }
    }
}
