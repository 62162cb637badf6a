//! The data directory: one place for everything, 0700, locked by one instance.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("{path}: {error}. Choose another directory with --data or ORBITRA_DATA.")]
    Unusable { path: String, error: std::io::Error },
    #[error(
        "{0} is used by a running Orbitra. Stop that one, or choose another directory with --data."
    )]
    Locked(String),
    #[error("{0} is not a key file: it must hold 64 hexadecimal digits. Put the right file back.")]
    BadKey(String),
}

/// The data directory as one running instance holds it, until this is dropped. The file names the process.
#[derive(Debug)]
pub struct Lock {
    file: File,
    cut_off: Option<u32>,
}

impl Lock {
    /// The process that had the directory before and did not end in order.
    pub fn cut_off(&self) -> Option<u32> {
        self.cut_off
    }

    /// The lock of a process that hands the directory on: both hold it until one of them is gone.
    pub fn inherited(descriptor: OwnedFd) -> Self {
        Self { file: descriptor.into(), cut_off: None }
    }

    /// What the process that takes over gets a copy of.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The process that the directory belongs to; `None` when that one has ended in order.
    pub fn owner(&self) -> Option<u32> {
        let mut text = [0; 32];
        let length = self.file.read_at(&mut text, 0).ok()?;
        std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok()
    }

    /// Names this process as the one that the directory belongs to.
    pub fn sign(&self) {
        // A full disk is no reason to stop.
        let _ = self.write(&format!("{}\n", std::process::id()));
    }

    /// Gives the directory back at the end of an ordered stop.
    pub fn release(self) {
        let _ = self.write("");
    }

    fn write(&self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all_at(text.as_bytes(), 0)
    }
}

/// An opened data directory.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Makes the directory when it is missing, for its owner alone.
    ///
    /// # Errors
    /// It cannot be made or its permissions cannot be set.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let directory = Self(path.to_owned());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .and_then(|()| std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)))
            .map_err(|error| directory.unusable(path, error))?;
        Ok(directory)
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Takes the directory for one running instance.
    ///
    /// # Errors
    /// Another instance holds it.
    pub fn lock(&self) -> Result<Lock, DataDirError> {
        let path = self.path("orbitra.lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| self.unusable(&path, error))?;
        if file.try_lock().is_err() {
            return Err(DataDirError::Locked(self.0.display().to_string()));
        }
        let mut text = String::new();
        // Whatever it says that is no number says nothing; nor is a full disk a reason not to start.
        let _ = Read::by_ref(&mut file).take(32).read_to_string(&mut text);
        let lock = Lock { cut_off: text.trim().parse().ok(), file };
        lock.sign();
        Ok(lock)
    }

    /// Reads the key all secrets are sealed with, or stores `fresh` as the key when there is none yet.
    ///
    /// # Errors
    /// The file cannot be read or is not a key.
    pub fn key(&self, fresh: [u8; 32]) -> Result<[u8; 32], DataDirError> {
        let path = self.path("orbitra.key");
        let made = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
        if let Ok(mut file) = made {
            let text: String = fresh.iter().map(|byte| format!("{byte:02x}")).collect();
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
                .and_then(|()| File::open(&self.0)?.sync_all())
                .map_err(|error| self.unusable(&path, error))?;
            return Ok(fresh);
        }
        let mut text = String::new();
        File::open(&path)
            .and_then(|mut file| file.read_to_string(&mut text))
            .map_err(|error| self.unusable(&path, error))?;
        let bad = || DataDirError::BadKey(path.display().to_string());
        let digits = text.trim();
        if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let mut key = [0; 32];
        for (index, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).map_err(|_| bad())?;
        }
        Ok(key)
    }

    fn unusable(&self, path: &Path, error: std::io::Error) -> DataDirError {
        DataDirError::Unusable { path: path.display().to_string(), error }
    }
}
