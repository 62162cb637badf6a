//! A kept bare repository on disk: its files, written so that a crash leaves either the old state or the new one.
//!
//! The layout is Git's own (`git log` works in it), but only Orbitra's few files are used: `packed-refs` lists the tips
//! of the fetched branches, newest first, and `shallow` those of them whose history was not fetched.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::objects::ObjectId;
use super::pack::ShallowUpdate;

/// Tips that are remembered and offered to the server as what is here already.
const MOST_TIPS: usize = 32;
/// Packs after which a mirror is made anew: every fetch adds one, and each makes finding an object slower.
const MOST_PACKS: usize = 64;

/// A mirror's directory, opened and cleaned of leftovers.
pub(super) struct Mirror {
    path: PathBuf,
}

/// A branch or tag as it was last fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tip {
    pub name: String,
    pub id: ObjectId,
}

impl Mirror {
    /// Opens the mirror of `url` at `path`, or makes it. One of another address, or one that was found damaged, is
    /// thrown away first. The caller holds the mirror's lock.
    pub fn open(path: &Path, url: &str, may_renew: bool) -> io::Result<Self> {
        let mirror = Self { path: path.to_owned() };
        for leftover in ["old", "new"] {
            remove_directory(&path.with_extension(leftover))?;
        }
        let config = config_text(url);
        let sound = fs::read(path.join("config")).is_ok_and(|text| text == config.as_bytes())
            && path.join("objects/pack").is_dir()
            && !path.join(DAMAGED).exists();
        if !sound {
            mirror.discard()?;
        }
        mirror.clean()?;
        if sound && may_renew && mirror.packs()? > MOST_PACKS {
            mirror.discard()?;
        }
        if !path.exists() {
            mirror.make(&config)?;
        }
        Ok(mirror)
    }

    /// A repository that is kept as it is, whatever is found in it.
    pub fn kept(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where the objects are.
    pub fn objects(&self) -> PathBuf {
        self.path.join("objects")
    }

    /// Where the content of Git LFS files of this repository is kept.
    pub fn large_files(&self) -> PathBuf {
        self.path.with_extension("lfs")
    }

    /// Where a reader leaves word that objects are damaged.
    pub fn damage_marker(&self) -> PathBuf {
        self.path.join(DAMAGED)
    }

    /// Throws the mirror away.
    pub fn discard(&self) -> io::Result<()> {
        let old = self.path.with_extension("old");
        remove_directory(&old)?;
        match fs::rename(&self.path, &old) {
            Ok(()) => remove_directory(&old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn make(&self, config: &str) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut directory = fs::DirBuilder::new();
        directory.mode(0o700).recursive(true);
        for part in ["objects/pack", "objects/info", "refs/heads", "refs/tags"] {
            directory.create(new.join(part))?;
        }
        write_file(&new.join("HEAD"), b"ref: refs/heads/main\n")?;
        write_file(&new.join("config"), config.as_bytes())?;
        fs::rename(&new, &self.path)
    }

    /// Removes what a fetch that was killed left behind: temporary files, packs without index, half-written lists.
    fn clean(&self) -> io::Result<()> {
        let packs = match fs::read_dir(self.path.join("objects/pack")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in packs {
            let path = entry?.path();
            let whole = path.extension().is_some_and(|e| e == "pack" || e == "idx")
                && path.with_extension("pack").exists()
                && path.with_extension("idx").exists();
            if !whole {
                fs::remove_file(&path)?;
            }
        }
        for file in ["packed-refs", "shallow", "HEAD"] {
            for suffix in ["tmp", "lock"] {
                ignore_missing(fs::remove_file(self.path.join(format!("{file}.{suffix}"))))?;
            }
        }
        Ok(())
    }

    fn packs(&self) -> io::Result<usize> {
        let entries = fs::read_dir(self.path.join("objects/pack"))?;
        Ok(entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|e| e == "pack"))
            .count())
    }

    /// The tips of what was fetched, newest first.
    pub fn tips(&self) -> Vec<Tip> {
        self.lines("packed-refs")
            .filter_map(|line| {
                let (id, name) = line.split_once(' ')?;
                Some(Tip { name: name.to_owned(), id: ObjectId::parse(id)? })
            })
            .collect()
    }

    /// Commits without their parents.
    pub fn shallow(&self) -> Vec<ObjectId> {
        self.lines("shallow").filter_map(|line| ObjectId::parse(&line)).collect()
    }

    /// The branch that was the remote's default one when it was last asked.
    pub fn default_branch(&self) -> Option<String> {
        let head = self.lines("HEAD").next()?;
        head.strip_prefix("ref: refs/heads/").map(str::to_owned)
    }

    fn lines(&self, file: &str) -> impl Iterator<Item = String> + use<> {
        let text = fs::read_to_string(self.path.join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
    }

    /// Remembers a fetched tip; `default` is the remote's default branch.
    pub fn record(
        &self,
        tip: Tip,
        update: &ShallowUpdate,
        default: Option<&str>,
    ) -> io::Result<()> {
        let mut tips = vec![tip.clone()];
        tips.extend(self.tips().into_iter().filter(|known| known.name != tip.name));
        tips.truncate(MOST_TIPS);
        let mut shallow = self.shallow();
        shallow.retain(|id| !update.unshallow.contains(id));
        shallow.extend(&update.shallow);
        // History ends only at tips, so an entry that is no tip any more says nothing.
        shallow.retain(|id| tips.iter().any(|tip| tip.id == *id));
        shallow.sort_unstable();
        shallow.dedup();
        let refs: String = tips.iter().map(|tip| format!("{} {}\n", tip.id, tip.name)).collect();
        let shallow: String = shallow.iter().map(|id| format!("{id}\n")).collect();
        // Shallow entries first: a tip without its entry would claim a history that is not here.
        let known: String = self.shallow().iter().map(|id| format!("{id}\n")).collect();
        self.replace("shallow", &format!("{known}{shallow}"))?;
        self.replace("packed-refs", &refs)?;
        self.replace("shallow", &shallow)?;
        if let Some(default) = default {
            self.replace("HEAD", &format!("ref: refs/heads/{default}\n"))?;
        }
        Ok(())
    }

    fn replace(&self, file: &str, text: &str) -> io::Result<()> {
        let temporary = self.path.join(format!("{file}.tmp"));
        ignore_missing(fs::remove_file(&temporary))?;
        write_file(&temporary, text.as_bytes())?;
        fs::rename(&temporary, self.path.join(file))
    }
}

/// A file in a mirror that says: make this mirror anew.
const DAMAGED: &str = "orbitra-damaged";

/// Has the next fetch make this mirror anew. Failing to say so is no harm: the damage is found again.
pub(super) fn mark_damaged(marker: &Path) {
    let _ = fs::write(marker, b"");
}

fn config_text(url: &str) -> String {
    // A canonical URL holds no quote, backslash or line break.
    format!(
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n[gc]\n\tauto = 0\n[remote \"origin\"]\n\turl = \"{url}\"\n"
    )
}

fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)
}

fn remove_directory(path: &Path) -> io::Result<()> {
    ignore_missing(fs::remove_dir_all(path))
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
