//! Archives as people send them, and ones nobody should.

use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

/// A gzipped tar of these files.
pub fn of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, content) in files {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// A gzipped tar of a folder of `examples`, as `tar -cz .` writes it.
pub fn of_example(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    archive.append_dir_all(".", folder).unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}

/// A gzipped tar with one entry whose name and kind no good program writes.
pub fn hostile(name: &str, kind: EntryType, link: &str) -> Vec<u8> {
    let mut header = Header::new_gnu();
    let raw = header.as_mut_bytes();
    raw[..name.len()].copy_from_slice(name.as_bytes());
    raw[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    header.set_cksum();
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    archive.append(&header, std::io::empty()).unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}

/// A gzipped tar with one file of this many zeros.
pub fn zeros(size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(size);
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let content = std::io::Read::take(std::io::repeat(0), size);
    archive.append_data(&mut header, "zeros", content).unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}
