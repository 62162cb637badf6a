//! Stage 1: the files of a deployment, from a repository or from an archive that was sent.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use super::job::Job;
use super::stop::Stop;
use crate::crypto::token;
use crate::git::FetchedCommit;
use crate::git::tarball::{self, TarballError};
use crate::model::failure::{Failure, FailureCode};
use crate::model::ids::UploadId;
use crate::model::transition::State;
use crate::model::upload::Upload;

const PHASE: &str = "cloning";

impl Job {
    /// The files a deployment is made of. An archive has no commit: of it only the tree is there.
    pub(super) async fn source(&mut self) -> Result<FetchedCommit, Stop> {
        match self.deployment.upload_id.clone() {
            Some(upload) => self.unpack(&upload).await,
            None => self.clone_source().await,
        }
    }

    async fn unpack(&mut self, upload: &UploadId) -> Result<FetchedCommit, Stop> {
        self.advance(State::Cloning).await?;
        self.say(format!("Unpacking {upload}"));
        let directory = self.pipeline.uploads.clone();
        let archive = directory.join(Upload::file_name(upload));
        let (cancel, stopping) = (self.cancel.clone(), self.pipeline.tasks.stopping());
        let opened = tokio::task::spawn_blocking(move || {
            let space = nameless(&directory).map_err(TarballError::Disk)?;
            tarball::open(&archive, space, &|| cancel.is_cancelled() || stopping.is_cancelled())
        });
        let opened = opened.await.map_err(|error| failed(error.to_string()))?;
        let tree = match opened {
            Ok(tree) => tree,
            Err(error) => {
                // It may have been broken off because of this.
                self.stop_if_canceled()?;
                return Err(stop(error));
            }
        };
        self.say(format!("{} files and directories", tree.len()));
        Ok(FetchedCommit {
            sha: String::new(),
            subject: String::new(),
            author: String::new(),
            branch: String::new(),
            committed_at: self.deployment.created_at,
            tree: Arc::new(tree),
        })
    }
}

/// A file that nobody else can open and that is gone with its last reader, also after a crash.
fn nameless(directory: &Path) -> io::Result<File> {
    let path = directory.join(format!("unpacked-{}", token::new_opaque()));
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

fn stop(error: TarballError) -> Stop {
    match error {
        TarballError::Disk(error) if error.kind() == io::ErrorKind::StorageFull => {
            let message = "No space is left on the server's disk. Free some and deploy again.";
            Failure::new(FailureCode::DiskFull, PHASE, message).into()
        }
        TarballError::Disk(error) if error.kind() == io::ErrorKind::NotFound => {
            failed("The archive of this deployment is gone. Upload it again.".to_owned())
        }
        TarballError::Disk(error) => {
            failed(format!("The archive could not be read: {}.", error.kind()))
        }
        TarballError::Refused { message, .. } => failed(message),
        TarballError::Stopped => Stop::Interrupted,
    }
}

fn failed(message: String) -> Stop {
    Failure::new(FailureCode::CloneFailed, PHASE, message).into()
}
