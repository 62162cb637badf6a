//! Git LFS: files whose content lies outside the repository. A pointer in the commit names it by hash and size; the
//! batch API of the server says where it is. `.lfsconfig` is not read: the server is always the repository's own.
//!
//! <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>, `docs/api/batch.md`

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;

use super::lfs_server::{Download, LfsServer};
use super::lfs_store::LfsStore;
use super::lfs_tree::{LfsTree, Stored};
use super::libgit::{Asked, LibGit};
use super::opened::{Brought, blocking, disk};
use super::tree::LibGitTree;
use super::{EntryKind, FetchError, Progress, SourceTree, TreeError};

/// What every pointer starts with.
const START: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// Pointers are shorter.
const LONGEST_POINTER: u64 = 1024;
/// Largest `.gitattributes` that is read.
const ATTRIBUTES_LIMIT: u64 = 256 * 1024;
/// Objects asked for at once.
const BATCH: usize = 100;
/// Objects downloaded at once.
const AT_ONCE: usize = 4;

/// What stands in the place of a large file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pointer {
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub oid: String,
    /// Bytes of the content.
    pub size: u64,
}

impl Pointer {
    /// Reads a file that may be a pointer.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes.strip_prefix(START)?).ok()?;
        let (mut oid, mut size) = (None, None);
        for line in text.lines() {
            let (key, value) = line.split_once(' ')?;
            match key {
                "oid" => oid = value.strip_prefix("sha256:"),
                "size" => size = value.parse().ok(),
                // Content that goes through a program of the author's first.
                _ if key.starts_with("ext-") => return None,
                _ => {}
            }
        }
        let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let oid = oid.filter(|oid| oid.len() == 64 && oid.bytes().all(digits))?;
        Some(Self { oid: oid.to_owned(), size: size? })
    }
}

/// The tree with the content of its large files, which is fetched where it is not here yet.
pub(super) async fn with_content(
    git: &LibGit,
    asked: &Asked<'_>,
    brought: &Brought,
    progress: &Progress,
) -> Result<Arc<dyn SourceTree>, FetchError> {
    let plain: Arc<dyn SourceTree> = Arc::clone(&brought.commit.tree);
    if brought.survey.attributes.is_empty() {
        return Ok(plain);
    }
    let (tree, attributes) = (brought.tree.clone(), brought.survey.attributes.clone());
    let pointers = blocking(move || {
        pointers(&tree, &attributes).map_err(|error| FetchError::Failed(error.to_string()))
    })
    .await?;
    if pointers.is_empty() {
        return Ok(plain);
    }
    let mut distinct: HashMap<Pointer, String> = HashMap::new();
    for (path, pointer) in &pointers {
        distinct.entry(pointer.clone()).or_insert_with(|| path.clone());
    }
    // Summed up without overflow: sizes are what strangers wrote.
    let total = distinct.keys().fold(0_u64, |sum, pointer| sum.saturating_add(pointer.size));
    asked.wire.budget.fits(total)?;
    let store = LfsStore::new(brought.large_files.clone());
    let mut missing = missing(git, brought, store.clone(), distinct).await?;
    missing.sort_by(|(_, a), (_, b)| a.cmp(b));
    let megabytes = total as f64 / 1_000_000.0;
    let (all, rest) = (pointers.len(), missing.len());
    progress(format!("Git LFS: {all} files, {megabytes:.1} MB, {rest} to fetch"));
    if !missing.is_empty() {
        fetch(git, asked, &store, &missing).await?;
    }
    let content =
        |pointer: &Pointer| Stored { file: store.path_of(&pointer.oid), size: pointer.size };
    let contents =
        pointers.iter().map(|(path, pointer)| (path.clone(), content(pointer))).collect();
    Ok(Arc::new(LfsTree::new(plain, contents)))
}

/// The large files of a commit. Only where a `.gitattributes` speaks of the filter are the files looked at.
fn pointers(tree: &LibGitTree, attributes: &[String]) -> Result<Vec<(String, Pointer)>, TreeError> {
    let mut used = false;
    for path in attributes {
        let text = match tree.read(path, ATTRIBUTES_LIMIT) {
            Ok(text) => text.unwrap_or_default(),
            Err(TreeError::TooLarge(..)) => continue,
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&text);
        used |= text.lines().any(|line| {
            !line.trim_start().starts_with('#')
                && line.split_ascii_whitespace().any(|word| word == "filter=lfs")
        });
    }
    let mut found = Vec::new();
    if !used {
        return Ok(found);
    }
    tree.walk(&mut |entry, content| {
        let may_be = matches!(entry.kind, EntryKind::File { .. })
            && (START.len() as u64..LONGEST_POINTER).contains(&content.size()?);
        if may_be {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            if let Some(pointer) = Pointer::parse(&bytes) {
                found.push((entry.path.clone(), pointer));
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// What is not in the store. What is not needed may leave it when nobody else reads from this mirror.
async fn missing(
    git: &LibGit,
    brought: &Brought,
    store: LfsStore,
    distinct: HashMap<Pointer, String>,
) -> Result<Vec<(Pointer, String)>, FetchError> {
    let limit = git.limits().received_bytes.saturating_mul(2);
    let alone = brought.alone;
    blocking(move || {
        let missing: Vec<_> = distinct
            .into_iter()
            .filter(|(pointer, _)| !store.has(&pointer.oid, pointer.size))
            .collect();
        if alone {
            let coming = missing.iter().fold(0_u64, |sum, (pointer, _)| sum + pointer.size);
            store.shrink(limit.saturating_sub(coming)).map_err(disk)?;
        }
        Ok(missing)
    })
    .await
}

async fn fetch(
    git: &LibGit,
    asked: &Asked<'_>,
    store: &LfsStore,
    missing: &[(Pointer, String)],
) -> Result<(), FetchError> {
    let named =
        |path: &str, error| FetchError::LargeFile { path: path.to_owned(), error: Box::new(error) };
    let first = missing.first().map_or("", |(_, path)| path);
    if asked.url.pushed_to().is_some() {
        let text =
            "its content cannot be pushed here. Commit the file itself, or connect the repository.";
        return Err(named(first, FetchError::Failed(text.into())));
    }
    let server = LfsServer::find(git.peer(asked)).await.map_err(|error| named(first, error))?;
    for batch in missing.chunks(BATCH) {
        let wanted: Vec<_> = batch.iter().map(|(pointer, _)| pointer.clone()).collect();
        let first = batch.first().map_or("", |(_, path)| path);
        let mut downloads = server.ask(&wanted).await.map_err(|error| named(first, error))?;
        let work = batch.iter().map(|(pointer, path)| {
            let download = downloads.remove(&pointer.oid);
            let server = &server;
            async move {
                let content = bring(server, store, pointer, download).await;
                content.map_err(|error| named(path, error))
            }
        });
        let work: Vec<_> = work.collect();
        stream::iter(work).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    }
    Ok(())
}

async fn bring(
    server: &LfsServer,
    store: &LfsStore,
    pointer: &Pointer,
    download: Option<Result<Download, FetchError>>,
) -> Result<(), FetchError> {
    let nothing = || FetchError::Failed("the server does not say where its content is.".into());
    let begin = (store.clone(), pointer.clone());
    let mut arriving =
        blocking(move || begin.0.receive(&begin.1.oid, begin.1.size).map_err(disk)).await?;
    // The content of no bytes is known.
    if pointer.size > 0 {
        let mut body = server.get(download.ok_or_else(nothing)??).await?;
        while let Some(bytes) = body.next().await? {
            let written = spawn_blocking(move || {
                let written = arriving.write(&bytes);
                (arriving, written)
            });
            let ended = |_| FetchError::Failed("writing ended unexpectedly.".into());
            let (back, written) = written.await.map_err(ended)?;
            written.map_err(|error| broken(&error))?;
            arriving = back;
        }
    }
    let kept = spawn_blocking(move || arriving.keep()).await;
    let kept = kept.map_err(|_| FetchError::Failed("writing ended unexpectedly.".into()))?;
    kept.map_err(|error| broken(&error))
}

fn broken(error: &std::io::Error) -> FetchError {
    match error.kind() {
        std::io::ErrorKind::InvalidData => FetchError::Failed(format!("the server sent {error}.")),
        kind => FetchError::Failed(format!("it could not be stored: {kind}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_told_from_other_files() {
        let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let text = |rest: &str| [START, rest.as_bytes()].concat();
        let pointer = Pointer::parse(&text(&format!("oid sha256:{oid}\nsize 12345\n")));
        assert_eq!(pointer, Some(Pointer { oid: oid.to_owned(), size: 12345 }));
        for rest in [
            String::new(),
            format!("oid sha256:{oid}\n"),
            "oid sha256:abc\nsize 1\n".to_owned(),
            format!("oid sha256:{}\nsize 1\n", oid.to_uppercase()),
            format!("oid sha256:{oid}\nsize -1\n"),
            format!("oid sha256:{oid}\nsize 99999999999999999999999\n"),
            format!("oid sha256:../../../{}\nsize 1\n", &oid[9..]),
            format!("ext-0-x sha256:{oid}\noid sha256:{oid}\nsize 1\n"),
            format!("oid md5:{oid}\nsize 1\n"),
        ] {
            assert_eq!(Pointer::parse(&text(&rest)), None, "{rest}");
        }
        assert_eq!(Pointer::parse(b"version https://other"), None);
    }
}
