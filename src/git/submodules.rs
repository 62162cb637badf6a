//! A repository with the repositories in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gitmodules::{self, Declared};
use super::joined::Joined;
use super::lfs;
use super::libgit::{Asked, LibGit};
use super::opened::{Brought, blocking};
use super::{FetchError, FetchedCommit, Progress, SourceTree};
use crate::model::git_url::GitUrl;
use crate::model::project::normal_path;

/// How deep submodules may lie in each other.
const MOST_DEPTH: usize = 3;

/// Fetches a commit, its large files and, `depth` levels down from the first repository, its submodules.
pub(super) async fn whole(
    git: &LibGit,
    asked: &Asked<'_>,
    depth: usize,
    progress: &Progress,
) -> Result<FetchedCommit, FetchError> {
    let brought = git.one(asked, progress).await?;
    asked.wire.budget.count_entries(brought.survey.entries)?;
    let tree = lfs::with_content(git, asked, &brought, progress).await?;
    let tree = with_submodules(git, asked, &brought, tree, depth, progress).await?;
    Ok(FetchedCommit { tree, ..brought.commit })
}

async fn with_submodules(
    git: &LibGit,
    asked: &Asked<'_>,
    brought: &Brought,
    tree: Arc<dyn SourceTree>,
    depth: usize,
    progress: &Progress,
) -> Result<Arc<dyn SourceTree>, FetchError> {
    if brought.survey.links.is_empty() {
        return Ok(tree);
    }
    let here = brought.tree.clone();
    let text = blocking(move || {
        here.read(".gitmodules", gitmodules::MOST_BYTES)
            .map_err(|error| FetchError::Failed(error.to_string()))
    })
    .await?;
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    let declared = gitmodules::parse(&text);
    let mut mounts = BTreeMap::new();
    for (path, commit) in &brought.survey.links {
        let Some(one) = declared.iter().find(|one| one.path == *path) else {
            progress(format!(
                "`{path}` is a submodule that .gitmodules does not name; it stays empty."
            ));
            continue;
        };
        let fetched = submodule(git, asked, one, &commit.to_string(), depth, progress).await;
        let fetched = fetched.map_err(|error| match error {
            // What ends the whole fetch is no fault of the submodule's.
            error @ (FetchError::Canceled | FetchError::TimedOut { .. }) => error,
            error => FetchError::Submodule { path: path.clone(), error: Box::new(error) },
        })?;
        mounts.insert(path.clone(), fetched.tree);
    }
    Ok(if mounts.is_empty() { tree } else { Arc::new(Joined::new(tree, mounts)) })
}

async fn submodule(
    git: &LibGit,
    parent: &Asked<'_>,
    declared: &Declared,
    commit: &str,
    depth: usize,
    progress: &Progress,
) -> Result<FetchedCommit, FetchError> {
    let failed = |text: &str| Err(FetchError::Failed(text.to_owned()));
    if normal_path(&declared.path) != Some(declared.path.as_str()) || declared.path.starts_with('-')
    {
        return failed("its path is not accepted.");
    }
    if depth >= MOST_DEPTH {
        return failed("submodules lie more than three deep in each other.");
    }
    parent.wire.budget.enter_submodule()?;
    let url = address(git, parent.url, &declared.url)?;
    progress(format!("Submodule {}: fetching {url}", declared.path));
    let access = parent.access.filter(|access| !access.alone && access.is_for(&url));
    let asked = Asked { url: &url, access, branch: None, commit: Some(commit), wire: parent.wire };
    // The future holds itself, so it needs a place of its own.
    Box::pin(whole(git, &asked, depth + 1, progress)).await
}

fn address(git: &LibGit, parent: &GitUrl, text: &str) -> Result<GitUrl, FetchError> {
    let relative = text.starts_with("./") || text.starts_with("../");
    let whole = if relative {
        parent.relative(text).ok_or_else(|| {
            FetchError::Failed("its relative address leads out of the server.".into())
        })?
    } else {
        text.to_owned()
    };
    git.policy().git_url(&whole).map_err(|error| match error.code {
        "url_not_allowed" => FetchError::AddressNotAllowed,
        _ => FetchError::Failed(format!("its address is not accepted. {}", error.message)),
    })
}
