//! Sites that are files: nothing is built, the proxy serves a directory of the commit.

use super::{DetectError, Project, directory, set};
use crate::git::TreeError;
use crate::model::build_plan::{BuildPlan, Output};

/// Where an `index.html` is looked for, in this order.
const DIRECTORIES: &[&str] = &["", "public", "dist", "build", "site", "_site", "www", "docs"];

/// Takes the directory the settings name, or the first that holds an `index.html`.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    if let Some(configured) = set(&project.overrides.output_directory) {
        if !forced && project.has_file("package.json") {
            return Ok(None);
        }
        let directory = directory::relative("output directory", configured)?;
        return match project.tree.list(&directory) {
            Ok(_) => Ok(Some(plan(
                directory,
                format!("The settings name the output directory `{configured}`."),
            ))),
            Err(TreeError::NotFound(_)) => Err(DetectError::Invalid(format!(
                "The output directory `{directory}` does not exist in `{}`.",
                project.root()
            ))),
            Err(error) => Err(error.into()),
        };
    }
    // Files of an application in a language that is not known yet are no site.
    if !forced && project.other_language().is_some() {
        return Ok(None);
    }
    for directory in DIRECTORIES {
        let index = if directory.is_empty() {
            "index.html".to_owned()
        } else {
            format!("{directory}/index.html")
        };
        if project.tree.read(&index, u64::MAX)?.is_some() {
            return Ok(Some(plan((*directory).to_owned(), format!("There is a `{index}`."))));
        }
    }
    Ok(None)
}

fn plan(directory: String, reason: String) -> BuildPlan {
    BuildPlan {
        framework: "static".into(),
        reason,
        output: Output::Static { directory },
        versions: Vec::new(),
        install_command: None,
        build_command: None,
        start_command: None,
        warnings: Vec::new(),
    }
}
