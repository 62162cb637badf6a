//! The file system a build results in, from its tar onto the disk: regular files only, within limits.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use bytes::{Buf, Bytes};
use tar::{Archive, Entry, EntryType};
use tokio::sync::mpsc;

use crate::git::extract::{ExtractLimits, Extracted};

/// Entries of any kind for each file that is allowed: directories and links count too, so that they end.
const ENTRIES_PER_FILE: usize = 4;

/// Why the files could not be written out.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnpackError {
    #[error("The site has more than {0} files.")]
    TooManyFiles(usize),
    #[error("The site is larger than {} MB.", .0 / 1_000_000)]
    TooLarge(u64),
    #[error("The build made a file that is outside its own file system.")]
    Outside,
    /// The stream ended or is no tar: the build itself knows why.
    #[error("What the build made cannot be read: {}.", .0.kind())]
    Unreadable(io::Error),
    #[error("The site could not be written: {}.", .0.kind())]
    Io(io::Error),
}

/// Bytes after an archive's end; programs fill their last record of 10 KiB, some of them much larger ones.
const MOST_PADDING: u64 = 1024 * 1024;

/// Writes the regular files into `target`, which must not exist yet. Files are 0644; names that start with a dot
/// (but `.well-known` at the top), symbolic links and devices are left out. After an error nothing is left of `target`.
/// Blocks.
pub(super) fn unpack(
    tar: impl Read,
    target: &Path,
    limits: ExtractLimits,
) -> Result<Extracted, UnpackError> {
    make_directory(target)?;
    let written = write_all(tar, target, limits);
    if written.is_err() {
        // The error at hand says more than one of cleaning up.
        let _ = fs::remove_dir_all(target);
    }
    written
}

fn write_all(
    tar: impl Read,
    target: &Path,
    limits: ExtractLimits,
) -> Result<Extracted, UnpackError> {
    let mut archive = Archive::new(tar);
    let mut done = Extracted::default();
    let entries = archive.entries().map_err(UnpackError::Unreadable)?;
    for (number, entry) in entries.enumerate() {
        if number >= limits.files.saturating_mul(ENTRIES_PER_FILE) {
            return Err(UnpackError::TooManyFiles(limits.files));
        }
        write_entry(entry.map_err(UnpackError::Unreadable)?, target, limits, &mut done)?;
    }
    // Whoever sends the padding at the end must not find that nobody takes it.
    let padding = &mut archive.into_inner().take(MOST_PADDING);
    io::copy(padding, &mut io::sink()).map_err(UnpackError::Unreadable)?;
    Ok(done)
}

fn write_entry(
    mut entry: Entry<'_, impl Read>,
    target: &Path,
    limits: ExtractLimits,
    done: &mut Extracted,
) -> Result<(), UnpackError> {
    let path = inside(&entry.path().map_err(UnpackError::Unreadable)?)?;
    let kind = entry.header().entry_type();
    if kind.is_dir() || path.as_os_str().is_empty() {
        return Ok(());
    }
    let file = matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse);
    if is_hidden(&path) || !(file || kind.is_hard_link()) {
        done.skipped += 1;
        return Ok(());
    }
    done.files += 1;
    if done.files > limits.files {
        return Err(UnpackError::TooManyFiles(limits.files));
    }
    let to = target.join(&path);
    if let Some(parent) = to.parent() {
        make_directory(parent)?;
    }
    if kind.is_hard_link() {
        let from = entry.link_name().map_err(UnpackError::Unreadable)?.unwrap_or_default();
        // Everything below `target` was made here: a regular file, or nothing.
        return match fs::hard_link(target.join(inside(&from)?), &to) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                done.files -= 1;
                done.skipped += 1;
                Ok(())
            }
            Err(error) => Err(UnpackError::Io(error)),
        };
    }
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o644).open(&to).map_err(UnpackError::Io)?;
    // Counted as they come: a header can say anything.
    let mut content = (&mut entry).take(limits.bytes - done.bytes + 1);
    done.bytes += copy(&mut content, &mut file)?;
    if done.bytes > limits.bytes {
        return Err(UnpackError::TooLarge(limits.bytes));
    }
    Ok(())
}

/// Copies, and tells which side failed.
fn copy(from: &mut impl Read, to: &mut fs::File) -> Result<u64, UnpackError> {
    let (mut buffer, mut total) = (vec![0; 64 * 1024], 0);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(UnpackError::Unreadable(error)),
        };
        io::Write::write_all(to, &buffer[..read]).map_err(UnpackError::Io)?;
        total += read as u64;
    }
}

/// The path below the target: names only.
fn inside(path: &Path) -> Result<PathBuf, UnpackError> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(UnpackError::Outside),
        }
    }
    Ok(clean)
}

fn is_hidden(path: &Path) -> bool {
    path.components().enumerate().any(|(depth, part)| {
        let name = part.as_os_str().as_encoded_bytes();
        name.starts_with(b".") && !(depth == 0 && name == b".well-known")
    })
}

fn make_directory(path: &Path) -> Result<(), UnpackError> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(UnpackError::Io)
}

/// The bytes of a channel, for code that blocks.
pub(super) struct Received {
    channel: mpsc::Receiver<Bytes>,
    part: Bytes,
}

impl Received {
    /// Reads until the sender is gone.
    pub(super) fn new(channel: mpsc::Receiver<Bytes>) -> Self {
        Self { channel, part: Bytes::new() }
    }
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.part.has_remaining() {
            match self.channel.blocking_recv() {
                Some(part) => self.part = part,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.part.remaining());
        self.part.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ExtractLimits = ExtractLimits { files: 10, bytes: 1000 };

    /// A tar with these entries: (kind, path as it stands in the header, content or target of a link).
    fn tar(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, path, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o777);
            // Written by hand, because the library refuses hostile names.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            let link = kind.is_hard_link() || kind.is_symlink();
            if link {
                let name = &mut header.as_gnu_mut().unwrap().linkname;
                name[..content.len()].copy_from_slice(content.as_bytes());
            }
            let content = if link { "" } else { content };
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn unpacked(
        tar: &[u8],
        limits: ExtractLimits,
    ) -> (tempfile::TempDir, Result<Extracted, UnpackError>) {
        let root = tempfile::tempdir().unwrap();
        let result = unpack(tar, &root.path().join("site"), limits);
        (root, result)
    }

    #[test]
    fn regular_files_are_written_and_nothing_else() {
        use EntryType::{Block, Directory, Fifo, Link, Regular, Symlink};
        let tar = tar(&[
            (Directory, "assets/", ""),
            (Regular, "./index.html", "<p>"),
            (Regular, "/assets/a.js", "js"),
            (Link, "assets/b.js", "assets/a.js"),
            (Link, "assets/c.js", "etc/passwd"),
            (Symlink, "link", "/etc/passwd"),
            (Regular, ".env", "secret"),
            (Regular, ".well-known/x", "ok"),
            (Block, "disk", ""),
            (Fifo, "pipe", ""),
        ]);
        let (root, result) = unpacked(&tar, LIMITS);
        assert_eq!(result.unwrap(), Extracted { files: 4, bytes: 7, skipped: 5 });
        let read = |path: &str| fs::read_to_string(root.path().join("site").join(path));
        assert_eq!(read("assets/b.js").unwrap(), "js");
        assert_eq!(read(".well-known/x").unwrap(), "ok");
        for absent in ["link", ".env", "disk", "pipe", "assets/c.js"] {
            assert!(fs::symlink_metadata(root.path().join("site").join(absent)).is_err());
        }
    }

    #[test]
    fn nothing_goes_out_through_a_link_or_a_name() {
        use EntryType::{Link, Regular, Symlink};
        let outside = [
            &[(Regular, "../out", "x")][..],
            &[(Regular, "a/../../out", "x")],
            &[(Regular, "a", "x"), (Link, "b", "../../etc/passwd")],
        ];
        for entries in outside {
            let (root, result) = unpacked(&tar(entries), LIMITS);
            assert!(matches!(result, Err(UnpackError::Outside)), "{result:?}");
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left");
        }
        // The link is not made, so what lies behind it is a directory of the site.
        let (root, result) =
            unpacked(&tar(&[(Symlink, "d", "/tmp"), (Regular, "d/f", "x")]), LIMITS);
        assert_eq!(result.unwrap().files, 1);
        assert!(root.path().join("site/d/f").is_file());
    }

    #[test]
    fn limits_leave_nothing_behind() {
        use EntryType::{Directory, Regular};
        let two = tar(&[(Regular, "a", "12345"), (Regular, "b", "12345")]);
        let (root, few) = unpacked(&two, ExtractLimits { files: 1, ..LIMITS });
        assert!(matches!(few, Err(UnpackError::TooManyFiles(1))));
        let (_, small) = unpacked(&two, ExtractLimits { bytes: 9, ..LIMITS });
        assert!(matches!(small, Err(UnpackError::TooLarge(9))));
        let (_, cut) = unpacked(&two[..700], LIMITS);
        assert!(matches!(cut, Err(UnpackError::Unreadable(_))), "{cut:?}");
        let directories: Vec<_> = (0..9).map(|_| (Directory, "d/", "")).collect();
        let (_, many) = unpacked(&tar(&directories), ExtractLimits { files: 2, ..LIMITS });
        assert!(matches!(many, Err(UnpackError::TooManyFiles(2))));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
