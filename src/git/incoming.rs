//! A pack on its way into a pushed repository: indexed beside it, looked through, moved in.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::object_store::{Kind, ObjectStore, PackPart};
use super::objects::{Mode, ObjectId, commit_links, entries, is_forbidden_name, tag_target};
use super::pushed::PackRefused;

/// Largest commit, tag or directory in bytes; they are read in memory.
const LARGEST_OBJECT: u64 = 32 * 1024 * 1024;

/// Where a pack is until it was looked through.
const INCOMING: &str = "incoming";

/// Removes what a push left behind that was cut off.
pub(super) fn clean(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path.join(INCOMING)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for entry in fs::read_dir(path.join("objects/pack"))? {
        let path = entry?.path();
        // A pack that was moved without its index.
        if !path.with_extension("idx").exists() {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Indexes a pack beside the repository, looks through it and moves it in.
pub(super) fn ingest(
    path: &Path,
    parts: mpsc::Receiver<PackPart>,
    stop: CancellationToken,
) -> Result<(), PackRefused> {
    let incoming = path.join(INCOMING);
    clean(path)?;
    fs::DirBuilder::new().mode(0o700).recursive(true).create(incoming.join("pack"))?;
    let store = ObjectStore::beside(&path.join("objects"), &incoming)?;
    store.index(parts, Arc::new(|_| ()), stop)?;
    let mut packs: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(incoming.join("pack"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "idx") {
            packs.push(path);
        }
    }
    for index in &packs {
        for id in names(&fs::read(index)?).ok_or_else(|| broken("its index is cut off"))? {
            check(&store, id)?;
        }
    }
    drop(store);
    let kept = path.join("objects/pack");
    for index in packs {
        // First what the index names.
        for file in [index.with_extension("pack"), index] {
            fs::File::open(&file)?.sync_all()?;
            let name = file.file_name().unwrap_or_default().to_owned();
            fs::rename(&file, kept.join(name))?;
        }
    }
    fs::File::open(&kept)?.sync_all()?;
    fs::remove_dir_all(incoming)?;
    Ok(())
}

/// The names of the objects in a pack, from its index of version 2
/// (<https://git-scm.com/docs/gitformat-pack>).
pub(super) fn names(index: &[u8]) -> Option<Vec<ObjectId>> {
    const FANOUT: usize = 8 + 256 * 4;
    let last = index.get(FANOUT - 4..FANOUT)?;
    let count = usize::try_from(u32::from_be_bytes(last.try_into().ok()?)).ok()?;
    let names = index.get(FANOUT..FANOUT + count.checked_mul(20)?)?;
    names.chunks_exact(20).map(|name| Some(ObjectId(name.try_into().ok()?))).collect()
}

/// Checks that an object is what it should be, and that what it names is here.
fn check(store: &ObjectStore, id: ObjectId) -> Result<(), PackRefused> {
    let (kind, size) = store.header(id)?;
    if kind == Kind::Blob {
        return Ok(());
    }
    if size > LARGEST_OBJECT {
        return Err(broken(&format!("{id} is too large for what it is")));
    }
    let missing = |what: ObjectId| broken(&format!("{id} names {what}, which is missing"));
    let needs = |what: ObjectId| if store.contains(what) { Ok(()) } else { Err(missing(what)) };
    let object = store.read(id, kind)?;
    match kind {
        Kind::Commit => {
            let links = commit_links(object.data())
                .ok_or_else(|| broken(&format!("the commit {id} does not parse")))?;
            needs(links.tree)?;
            links.parents.into_iter().try_for_each(needs)
        }
        Kind::Tag => tag_target(object.data())
            .ok_or_else(|| broken(&format!("the tag {id} does not parse")))
            .and_then(needs),
        Kind::Tree => entries(object.data()).try_for_each(|entry| {
            let entry =
                entry.map_err(|()| broken(&format!("the directory {id} does not parse")))?;
            if is_forbidden_name(entry.name) {
                let name = String::from_utf8_lossy(entry.name).into_owned();
                return Err(broken(&format!("a file may not be named `{name}`")));
            }
            if entry.mode == Mode::Submodule { Ok(()) } else { needs(entry.id) }
        }),
        Kind::Blob => Ok(()),
    }
}

fn broken(what: &str) -> PackRefused {
    PackRefused::Broken(what.to_owned())
}
