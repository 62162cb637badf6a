use super::*;

/// Feeds whole, and byte by byte; both must end the same.
fn follow(input: &[u8]) -> (Framing, Result<(), InvalidChunk>) {
    let mut whole = Framing::default();
    let result = whole.feed(input);
    let mut bytes = Framing::default();
    let slow = input.iter().try_for_each(|byte| bytes.feed(std::slice::from_ref(byte)));
    assert_eq!(result, slow);
    assert_eq!(whole.doubt, bytes.doubt);
    if result.is_ok() {
        assert_eq!(whole.state, bytes.state);
        assert_eq!(whole.heads, bytes.heads);
        assert_eq!(whole.phase(), bytes.phase());
    }
    (whole, result)
}

#[test]
fn requests_are_counted_whatever_their_framing() {
    let (framing, result) = follow(
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\ncontent-Length: 5\r\n\r\n\
          a\r\n\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n\
          0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1\r\n",
    );
    assert_eq!(result, Ok(()));
    assert_eq!(framing.heads, 3);
    assert_eq!(framing.doubt, None);
    assert_eq!(framing.phase(), Phase::Head);
}

#[test]
fn a_doubt_is_about_one_request() {
    for fields in [
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "TRANSFER-ENCODING: chunked\nCONTENT-LENGTH: 3",
    ] {
        let input = format!("GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n{fields}\r\n\r\n");
        let (framing, _) = follow(input.as_bytes());
        assert_eq!(framing.doubt(0), None, "{fields}");
        assert_eq!(framing.doubt(1), Some(Doubt::Length), "{fields}");
        assert_eq!(framing.phase(), Phase::Off, "{fields}");
    }
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(MAX_HEAD));
    assert_eq!(follow(long.as_bytes()).0.doubt(0), Some(Doubt::TooLong));
}

#[test]
fn chunk_sizes_are_plain() {
    for (line, size) in [
        (&b"0"[..], Some(0)),
        (b"1f", Some(31)),
        (b"1F;name=value", Some(31)),
        (b"5 ", None),
        (b" 5", None),
        (b"", None),
        (b";x", None),
        (b"0x5", None),
        (b"-1", None),
        (b"11111111111111111", None),
    ] {
        assert_eq!(chunk_size(line), size);
    }
    let (_, result) =
        follow(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n");
    assert_eq!(result, Err(InvalidChunk));
}

#[test]
fn between_requests_is_not_in_a_head() {
    let mut framing = Framing::default();
    assert_eq!(framing.phase(), Phase::Between);
    framing.feed(b"GE").unwrap();
    assert_eq!(framing.phase(), Phase::Head);
    framing.feed(b"T / HTTP/1.1\r\nContent-Length: 2\r\n\r\n").unwrap();
    assert_eq!(framing.phase(), Phase::Content);
    framing.feed(b"ab").unwrap();
    assert_eq!(framing.phase(), Phase::Between);
}
