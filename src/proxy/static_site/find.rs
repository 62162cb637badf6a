//! Which file answers a path. Blocking; runs outside the proxy's threads.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use bytes::Bytes;
use http::StatusCode;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::file_body::FileBody;
use super::path::SitePath;
use crate::model::site_rules::is_compressible;
use crate::proxy::body::Body;
use crate::routing::table::StaticSite;

/// Files up to this length are read at once, in bytes.
const SMALL: u64 = 64 * 1024;

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The names below the root.
    pub path: SitePath,
    /// A brotli-compressed sibling will do.
    pub brotli: bool,
    /// One compressed with Zstandard will do.
    pub zstd: bool,
    /// A gzip-compressed sibling will do.
    pub gzip: bool,
    /// The content is wanted, not only what describes it.
    pub read: bool,
}

/// What answers.
#[derive(Debug)]
pub enum Found {
    /// A file.
    File(Opened),
    /// A directory with a page, asked for without its slash.
    Directory,
    /// Nothing of this name.
    Nothing,
}

/// A file that may be served.
#[derive(Debug)]
pub struct Opened {
    /// The name of the directory it is in; empty for the root.
    pub directory: String,
    /// Its name, without the suffix of an encoding.
    pub name: String,
    /// `br`, `zstd` or `gzip` when a compressed sibling was opened instead.
    pub encoding: Option<&'static str>,
    /// Another request might get another encoding.
    pub varies: bool,
    /// In bytes.
    pub length: u64,
    /// When the file came to be what it is, here. Not the modification time: that one is copied
    /// from archives, where it is often the same for every version of a file.
    pub changed: SystemTime,
    /// What is in it.
    pub content: Content,
}

/// A file's content.
#[derive(Debug)]
pub enum Content {
    /// Already read, or not wanted.
    Read(Bytes),
    /// To be read while it is sent.
    Open(File),
}

impl Content {
    /// A part of the content as a body.
    pub fn part(self, first: u64, length: u64) -> Body {
        match self {
            Self::Read(bytes) => {
                let first = usize::try_from(first).unwrap_or(usize::MAX).min(bytes.len());
                let rest = bytes.slice(first..);
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                Body::full(rest.slice(..length.min(rest.len())))
            }
            Self::Open(file) => Body::file(FileBody::new(file, first, length)),
        }
    }
}

/// Finds the file that answers. A page may be asked for without its `.html`.
pub fn find(site: &StaticSite, wanted: &Wanted) -> Found {
    let Some(root) = open_root(site) else { return Found::Nothing };
    let segments = &wanted.path.segments;
    let inside = |name: &str| -> Vec<String> {
        let mut path = segments.clone();
        path.push(name.to_owned());
        path
    };
    if wanted.path.directory {
        if let Some(opened) = open(&root, &inside("index.html"), wanted) {
            return Found::File(opened);
        }
    } else {
        if let Some(opened) = open(&root, segments, wanted) {
            return Found::File(opened);
        }
        if open(&root, &inside("index.html"), wanted).is_some() {
            return Found::Directory;
        }
        let mut page = segments.clone();
        if let Some(name) = page.last_mut() {
            name.push_str(".html");
        }
        if let Some(opened) = open(&root, &page, wanted) {
            return Found::File(opened);
        }
    }
    Found::Nothing
}

/// What answers for a path without a file: the page of an application that routes in the browser, with status 200, or
/// the site's own page for what does not exist, with 404.
pub fn instead(site: &StaticSite, wanted: &Wanted) -> Option<(Opened, StatusCode)> {
    let root = open_root(site)?;
    let top = |name: &str| open(&root, &[name.to_owned()], wanted);
    let is_page = wanted.path.segments.last().is_none_or(|name| !name.contains('.'));
    // A build that makes both has pages of its own beside the one that routes.
    if site.single_page
        && is_page
        && let Some(opened) = top("200.html").or_else(|| top("index.html"))
    {
        return Some((opened, StatusCode::OK));
    }
    Some((top("404.html")?, StatusCode::NOT_FOUND))
}

fn open_root(site: &StaticSite) -> Option<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    openat(CWD, &site.root, flags, Mode::empty()).ok()
}

/// Opens a file or, when there is one and it will do, its compressed sibling.
fn open(root: &OwnedFd, path: &[String], wanted: &Wanted) -> Option<Opened> {
    let (name, directories) = path.split_last()?;
    let mut directory: Option<OwnedFd> = None;
    for name in directories {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let from = directory.as_ref().unwrap_or(root);
        directory = Some(openat(from, name.as_str(), flags, Mode::empty()).ok()?);
    }
    let directory = directory.as_ref().unwrap_or(root);
    let plain = open_file(directory, name)?;
    let varies = is_compressible(name);
    let siblings =
        [("br", "br", wanted.brotli), ("zst", "zstd", wanted.zstd), ("gz", "gzip", wanted.gzip)];
    let sibling = siblings.into_iter().filter(|(_, _, accepted)| varies && *accepted).find_map(
        |(suffix, encoding, _)| {
            let file = open_file(directory, &format!("{name}.{suffix}"))?;
            Some((file, Some(encoding)))
        },
    );
    let (file, encoding) = sibling.unwrap_or((plain, None));
    describe(file, encoding, path, varies, wanted.read).ok()
}

fn describe(
    mut file: File,
    encoding: Option<&'static str>,
    path: &[String],
    varies: bool,
    read: bool,
) -> io::Result<Opened> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = file.metadata()?;
    let length = metadata.len();
    let content = if !read {
        Content::Read(Bytes::new())
    } else if length <= SMALL {
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        (&mut file).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Content::Read(bytes.into())
    } else {
        Content::Open(file)
    };
    let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or(0);
    let from_end = |back: usize| path.len().checked_sub(back).and_then(|at| path.get(at));
    Ok(Opened {
        directory: from_end(2).cloned().unwrap_or_default(),
        name: from_end(1).cloned().unwrap_or_default(),
        encoding,
        varies,
        length,
        changed: SystemTime::UNIX_EPOCH + std::time::Duration::new(seconds, nanoseconds),
        content,
    })
}

/// Opens a regular file; a link is not followed, and a pipe is not waited for.
fn open_file(directory: &OwnedFd, name: &str) -> Option<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::RDONLY;
    let file = File::from(openat(directory, name, flags, Mode::empty()).ok()?);
    file.metadata().ok()?.is_file().then_some(file)
}
