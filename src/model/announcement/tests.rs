use serde_json::json;

use super::*;
use crate::model::ids::{EventId, TeamId};
use crate::model::timestamp::Timestamp;

fn event(name: &'static str, data: Value) -> Event {
    Event {
        id: EventId::from_random([1; 10]),
        event: name.into(),
        team_id: TeamId::from_random([1; 10]),
        project_id: None,
        data,
        created_at: Timestamp(1_705_768_200_000),
    }
}

/// What somebody writes who wants to be read as something else.
const HOSTILE: &str = "fix\r\nBcc: all@example.com\n\n<!channel> @everyone *bold* `x` [a](http://evil.test) <http://evil.test|ok> & \u{202e}abc\u{0}";

fn hostile() -> Announcement {
    let data = json!({
        "deployment_id": "dep_123abc", "project_id": "prj_abc123", "status": "failed", "url": "https://a.example.com",
        "duration_ms": 31000, "error": { "code": "build_failed", "phase": "building", "message": HOSTILE },
    });
    let subject = Subject {
        project: Some(HOSTILE.to_owned()),
        commit: Some(Commit {
            sha: "0123456789abcdef".to_owned(),
            message: HOSTILE.to_owned(),
            author: HOSTILE.to_owned(),
        }),
        branch: Some(HOSTILE.to_owned()),
    };
    Announcement::of(&event("deployment.failed", data), &subject)
}

#[test]
fn texts_are_on_one_line_and_bounded() {
    assert_eq!(one_line(" a\r\nb\t\u{0}c\u{202e}d ", 100), "a b cd");
    assert_eq!(one_line(&"ü".repeat(10), 5), "üüüü…");
    assert_eq!(one_line("", 5), "");
}

#[test]
fn an_event_is_told_with_what_it_is_about() {
    let data = json!({
        "deployment_id": "dep_123abc", "project_id": "prj_abc123", "status": "live", "duration_ms": 45000,
        "url": "https://shop.example.com",
    });
    let commit =
        Commit { sha: "0123456789".into(), message: "Mend\n\nmore".into(), author: "Ada".into() };
    let subject = Subject {
        project: Some("shop".into()),
        commit: Some(commit),
        branch: Some("main".to_owned()),
    };
    let told = Announcement::of(&event("deployment.succeeded", data), &subject);
    assert_eq!((told.title().as_str(), told.tone), ("shop: Deployment succeeded", Tone::Good));
    assert_eq!(told.link.as_deref(), Some("https://shop.example.com"));
    let line = |label: &str| {
        let found = told.lines.iter().find(|(known, _)| known == label);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(line("Commit"), Some("0123456 Mend"));
    assert_eq!((line("Branch"), line("Duration ms")), (Some("main"), Some("45000")));
    assert_eq!((line("Deployment"), line("Project")), (Some("dep_123abc"), None));
}

#[test]
fn every_event_has_a_headline_and_every_format_a_body() {
    for known in event_type::ALL {
        let told = Announcement::of(
            &event(known.name, json!({ "a": [1], "b": null })),
            &Subject::default(),
        );
        assert!(!told.headline.is_empty() && !told.headline.contains('`'), "{}", known.name);
        assert_eq!(told.body(Format::Orbitra), None);
        for format in [Format::Slack, Format::Discord, Format::Email] {
            let body = told.body(format).expect("a body");
            assert!(serde_json::from_str::<Value>(&body).is_ok(), "{body}");
        }
    }
}

#[test]
fn a_message_of_slack_mentions_and_links_nothing_of_anybody_else() {
    let body = slack::body(&hostile());
    let text = body["blocks"][1]["text"]["text"].as_str().unwrap();
    assert!(text.chars().count() <= 3_000);
    // The only link is ours.
    assert_eq!(text.matches('<').count(), 1, "{text}");
    assert!(text.ends_with("<https://a.example.com>"));
    assert!(!body["text"].as_str().unwrap().contains('<'));
    for line in text.lines().filter(|line| !line.starts_with('<')) {
        // Ours, then theirs between backticks.
        assert_eq!(line.matches('`').count(), 2, "{line}");
        assert!(line.starts_with('*') && line.ends_with('`'), "{line}");
    }
    assert_eq!(body["blocks"][1]["text"]["verbatim"], true);
    assert_eq!(body["blocks"][0]["text"]["type"], "plain_text");
    assert!(body["blocks"][0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
}

#[test]
fn a_message_of_discord_mentions_nobody_and_marks_nothing_up() {
    let body = discord::body(&hostile());
    assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
    let embed = &body["embeds"][0];
    let mut length = 0;
    let fields = embed["fields"].as_array().unwrap();
    let values = fields.iter().flat_map(|field| [&field["name"], &field["value"]]);
    for text in values.chain([&embed["title"]]) {
        let text = text.as_str().unwrap();
        length += text.chars().count();
        let mut letters = text.chars();
        while let Some(c) = letters.next() {
            if c == '\\' {
                assert!(letters.next().is_some_and(|c| c.is_ascii_punctuation()));
            } else {
                assert!(!c.is_ascii_punctuation() && !c.is_control(), "{text}");
            }
        }
    }
    assert!(length < 6_000, "{length}");
    assert!(embed["title"].as_str().unwrap().chars().count() <= 256);
}

#[test]
fn a_subject_is_one_line_and_a_text_has_no_controls() {
    let letter: mail::Letter = serde_json::from_value(mail::body(&hostile())).unwrap();
    assert!(letter.subject.starts_with("[Orbitra] "));
    assert!(letter.subject.chars().all(|c| !c.is_control()));
    assert!(letter.subject.chars().count() <= 150);
    assert!(letter.text.chars().all(|c| c == '\n' || !c.is_control()), "{}", letter.text);
    // Nothing begins a line but ours.
    assert!(letter.text.lines().all(|line| !line.starts_with("Bcc")), "{}", letter.text);
}

#[test]
fn only_plain_addresses_are_links() {
    assert!(is_link("https://shop-dep1.example.com:8443/a?b=c%20d&e"));
    for bad in ["javascript:alert(1)", "https://a.example/<b>", "https://a|b", "https://a\"b", ""] {
        assert!(!is_link(bad), "{bad}");
    }
}
