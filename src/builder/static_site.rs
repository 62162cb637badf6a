//! Sites that are files: nothing is built, the proxy serves a directory of the commit.

use super::{DetectError, Project, directory, set};
use crate::git::TreeError;
use crate::model::build_plan::{BuildPlan, Output};

/// Where an `index.html` is looked for, in this order.
const DIRECTORIES: &[&str] = &["", "public", "dist", "build", "site", "_site", "www", "docs"];

/// Takes the directory the settings or a `Staticfile` name, or the first that holds an `index.html`.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    if let Some(configured) = set(&project.overrides.output_directory) {
        if !forced && project.has_file("package.json") {
            return Ok(None);
        }
        let reason = format!("The settings name the output directory `{}`.", printable(configured));
        return named(project, "output directory", configured, reason).map(Some);
    }
    if project.has_file("Staticfile") {
        let configured = staticfile_root(&project.text("Staticfile")?.unwrap_or_default());
        return match configured {
            Some(root) => {
                let reason = format!("`Staticfile` names the directory `{}`.", printable(&root));
                named(project, "`root` of `Staticfile`", &root, reason).map(Some)
            }
            None => match with_index(project)? {
                Some((directory, _)) => {
                    Ok(Some(plan(directory, "There is a `Staticfile`.".into())))
                }
                None => Ok(Some(plan(String::new(), "There is a `Staticfile`.".into()))),
            },
        };
    }
    Ok(with_index(project)?
        .map(|(directory, index)| plan(directory, format!("There is a `{index}`."))))
}

/// The first directory that has an `index.html`, and its path.
fn with_index(project: &Project<'_>) -> Result<Option<(String, String)>, DetectError> {
    for directory in DIRECTORIES {
        let index = if directory.is_empty() {
            "index.html".to_owned()
        } else {
            format!("{directory}/index.html")
        };
        if project.is_file(&index)? {
            return Ok(Some(((*directory).to_owned(), index)));
        }
    }
    Ok(None)
}

fn named(
    project: &Project<'_>,
    setting: &str,
    configured: &str,
    reason: String,
) -> Result<BuildPlan, DetectError> {
    let directory = directory::relative(setting, configured)?;
    match project.tree.list(&directory) {
        Ok(_) => Ok(plan(directory, reason)),
        Err(TreeError::NotFound(_)) => Err(DetectError::Invalid(format!(
            "The {setting} `{directory}` does not exist in `{}`.",
            project.root()
        ))),
        Err(error) => Err(error.into()),
    }
}

/// The `root` of a `Staticfile`, which is YAML; only this one key has a meaning here.
fn staticfile_root(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("root:"))?;
    let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn plan(directory: String, reason: String) -> BuildPlan {
    BuildPlan::new("static", reason, Output::Static { directory })
}
