//! What a deployment is made of: a repository, an archive that was sent, or an image.

use serde_json::json;

use super::deployments::NewDeployment;
use super::project_rules::{check_branch_name, check_source_url};
use super::{App, AppError};
use crate::db;
use crate::model::ids::UploadId;
use crate::model::image_reference::{ImageReference, LONGEST};
use crate::model::problems::Problems;
use crate::model::project::{Project, normal_path};
use crate::model::upload::Upload;

/// The one source of a deployment.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen {
    /// Empty when it is another one.
    pub git_url: String,
    pub upload: Option<Upload>,
    pub image: Option<String>,
}

impl App {
    /// Finds the source a request names, or the project's own when it names none, and notes what is wrong with it.
    pub(super) async fn choose_source(
        &self,
        project: &Project,
        new: &NewDeployment,
        problems: &mut Problems,
    ) -> Result<Chosen, AppError> {
        let sent = [
            ("git_url", new.git_url.is_some()),
            ("upload_id", new.upload_id.is_some()),
            ("image", new.image.is_some()),
        ];
        let mut sent = sent.into_iter().filter_map(|(name, there)| there.then_some(name));
        let first = sent.next();
        for other in sent {
            let message = "Exactly one of `git_url`, `upload_id` and `image`.";
            problems.invalid(other, "mutually_exclusive", message);
        }
        let git_url = new.git_url.as_deref().map(|url| self.stored_source(project, url));
        if let Some(url) = &git_url {
            check_source_url(url, &project.id, &self.egress, problems);
        }
        if let Some(branch) = &new.branch {
            check_branch_name(branch, problems);
        }
        if let Some(sha) = &new.commit_sha {
            check_commit(sha, problems);
        }
        if new.root_dir.as_deref().is_some_and(|path| normal_path(path).is_none()) {
            problems.invalid("root_dir", "unsafe", "A path inside the repository, without `..`.");
        }
        if let Some(image) = &new.image {
            self.check_image(image, problems);
        }
        let mut chosen = Chosen { image: new.image.clone(), ..Chosen::default() };
        if let Some(id) = &new.upload_id {
            chosen.upload = self.find_upload(project, id, problems).await?;
        }
        let not_with = |field: &str, there: bool, problems: &mut Problems| {
            if there && !problems.has(field) {
                let message = "Only for what is made of a repository.";
                problems.invalid(field, "mutually_exclusive", message);
            }
        };
        match first {
            Some("git_url") => chosen.git_url = git_url.unwrap_or_default(),
            Some(other) => {
                not_with("branch", new.branch.is_some(), problems);
                not_with("commit_sha", new.commit_sha.is_some(), problems);
                not_with("root_dir", other == "image" && new.root_dir.is_some(), problems);
            }
            None if problems.has("image") || problems.has("upload_id") => {}
            None => {
                problems.require("git_url", project.source.git_url.as_ref());
                chosen.git_url = project.source.git_url.clone().unwrap_or_default();
            }
        }
        Ok(chosen)
    }

    fn check_image(&self, text: &str, problems: &mut Problems) {
        if text.len() > LONGEST {
            problems.invalid("image", "too_long", format!("At most {LONGEST} bytes."));
            return;
        }
        let Some(image) = ImageReference::parse(text) else {
            let message =
                "An image such as `nginx:1.27` or `registry.example.com/team/app@sha256:…`.";
            problems.invalid("image", "format", message);
            return;
        };
        let (server, port) = image.server();
        if self.egress.check_host(server).and(self.egress.check_port(server, port)).is_err() {
            let message = "This registry may not be reached from this server.";
            problems.invalid("image", "url_not_allowed", message);
        }
    }

    /// Of another project an upload is as unknown as one that never was or has expired.
    async fn find_upload(
        &self,
        project: &Project,
        id: &str,
        problems: &mut Problems,
    ) -> Result<Option<Upload>, AppError> {
        let (project, now) = (project.id.clone(), self.clock.now());
        let found = match UploadId::parse(id) {
            Some(id) => self.db.read(move |c| db::uploads::find(c, &project, &id, now)).await?,
            None => None,
        };
        if found.is_none() {
            let message = "This project has no such upload, or it has expired.";
            problems.invalid("upload_id", "unknown_value", message);
        }
        Ok(found)
    }
}

/// Checks the name of a commit.
pub(super) fn check_commit(sha: &str, problems: &mut Problems) {
    if !((7..=64).contains(&sha.len()) && sha.bytes().all(|b| b.is_ascii_hexdigit())) {
        problems.invalid("commit_sha", "format", "7 to 64 hexadecimal digits.");
    }
}

/// Each upload is deployed once; what is deployed again is the deployment.
pub(super) fn upload_consumed(id: &UploadId) -> AppError {
    AppError::Conflict {
        reason: "upload_consumed",
        message: "This upload was deployed already. Upload it again, or redeploy that deployment."
            .to_owned(),
        details: json!({ "upload_id": id }),
    }
}
