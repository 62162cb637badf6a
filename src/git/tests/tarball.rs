//! Archives nobody should send, and some that everybody does.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::git::SourceTree;

/// A header of any kind, byte for byte.
fn header(name: &[u8], kind: u8, size: u64, link: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    let raw = header.as_mut_bytes();
    raw[..name.len()].copy_from_slice(name);
    raw[156] = kind;
    raw[157..157 + link.len()].copy_from_slice(link);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn entry(name: &str, kind: u8, content: &[u8], link: &str) -> Vec<u8> {
    let mut bytes = header(name.as_bytes(), kind, content.len() as u64, link.as_bytes());
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str) -> Vec<u8> {
    entry(name, b'0', name.as_bytes(), "")
}

fn pax(kind: u8, pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut records = Vec::new();
    for (key, value) in pairs {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while length.to_string().len() + rest.len() != length {
            length += 1;
        }
        write!(records, "{length}{rest}").unwrap();
    }
    entry("pax", kind, &records, "")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

fn read_bytes(bytes: &[u8]) -> Result<usize, TarballError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    check(file.path(), &|| false)
}

fn opened(bytes: &[u8]) -> TarballTree {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    open(file.path(), tempfile::tempfile().unwrap(), &|| false).unwrap()
}

#[track_caller]
fn refused(bytes: &[u8]) -> (&'static str, String) {
    match read_bytes(bytes) {
        Err(TarballError::Refused { code, message }) => (code, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn hostile_archives_are_refused_by_name() {
    let deep = vec!["d"; 70].join("/");
    let long_name = "n".repeat(99);
    for (entries, code, told) in [
        (vec![file("../x")], "unsafe", "../x"),
        (vec![file("a/../../x")], "unsafe", "`..`"),
        (vec![file("a/./x")], "unsafe", "a/./x"),
        (vec![file("a//x")], "unsafe", "a//x"),
        (vec![file("/etc/passwd")], "unsafe", "absolute"),
        (vec![file("a\\..\\b")], "unsafe", "backslash"),
        (vec![file("a\nb")], "unsafe", "a\u{fffd}b"),
        (vec![file("\u{202e}txt"), file("../x")], "unsafe", "../x"),
        (vec![file(".git/config")], "unsafe", ".git"),
        (vec![file("sub/.GIT/hooks/x")], "unsafe", ".git"),
        (vec![file("git~1/x")], "unsafe", ".git"),
        (vec![file(".g\u{200c}it/x")], "unsafe", ".git"),
        (vec![entry("l", b'2', b"", "/etc/passwd")], "unsafe", "absolute"),
        (vec![entry("l", b'2', b"", "../x")], "unsafe", "leads out"),
        (vec![entry("a/l", b'2', b"", "../../x")], "unsafe", "leads out"),
        (vec![entry("a/b/l", b'2', b"", "x/..")], "unsafe", "leads out"),
        (vec![entry("l", b'2', b"", ".git/config")], "unsafe", "link to `.git`"),
        (vec![entry("l", b'2', b"", "")], "too_long", "empty"),
        (vec![entry("d", b'2', b"", "x"), file("d/f")], "unsafe", "below something"),
        (vec![file("d"), file("d/f")], "unsafe", "below something"),
        (vec![entry("h", b'1', b"", "/etc/passwd")], "unsafe", "/etc/passwd"),
        (vec![entry("h", b'1', b"", "../x")], "unsafe", "../x"),
        (vec![entry("h", b'1', b"", "later"), file("later")], "unsafe", "hard link"),
        (vec![entry("n", b'3', b"", "")], "unsafe", "device"),
        (vec![entry("n", b'4', b"", "")], "unsafe", "device"),
        (vec![entry("n", b'6', b"", "")], "unsafe", "pipe"),
        (vec![entry("s", b'S', b"", "")], "format", "sparse"),
        (vec![entry("s", b'V', b"", "")], "format", "kind"),
        (vec![file("a"), file("a")], "duplicate", "`a`"),
        (vec![file("a"), file("./a")], "duplicate", "`a`"),
        (vec![file("a"), entry("a", b'5', b"", "")], "duplicate", "`a`"),
        (vec![entry("d", b'5', b"content", "")], "format", "has content"),
        (vec![entry("l", b'2', b"content", "x")], "format", "has content"),
        (vec![pax(b'x', &[("path", "../x")]), file("fine")], "unsafe", "../x"),
        (vec![pax(b'x', &[("path", &deep)]), file("fine")], "too_long", "64 directories"),
        (vec![pax(b'x', &[("path", &"n".repeat(300))]), file("fine")], "too_long", "255 bytes"),
        (vec![pax(b'x', &[("path", &"n/".repeat(600))]), file("fine")], "too_long", "1,024 bytes"),
        (vec![pax(b'x', &[("size", "9")]), file("fine")], "format", "two sizes"),
        (vec![pax(b'x', &[("GNU.sparse.major", "1")]), file("fine")], "format", "sparse"),
        (vec![pax(b'g', &[("path", "x")]), file("fine")], "format", "all files"),
        (vec![entry("x", b'x', b"99 path=x\n", ""), file("fine")], "format", "cannot be read"),
        (vec![entry("x", b'L', &[b'a'; 70_000], ""), file("fine")], "too_long", "64 KiB"),
        (vec![entry("x", b'L', b"../../x\0", ""), file("fine")], "unsafe", "../../x"),
        (vec![entry("x", b'K', b"/etc\0", ""), entry("l", b'2', b"", "x")], "unsafe", "absolute"),
        (vec![header(&[b'a', 0xff], b'0', 0, b"")], "format", "UTF-8"),
        (vec![entry("./", b'0', b"x", "")], "format", "has content"),
        (vec![], "too_short", "nothing in"),
        (vec![entry("./", b'5', b"", "")], "too_short", "nothing in"),
        (vec![header(long_name.as_bytes(), b'0', 1 << 33, b"")], "out_of_range", "2 GiB"),
    ] {
        let (was, message) = refused(&gzip(&tar(&entries)));
        assert_eq!(was, code, "{message}");
        assert!(message.contains(told), "{message:?} does not say {told:?}");
        assert!(message.len() < 600 && !message.chars().any(char::is_control), "{message:?}");
    }
}

#[test]
fn what_is_no_whole_archive_is_refused() {
    let good = tar(&[file("a"), file("b")]);
    let packed = gzip(&good);
    let mut wrong = good.clone();
    wrong[0] = b'z';
    let mut behind = good.clone();
    behind.extend_from_slice(&tar(&[file("hidden")]));
    let mut damaged = packed.clone();
    let end = damaged.len() - 6;
    damaged[end] ^= 1;
    for bytes in [
        vec![],
        b"PK\x03\x04".to_vec(),
        b"not an archive".to_vec(),
        good.clone(),
        gzip(b""),
        gzip(b"not a tar"),
        gzip(&wrong),
        gzip(&behind),
        gzip(&good[..700]),
        gzip(&good[..520]),
        packed[..packed.len() / 2].to_vec(),
        packed[..packed.len() - 1].to_vec(),
        damaged,
        [packed.clone(), b"more".to_vec()].concat(),
    ] {
        let (code, message) = refused(&bytes);
        assert!(matches!(code, "format" | "too_short"), "{code} {message}");
    }
    assert_eq!(read_bytes(&packed).unwrap(), 2);
    // Two members of gzip are one stream.
    let halves = [gzip(&good[..900]), gzip(&good[900..])].concat();
    assert_eq!(read_bytes(&halves).unwrap(), 2);
}

#[test]
fn bombs_are_refused_before_they_are_large() {
    // 300 MiB of zeros in about 300 KB.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let size = 300 * 1024 * 1024;
    encoder.write_all(&header(b"zeros", b'0', size, b"")).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..300).for_each(|_| encoder.write_all(&zeros).unwrap());
    let (code, message) = refused(&encoder.finish().unwrap());
    assert_eq!(code, "out_of_range");
    assert!(message.contains("200 times"), "{message}");

    // A large file that is linked to again and again.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    let size = 1 << 20;
    encoder.write_all(&header(b"large", b'0', size, b"")).unwrap();
    encoder.write_all(&zeros).unwrap();
    for number in 0..2048 {
        encoder.write_all(&header(format!("l{number}").as_bytes(), b'1', 0, b"large")).unwrap();
    }
    let (code, message) = refused(&encoder.finish().unwrap());
    assert_eq!((code, message.as_str()), ("out_of_range", "Its files have more than 2 GiB."));

    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for number in 0..=MOST_ENTRIES {
        encoder.write_all(&header(format!("f{number}").as_bytes(), b'0', 0, b"")).unwrap();
    }
    let (code, message) = refused(&encoder.finish().unwrap());
    assert_eq!(code, "out_of_range");
    assert!(message.contains("100,000"), "{message}");
}

#[test]
fn reading_ends_when_it_is_asked_to() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&gzip(&tar(&[self::file("a")]))).unwrap();
    assert!(matches!(check(file.path(), &|| true), Err(TarballError::Stopped)));
}

#[test]
fn an_archive_is_a_tree() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let tree = opened(&gzip(&tar(&[
        pax(b'g', &[("comment", "0123")]),
        entry("./", b'5', b"", ""),
        entry("./src/", b'5', b"", ""),
        file("./src/b.py"),
        file("src-a/x"),
        entry("src/link", b'2', b"", "../src-a/x"),
        entry("hard", b'1', b"", "src/b.py"),
        entry("old/", b'0', b"", ""),
        pax(b'x', &[("path", &long), ("mtime", "1.5")]),
        file("short"),
        entry("x", b'L', b"gnu/name\0", ""),
        file("cut"),
        file("README"),
        file("readme"),
        entry("src/", b'5', b"", ""),
    ])));
    let names = |directory: &str| -> Vec<String> {
        tree.list(directory).unwrap().into_iter().map(|entry| entry.path).collect()
    };
    let top = "d".repeat(120);
    assert_eq!(names(""), ["README", &top, "gnu", "hard", "old", "readme", "src", "src-a"]);
    assert_eq!(names("src"), ["src/b.py", "src/link"]);
    assert_eq!(tree.read("src/b.py", 100).unwrap().unwrap(), b"./src/b.py");
    assert_eq!(tree.read("hard", 100).unwrap().unwrap(), b"./src/b.py");
    assert_eq!(tree.read("gnu/name", 100).unwrap().unwrap(), b"cut");
    assert_eq!(tree.read(&long, 100).unwrap().unwrap(), b"short");
    for path in ["src/link", "src", "none", "../etc/passwd", "/etc/passwd", "src/../hard", "src/"] {
        assert_eq!(tree.read(path, 100).unwrap(), None, "{path}");
    }
    assert!(matches!(tree.read("hard", 3), Err(crate::git::TreeError::TooLarge(_, 3))));
    assert!(tree.list("none").is_err() && tree.list("hard").is_err());
    assert_eq!(tree.kind("src").unwrap(), Some(EntryKind::Directory));
    assert_eq!(tree.kind("src/link").unwrap(), Some(EntryKind::Symlink));
    let walked = |tree: &dyn SourceTree| {
        let mut seen = Vec::new();
        tree.walk(&mut |entry, content| {
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            seen.push(format!("{}={text}", entry.path));
            Ok(())
        })
        .unwrap();
        seen
    };
    let all = walked(&tree);
    let at = |line: &str| all.iter().position(|seen| seen == line).expect(line);
    assert!(at("src=") < at("src/b.py=./src/b.py") && at("src/link=../src-a/x") < at("src-a="));
    let below = tree.subtree("src").unwrap();
    assert_eq!(walked(below.as_ref()), ["b.py=./src/b.py", "link=../src-a/x"]);
    assert_eq!(below.read("b.py", 100).unwrap().unwrap(), b"./src/b.py");
    assert!(below.subtree("link").is_err() && tree.subtree("none").is_err());
}
