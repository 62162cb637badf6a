use crate::logs::LineAssembler;

/// The lines of these chunks, the unfinished one last.
fn lines(chunks: &[&[u8]]) -> Vec<String> {
    let mut assembler = LineAssembler::default();
    let mut lines: Vec<String> = chunks.iter().flat_map(|chunk| assembler.push(chunk)).collect();
    lines.extend(assembler.finish());
    lines
}

#[test]
fn lines_do_not_care_where_chunks_end() {
    let text = "one\r\ntwo\n\nthr\u{e9}\r\n50%\r75%\r100%\r\nlast".as_bytes();
    let expected = ["one", "two", "", "thr\u{e9}", "100%", "last"];
    assert_eq!(lines(&[text]), expected);
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(lines(&bytes), expected);
}

#[test]
fn a_progress_bar_leaves_its_last_state() {
    assert_eq!(lines(&[b"a\rb\r", b"c\n"]), ["c"]);
    assert_eq!(lines(&[b"done\r"]), ["done"]);
    assert_eq!(lines(&[b"\r\r\n"]), [""]);
    assert_eq!(lines(&[b"x\r\r\n"]), ["x"]);
}

#[test]
fn what_is_not_utf_8_is_replaced() {
    assert_eq!(lines(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
}

#[test]
fn a_line_that_never_ends_takes_bounded_memory() {
    let chunk = [b'x'; 4096];
    let mut assembler = LineAssembler::default();
    for _ in 0..1000 {
        assert!(assembler.push(&chunk).is_empty());
    }
    let mut found = assembler.push(b"tail\nnext\n");
    assert_eq!(found.pop().unwrap(), "next");
    assert_eq!(found.pop().unwrap().len(), 64 * 1024);
}
