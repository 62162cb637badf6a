//! Compressed siblings of a site's files, made once when it is published: the proxy sends what a client takes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::model::site_rules::is_compressible;

/// Smaller files gain nothing, larger ones cost too much memory.
const SMALLEST: u64 = 1024;
const LARGEST: u64 = 32 * 1024 * 1024;
/// After this long the rest is compressed with the fastest settings: a deployment must not wait for a few percent.
const THOROUGH: Duration = Duration::from_millis(700);
/// After this long the rest stays as it is.
const LONGEST: Duration = Duration::from_secs(10);

/// What was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Precompressed {
    /// Files that have siblings now.
    pub files: usize,
    /// Files that were left out because it took too long.
    pub left: usize,
}

/// Makes `.br`, `.zst` and `.gz` beside every file that shrinks by a tenth, where the site has none of its own. Blocks.
///
/// # Errors
/// A file cannot be read or written.
pub fn precompress(root: &Path) -> io::Result<Precompressed> {
    let (begun, mut done) = (Instant::now(), Precompressed::default());
    let mut files = compressible(root)?;
    // The smallest first: of them there are most, and a page waits for them.
    files.sort_by_key(|(_, size)| *size);
    for (path, _) in files {
        if begun.elapsed() > LONGEST {
            done.left += 1;
            continue;
        }
        let fast = begun.elapsed() > THOROUGH;
        let content = fs::read(&path)?;
        let made = [
            sibling(&path, "br", &content, |content| brotli(content, if fast { 2 } else { 9 }))?,
            sibling(&path, "zst", &content, |content| {
                zstd::encode_all(content, if fast { 3 } else { 12 })
            })?,
            sibling(&path, "gz", &content, |content| gzip(content, if fast { 1 } else { 7 }))?,
        ];
        done.files += usize::from(made.contains(&true));
    }
    Ok(done)
}

/// Files worth compressing, with their sizes.
fn compressible(root: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let (path, metadata) = (entry.path(), entry.metadata()?);
            if metadata.is_dir() {
                directories.push(path);
            } else if metadata.is_file()
                && (SMALLEST..=LARGEST).contains(&metadata.len())
                && path.file_name().and_then(|name| name.to_str()).is_some_and(is_compressible)
            {
                found.push((path, metadata.len()));
            }
        }
    }
    Ok(found)
}

fn sibling(
    path: &Path,
    suffix: &str,
    content: &[u8],
    compress: impl FnOnce(&[u8]) -> io::Result<Vec<u8>>,
) -> io::Result<bool> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    if Path::new(&name).exists() {
        return Ok(false);
    }
    let compressed = compress(content)?;
    if compressed.len() > content.len() / 10 * 9 {
        return Ok(false);
    }
    let mut file = File::options().write(true).create_new(true).mode(0o644).open(&name)?;
    file.write_all(&compressed)?;
    Ok(true)
}

fn brotli(content: &[u8], quality: i32) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let params = brotli::enc::BrotliEncoderParams { quality, ..Default::default() };
    brotli::BrotliCompress(&mut &*content, &mut compressed, &params)?;
    Ok(compressed)
}

fn gzip(content: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(content)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shrinks_has_siblings_that_unpack_to_it() {
        let root = tempfile::tempdir().unwrap();
        let text = "the same again and again ".repeat(400);
        let noise: Vec<u8> =
            (0..20_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        fs::create_dir(root.path().join("a")).unwrap();
        for (name, content) in [
            ("a/page.html", text.as_bytes()),
            ("own.css", text.as_bytes()),
            ("own.css.gz", b"mine"),
            ("small.js", b"x"),
            ("picture.png", text.as_bytes()),
            ("noise.txt", &noise),
        ] {
            fs::write(root.path().join(name), content).unwrap();
        }
        let done = precompress(root.path()).unwrap();
        assert_eq!(done, Precompressed { files: 2, left: 0 });
        let read = |name: &str| fs::read(root.path().join(name)).unwrap();
        assert_eq!(zstd::decode_all(&*read("a/page.html.zst")).unwrap(), text.as_bytes());
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &*read("a/page.html.br"), &mut unpacked).unwrap();
        assert_eq!(unpacked, text.as_bytes());
        let mut unpacked = String::new();
        let gz = read("a/page.html.gz");
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*gz), &mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        assert_eq!(read("own.css.gz"), b"mine");
        assert!(root.path().join("own.css.br").exists());
        for name in ["small.js.br", "picture.png.br", "noise.txt.br"] {
            assert!(!root.path().join(name).exists(), "{name}");
        }
    }
}
