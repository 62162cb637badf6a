//! Outputs that must not be taken for what they resemble, and inputs made to break the reading.

use super::super::ended::{self, Ended};
use super::super::{Cause, Output};
use super::{lines, plain};

fn cause(text: &str) -> Cause {
    let lines = lines(text);
    let output = plain(&lines);
    let facts = Ended { exit_code: Some(1), out_of_memory: false, memory_mb: 1, output };
    ended::process(&facts).cause
}

#[test]
fn ordinary_lines_are_no_cause() {
    for text in [
        "GET /api 404 NOT FOUND",
        "HTTP server is not defined as secure",
        "0 tests failed",
        "connection refused by policy",
        "error: refused",
        "WARN: JSON not found in cache",
        "reading .env: ok",
        "ReferenceError: foo is not defined",
        "x is required",
        "3 modules found",
        "at Object.<anonymous> (/app/server.js:10:15)",
        "2024-01-01 12:30:45 connection refused",
        "Could not resolve",
        "Cannot find module",
        "KeyError: ",
        ": unbound variable",
        "",
    ] {
        assert_eq!(cause(text), Cause::ExitCode, "{text}");
    }
}

#[test]
fn a_process_that_ended_well_is_not_blamed_on_what_it_wrote() {
    let lines = lines("Error: API_KEY is not set");
    let output = plain(&lines);
    let facts = Ended { exit_code: Some(0), out_of_memory: false, memory_mb: 1, output };
    assert_eq!(ended::process(&facts).cause, Cause::EndedByItself);
}

#[test]
fn hostile_lines_stay_short_and_on_one_line() {
    let long = "x".repeat(100_000);
    let texts = [
        format!("Error: Cannot find module '{long}'"),
        format!("exec {long} failed: No such file or directory"),
        "Error: Cannot find module 'a`b\u{7}c'".to_owned(),
        format!("İ İ İ {long} API_KEY is not set ü"),
        format!("getaddrinfo ENOTFOUND {long}"),
        "connect ECONNREFUSED 127.0.0.1:99999999999".to_owned(),
        "connect ECONNREFUSED :::".to_owned(),
        "İ".repeat(1000),
        "'\"`".repeat(1000),
    ];
    for text in texts {
        let lines = lines(&text);
        let output = Output { lines: &lines, variables: &[] };
        let facts = Ended { exit_code: Some(1), out_of_memory: false, memory_mb: 1, output };
        let found = ended::process(&facts);
        let told = found.because.clone().unwrap_or_default();
        assert!(told.len() < 400 && found.hint.len() < 700, "{found:?}");
        assert!(found.evidence.iter().all(|line| line.chars().count() <= 301), "{found:?}");
        assert_eq!(told.matches('`').count() % 2, 0, "{told}");
        assert!(!told.contains(char::is_control), "{told:?}");
    }
}
