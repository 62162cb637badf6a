//! Requests whose end two programs could see in different places. What an application gets is looked at byte by byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt;

use crate::support::front::{Front, HOST, to};
use crate::support::toy::{Toy, ok};
use crate::support::wire::{Wire, ask};

#[derive(Deserialize)]
struct Table {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    rule: String,
    request: String,
    expect: Expect,
    body: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Refuse,
    Pass,
    Safe,
}

/// A request as an application reads it that takes every rule to the letter.
#[derive(Debug, Default)]
struct Message {
    line: String,
    fields: Vec<(String, String)>,
    content: Vec<u8>,
}

impl Message {
    fn field(&self, name: &str) -> Vec<&str> {
        let own = self.fields.iter().filter(|(found, _)| found == name);
        own.map(|(_, value)| value.as_str()).collect()
    }

    /// Reads one message to the letter; the error says which letter.
    async fn read(wire: &mut Wire) -> Result<Option<Self>, String> {
        if wire.received.is_empty() && !wire.more().await.unwrap_or(false) {
            return Ok(None);
        }
        let head = wire.head().await.map_err(|_| {
            format!("a head without an end: {:?}", String::from_utf8_lossy(&wire.received))
        })?;
        let mut message = Self::default();
        for (number, line) in head.split("\r\n").enumerate() {
            if line.contains(['\r', '\n', '\0']) {
                return Err(format!("a line with a line end in it: {line:?}"));
            }
            if number == 0 {
                message.line = line.to_owned();
                continue;
            }
            let (name, value) = line.split_once(':').ok_or(format!("no colon: {line:?}"))?;
            let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if name.is_empty() || !name.chars().all(is_token) {
                return Err(format!("no name: {line:?}"));
            }
            message
                .fields
                .push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).into()));
        }
        let (codings, lengths) =
            (message.field("transfer-encoding"), message.field("content-length"));
        match (&codings[..], &lengths[..]) {
            ([], []) => {}
            ([], [length]) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                let length = length.parse().map_err(|_| format!("length: {length:?}"))?;
                let content = wire.take(length).await;
                message.content = content.map_err(|_| "content is missing".to_owned())?;
            }
            (["chunked"], []) => message.content = chunks(wire).await?,
            _ => return Err(format!("framing: {codings:?} {lengths:?}")),
        }
        Ok(Some(message))
    }
}

async fn line(wire: &mut Wire) -> Result<String, String> {
    loop {
        if let Some(end) = wire.received.iter().position(|byte| *byte == b'\n') {
            let line = wire.take(end + 1).await.map_err(|error| error.to_string())?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let line = line.strip_suffix("\r\n").map(str::to_owned);
            return line.filter(|line| !line.contains('\r')).ok_or("a bare line end".to_owned());
        }
        if !wire.more().await.unwrap_or(false) {
            return Err("chunks without an end".to_owned());
        }
    }
}

async fn chunks(wire: &mut Wire) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    loop {
        let size = line(wire).await?;
        if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("chunk size: {size:?}"));
        }
        let size = usize::from_str_radix(&size, 16).map_err(|error| error.to_string())?;
        if size == 0 {
            loop {
                let field = line(wire).await?;
                let name = field.split(':').next().unwrap().to_ascii_lowercase();
                if ["content-length", "transfer-encoding", "host"].contains(&&*name) {
                    return Err(format!("trailer: {field:?}"));
                }
                if field.is_empty() {
                    return Ok(content);
                }
            }
        }
        content.extend(wire.take(size).await.map_err(|error| error.to_string())?);
        if !line(wire).await?.is_empty() {
            return Err("a chunk is longer than its size".to_owned());
        }
    }
}

type Seen = Arc<Mutex<Vec<Result<Message, String>>>>;

async fn recorder() -> (Toy, Seen) {
    let seen = Seen::default();
    let notes = seen.clone();
    let toy = Toy::serving(move |mut wire, _| {
        let notes = notes.clone();
        async move {
            loop {
                match Message::read(&mut wire).await {
                    Ok(None) => return,
                    Ok(Some(message)) => {
                        let path = message.line.split(' ').nth(1).unwrap_or_default().to_owned();
                        notes.lock().unwrap().push(Ok(message));
                        let _ = wire.stream.write_all(&ok(&path)).await;
                    }
                    // Of a request that is cut off on its way nothing is acted upon.
                    Err(doubt) => {
                        let cut = doubt.ends_with("missing") || doubt.contains("without an end");
                        if !cut {
                            notes.lock().unwrap().push(Err(doubt));
                        }
                        return;
                    }
                }
            }
        }
    })
    .await;
    (toy, seen)
}

/// Sends a case on a connection of its own and takes what comes back, to the end.
async fn send(front: &Front, request: &[u8]) -> Vec<u8> {
    let mut wire = Wire::connect(front.address).await;
    wire.send(request).await;
    let _ = wire.stream.shutdown().await;
    // A connection that is reset has an end as well.
    while wire.more().await.unwrap_or(false) {}
    wire.received
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_sees_one_message_or_none() {
    let table = include_str!("../judges/wire/cases.toml");
    let table: Table = toml::from_str(table).unwrap();
    let (toy, seen) = recorder().await;
    let front = Front::with(to(toy.address), |options| {
        options.proxy.head = Duration::from_secs(2);
        options.proxy.client_body = Duration::from_secs(2);
    });
    let mut wrong = Vec::new();
    for case in &table.case {
        let request: Vec<u8> =
            case.request.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let answer = send(&front, &request).await;
        // Whatever is left of it on a connection to the application would meet this one.
        let after =
            ask(front.address, format!("GET /after HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
        let mut found = std::mem::take(&mut *seen.lock().unwrap());
        let mut problem = |text: String| {
            let answer = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
            wrong.push(format!("{} ({}): {text}; answered {answer:?}", case.name, case.rule));
        };
        if (after.status, after.text().as_str()) != (200, "/after") {
            problem(format!("the next visitor got {} {:?}", after.status, after.text()));
        }
        if !matches!(found.pop(), Some(Ok(last)) if last.line == "GET /after HTTP/1.1") {
            problem("the next visitor's request did not come last".to_owned());
        }
        if let Some(doubt) = found.iter().find_map(|found| found.as_ref().err()) {
            problem(format!("an application got what is not clear: {doubt}"));
            continue;
        }
        let found: Vec<_> = found.into_iter().flatten().collect();
        let lines: Vec<_> = found.iter().map(|message| message.line.as_str()).collect();
        if lines.iter().any(|line| line.contains("smuggled")) {
            problem(format!("smuggled: {lines:?}"));
        }
        let status = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned();
        match case.expect {
            Expect::Refuse if !found.is_empty() => problem(format!("it passed: {lines:?}")),
            Expect::Pass if found.is_empty() => problem("it was refused".to_owned()),
            _ => {}
        }
        match found.first() {
            None if status.starts_with('2') => problem("answered by nobody".to_owned()),
            Some(first) => {
                let body = case.body.as_deref().unwrap_or_default();
                if first.content != body.as_bytes() {
                    problem(format!("content: {:?}", String::from_utf8_lossy(&first.content)));
                }
                if first.field("host") != [HOST] {
                    problem(format!("host: {:?}", first.field("host")));
                }
            }
            None => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.case.len(), wrong.join("\n"));
}
