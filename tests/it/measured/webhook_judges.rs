//! Two libraries of Standard Webhooks that are not ours look at deliveries as they came, and at altered ones:
//! `bench/webhooks.sh` runs this with many.

use std::io::Write;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::webhooks::{PATIENCE, start};
use crate::support::api_client::text;
use crate::support::effort::effort;
use crate::support::receiver::{Got, Receiver};
use crate::support::until::within;

const JUDGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judges");
/// So few at a time that none is too old when it is looked at.
const BATCH: usize = 500;

/// A request as a receiver has it.
#[derive(Clone)]
struct Request {
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    /// Sets the headers of both schemes.
    fn with(&self, names: [&'static str; 2], change: impl Fn(&str) -> String) -> Self {
        let mut changed = self.clone();
        for name in names {
            let value = change(self.headers[name].to_str().unwrap());
            assert_ne!(value, self.headers[name], "{name}");
            changed.headers.insert(name, value.parse().unwrap());
        }
        changed
    }

    /// A line for the library that runs elsewhere.
    fn line(&self) -> Value {
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.to_string(), Value::from(value.to_str().unwrap()))
        };
        let headers: Map<_, _> = self.headers.iter().map(header).collect();
        json!({ "headers": headers, "body": STANDARD.encode(&self.body) })
    }
}

/// What came, and the same with one thing altered: a byte of the body, the id, the time, a digit of the signature.
fn variants(got: &Got, number: usize) -> [Request; 5] {
    let whole = Request { headers: got.headers.clone(), body: got.body.clone().into_bytes() };
    let mut body = whole.clone();
    let at = number % body.body.len();
    body.body[at] ^= 1;
    let other = |text: &str, at: usize| {
        let mut text = text.to_owned();
        let digit = if &text[at..=at] == "0" { "1" } else { "0" };
        text.replace_range(at..=at, digit);
        text
    };
    let id = whole.with(["webhook-id", "x-orbitra-event-id"], |id| other(id, 4 + number % 16));
    let sent: i64 = got.header("webhook-timestamp").parse().unwrap();
    let time = whole.with(["webhook-timestamp", "x-orbitra-signature"], |text| {
        text.replacen(&sent.to_string(), &(sent - 1).to_string(), 1)
    });
    let signature = whole.with(["webhook-signature", "x-orbitra-signature"], |text| {
        let digest = text.find("v1").unwrap() + 3;
        other(text, digest + number % 40)
    });
    [whole, body, id, time, signature]
}

/// What a program of the judges prints.
fn ran(program: &mut Command) -> String {
    let Output { status, stdout, stderr } = program.output().unwrap();
    assert!(status.success(), "{program:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap().trim().to_owned()
}

/// `ORBITRA_TEST_DELIVERIES` of them, and four times as many altered ones.
#[tokio::test]
async fn python_library_and_crate_take_every_delivery_and_no_altered_one() {
    let wanted = effort("ORBITRA_TEST_DELIVERIES", 200);
    let python = ran(&mut Command::new(format!("{JUDGES}/environment.sh"))) + "/python";
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("received");
    let (orbitra, _socket) = start().await;
    let receiver = Receiver::start().await;
    let hook = json!({ "url": receiver.url(), "events": ["project.updated"] });
    let hook = orbitra.api.done("POST", "/webhooks", Some(hook)).await;
    let secret = text(&hook, "secret");
    let crates = standardwebhooks::Webhook::new(&secret).unwrap();
    let project = format!("/projects/{}", orbitra.api.project("shop", json!({})).await);
    let mut judged = 0;
    while judged < wanted {
        let end = wanted.min(judged + BATCH);
        for number in judged..end {
            let body = json!({ "name": format!("shop-{number}") });
            orbitra.api.done("PATCH", &project, Some(body)).await;
        }
        within(PATIENCE, "all have come", async || (receiver.count() >= end).then_some(())).await;
        let got = receiver.got();
        assert_eq!(got.len(), end, "each came once");
        let mut lines = std::fs::File::create(&file).unwrap();
        let mut said = String::new();
        for (number, one) in got.iter().enumerate().skip(judged) {
            for request in variants(one, number) {
                writeln!(lines, "{}", request.line()).unwrap();
                let taken = crates.verify(&request.body, &request.headers).is_ok();
                said.push(if taken { '1' } else { '0' });
            }
        }
        let right = "10000".repeat(end - judged);
        assert!(said == right, "the crate does not say so of {judged} to {end}");
        let mut judge = Command::new(&python);
        judge.arg(format!("{JUDGES}/deliveries.py")).arg(&file).arg(&secret);
        assert!(
            ran(&mut judge) == right,
            "the Python library does not say so of {judged} to {end}"
        );
        judged = end;
    }
    println!(
        "{judged} of {judged} deliveries taken by both, {} of {} altered ones by neither",
        4 * judged,
        4 * judged
    );
}
