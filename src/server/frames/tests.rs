use super::*;

fn frame(kind: u8, flags: u8, length: u32) -> Vec<u8> {
    let [_, high, middle, low] = length.to_be_bytes();
    let mut bytes = vec![high, middle, low, kind, flags, 0, 0, 0, 1];
    bytes.resize(HEAD + length as usize, 0);
    bytes
}

fn begun() -> Frames {
    let mut frames = Frames::new(1);
    frames.feed(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1).unwrap();
    frames
}

/// How many of these frames pass.
fn passed(frames: &mut Frames, bytes: &[u8], tick: u32) -> u32 {
    (0..100_000).take_while(|_| frames.feed(bytes, tick).is_ok()).count() as u32
}

#[test]
fn what_brings_nothing_is_counted_and_comes_back_slowly() {
    for (kind, flags, length) in [
        (0, 0, 0),
        (0, 8, 1),
        (2, 0, 5),
        (3, 0, 4),
        (4, 0, 6),
        (6, 0, 8),
        (6, 1, 8),
        (8, 0, 4),
        (9, 0, 0),
        (99, 0, 3),
    ] {
        let bytes = frame(kind, flags, length);
        assert_eq!(passed(&mut begun(), &bytes, 1), BURST, "{kind}");
        for (tick, more) in [(3, 2 * A_TICK), (1_000_000, BURST)] {
            // One more than it may would end the connection.
            let mut frames = begun();
            for _ in 0..BURST {
                frames.feed(&bytes, 1).unwrap();
            }
            assert_eq!(passed(&mut frames, &bytes, tick), more, "{kind}");
        }
    }
}

#[test]
fn requests_and_their_content_are_free() {
    for (kind, flags, length) in [(1, 5, 40), (0, 0, 2), (0, 1, 0), (0, 0, 16_384)] {
        let (mut frames, bytes) = (begun(), frame(kind, flags, length));
        assert_eq!(passed(&mut frames, &bytes, 1), 100_000, "{kind}");
    }
}

#[test]
fn who_takes_much_may_make_room_for_it() {
    let (mut frames, update) = (begun(), frame(8, 0, 4));
    for _ in 0..100_000 {
        // Two a frame, as those do that wait for nothing.
        frames.wrote(1024);
        frames.feed(&update, 1).unwrap();
        frames.feed(&update, 1).unwrap();
    }
}

#[test]
fn frames_are_found_wherever_they_are_cut() {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    for (kind, length) in [(4, 0), (1, 300), (0, 70_000), (6, 8)] {
        bytes.extend(frame(kind, 0, length));
    }
    for size in [1, 2, 7, 9, 10, 4096, bytes.len()] {
        let mut frames = Frames::new(1);
        for part in bytes.chunks(size) {
            frames.feed(part, 1).unwrap();
        }
        assert_eq!((frames.skip, frames.have, frames.allowance), (0, 0, BURST - 2), "{size}");
    }
}
