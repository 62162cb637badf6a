//! WebSocket frames of every kind through the proxy, which has no say in them: to the byte, both ways, however they are
//! cut. What is sent follows the cases of Autobahn's test suite: framing, pings between fragments, reserved bits and
//! opcodes, UTF-8, close codes, sizes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::front::{Front, HOST, to, upstream};
use crate::support::toy::Toy;
use crate::support::wire::Wire;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const FIRST_TEXT: u8 = 0x01;
const FIRST_BINARY: u8 = 0x02;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame (RFC 6455 section 5.2). Clients mask, servers do not.
fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let (bit, length) = (u8::from(masked) << 7, payload.len());
    let mut bytes = vec![first];
    match length {
        ..126 => bytes.push(bit | u8::try_from(length).unwrap()),
        126..65_536 => {
            bytes.push(bit | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(bit | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    } else {
        bytes.extend(payload);
    }
    bytes
}

type Case = (String, Vec<(u8, Vec<u8>)>);

fn close(code: u16, reason: &[u8]) -> (u8, Vec<u8>) {
    (CLOSE, [&code.to_be_bytes(), reason].concat())
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |name: &str, frames: Vec<(u8, Vec<u8>)>| cases.push((name.to_owned(), frames));
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536, 1_000_000] {
        add(&format!("text of {length}"), vec![(TEXT, vec![b'*'; length])]);
        add(&format!("binary of {length}"), vec![(BINARY, vec![0xfe; length])]);
    }
    for payload in
        [vec![], b"hello".to_vec(), vec![0, 255, 254, 253], vec![b'p'; 125], vec![b'p'; 126]]
    {
        add(&format!("ping of {}", payload.len()), vec![(PING, payload.clone())]);
        add(&format!("pong that nobody asked for of {}", payload.len()), vec![(PONG, payload)]);
    }
    add("ten pings", (0..10).map(|n| (PING, vec![n])).collect());
    for (bits, name) in [(0x40, "1"), (0x20, "2"), (0x10, "3"), (0x70, "all")] {
        add(&format!("reserved bit {name}"), vec![(TEXT | bits, b"x".to_vec()), (PING, vec![])]);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        add(
            &format!("reserved opcode {opcode}"),
            vec![(0x80 | opcode, b"y".to_vec()), (PING, vec![])],
        );
    }
    add("two fragments", vec![(FIRST_TEXT, b"one".to_vec()), (LAST, b"two".to_vec())]);
    add("fragments of nothing", vec![(FIRST_TEXT, vec![]), (MORE, vec![]), (LAST, vec![])]);
    add(
        "a ping between fragments",
        vec![
            (FIRST_TEXT, b"one".to_vec()),
            (PING, b"ping".to_vec()),
            (MORE, b"two".to_vec()),
            (PONG, vec![]),
            (LAST, b"three".to_vec()),
        ],
    );
    add("a ping in fragments", vec![(0x09, b"pi".to_vec()), (LAST, b"ng".to_vec())]);
    add("a continuation of nothing", vec![(LAST, b"x".to_vec()), (MORE, b"y".to_vec())]);
    add("a message within another", vec![(FIRST_TEXT, b"one".to_vec()), (TEXT, b"two".to_vec())]);
    add("many fragments", {
        let middle = (0..1000).map(|n: u32| (MORE, n.to_be_bytes().to_vec()));
        [(FIRST_BINARY, vec![1])].into_iter().chain(middle).chain([(LAST, vec![2])]).collect()
    });
    for (name, bytes) in [
        ("valid", "κόσμε".as_bytes()),
        ("cut in a character", &[0xce, 0xba, 0xe1, 0xbd]),
        ("a surrogate", &[0xed, 0xa0, 0x80]),
        ("beyond the last", &[0xf4, 0x90, 0x80, 0x80]),
        ("too long a form", &[0xc0, 0xaf]),
        ("no character", &[0xff, 0xfe, 0x80]),
    ] {
        add(&format!("UTF-8, {name}"), vec![(TEXT, bytes.to_vec())]);
        let (one, two) = bytes.split_at(1);
        add(
            &format!("UTF-8 in fragments, {name}"),
            vec![(FIRST_TEXT, one.to_vec()), (LAST, two.to_vec())],
        );
    }
    add("close without a code", vec![(CLOSE, vec![])]);
    add("close with half a code", vec![(CLOSE, vec![3])]);
    for code in [
        0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1009, 1011, 1012, 1015, 1016, 1100,
        2000, 2999, 3000, 3999, 4000, 4999, 5000, 65_535,
    ] {
        add(&format!("close {code}"), vec![close(code, b"bye")]);
    }
    add("close with the longest reason", vec![close(1000, &[b'r'; 123])]);
    add("close with too long a reason", vec![close(1000, &[b'r'; 124])]);
    add("close with a reason that is no text", vec![close(1000, &[0xff, 0xfe])]);
    add("messages after a close", vec![close(1000, b""), (TEXT, b"late".to_vec()), (PING, vec![])]);
    cases
}

fn bytes_of(case: &Case, masked: bool) -> Vec<u8> {
    case.1.iter().flat_map(|(first, payload)| frame(*first, payload, masked)).collect()
}

/// An application that sends its half of the case that the path names, and notes what it gets.
async fn application(got: Arc<Mutex<Vec<u8>>>) -> Toy {
    let cases = Arc::new(cases());
    Toy::serving(move |mut wire, _| {
        let (cases, got) = (Arc::clone(&cases), Arc::clone(&got));
        async move {
            let Ok(head) = wire.head().await else { return };
            let number: usize = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
            wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n").await;
            let (own, theirs) = (bytes_of(&cases[number], false), bytes_of(&cases[number], true));
            let Wire { stream, received } = &mut wire;
            let (mut reading, mut writing) = stream.split();
            let sending = async {
                for part in own.chunks(own.len().div_ceil(3).max(1)) {
                    tokio::io::AsyncWriteExt::write_all(&mut writing, part).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            let taking = async {
                while received.len() < theirs.len() {
                    let read = tokio::io::AsyncReadExt::read_buf(&mut reading, received).await;
                    if read.unwrap_or(0) == 0 {
                        break;
                    }
                }
            };
            tokio::join!(sending, taking);
            *got.lock().unwrap() = std::mem::take(received);
            wire.send([0xff]).await;
            let _ = wire.more().await;
        }
    })
    .await
}

async fn open(front: &Front, path: &str) -> Wire {
    let mut wire = Wire::connect(front.address).await;
    wire.send(format!(
        "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ))
    .await;
    let head = wire.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    wire
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_every_kind_cross_to_the_byte() {
    let got = Arc::default();
    let toy = application(Arc::clone(&got)).await;
    let front = Front::start(to(toy.address));
    let mut wrong = Vec::new();
    for (number, case) in cases().iter().enumerate() {
        let (own, theirs) = (bytes_of(case, true), bytes_of(case, false));
        // A byte at a time is how a frame is cut at every place; not for those that would take for ever.
        for size in [own.len().max(1), 1000, 1] {
            if own.len() / size > 2000 {
                continue;
            }
            let mut wire = open(&front, &format!("/{number}")).await;
            for part in own.chunks(size) {
                wire.send(part).await;
            }
            // All of it, and the mark of the end.
            let came = wire.take(theirs.len() + 1).await.unwrap_or_default();
            if came[..came.len().saturating_sub(1)] != theirs || *got.lock().unwrap() != own {
                wrong.push(format!("{} in parts of {size}", case.0));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_cut_within_a_frame_gets_no_other_into_it() {
    for (part, told) in [(3, false), (7, true)] {
        let toy = Toy::serving(move |mut wire, _| async move {
            if wire.head().await.is_err() {
                return;
            }
            wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n").await;
            wire.send(&frame(TEXT, b"hello", false)[..part]).await;
            let _ = wire.more().await;
        })
        .await;
        let (address, route) = upstream(toy.address);
        let front = Front::start(route);
        let mut wire = open(&front, "/").await;
        let mut came = wire.take(part).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        address.cut();
        came.extend(wire.rest().await.unwrap_or_default());
        let mut expected = frame(TEXT, b"hello", false)[..part].to_vec();
        if told {
            expected.extend([CLOSE, 2, 3, 0xe9]);
        }
        assert_eq!(came, expected);
    }
}
