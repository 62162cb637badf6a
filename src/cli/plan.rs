//! `orbitra plan`: how a folder of this machine would be built.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::CliError;
use crate::builder::{self, Overrides};
use crate::git::folder::Folder;
use crate::model::build_plan::BuildPlan;
use crate::model::plan_text::PlanText;

/// Name of the file that `--eject` writes.
const DOCKERFILE: &str = "Dockerfile";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder: the repository, or the directory of it that the project lives in.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Write the Dockerfile into the folder, to go on from there yourself. An existing one is not replaced.
    #[arg(long)]
    eject: bool,
    /// Print the plan as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let shown = arguments.path.display();
    let place = Place::of(&arguments.path)
        .map_err(|error| CliError::Usage(format!("`{shown}` cannot be read: {error}.")))?;
    let request =
        Overrides { root_directory: Some(place.directory.clone()), ..Overrides::default() };
    let plan = builder::plan_within(&place.repository, &request, &Overrides::default())?;
    let text = if arguments.json {
        let json = serde_json::to_string_pretty(&plan);
        json.map_err(|error| CliError::Io(error.into()))? + "\n"
    } else {
        let dockerfile = plan.dockerfile().map(|text| format!("\n{text}")).unwrap_or_default();
        format!("{}{dockerfile}", PlanText(&plan))
    };
    // Before anything is printed: a refusal is all there is to read then.
    let written = if arguments.eject { Some(eject(&arguments.path, &plan)?) } else { None };
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever read this has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other?,
    }
    if let Some(path) = written {
        eprintln!("Wrote {}.", path.display());
        if let Some(context) = &plan.context {
            eprintln!("{}", place.settings_for(context));
        }
    }
    Ok(())
}

/// Where a folder lies: what surrounds it may matter, as it does on the server.
struct Place {
    repository: Folder,
    /// The folder in its repository, `""` for the root.
    directory: String,
}

impl Place {
    /// A folder that is in no repository, or whose way there is no text, stands alone.
    fn of(path: &Path) -> io::Result<Self> {
        let alone = Folder::open(path)?;
        let folder = path.canonicalize()?;
        let root = folder.ancestors().find(|above| above.join(".git").exists());
        let inside = root.and_then(|root| Some((root, folder.strip_prefix(root).ok()?.to_str()?)));
        match inside {
            Some((root, inside)) if !inside.is_empty() => {
                Ok(Self { repository: Folder::open(root)?, directory: inside.to_owned() })
            }
            _ => Ok(Self { repository: alone, directory: String::new() }),
        }
    }

    /// What to set so that a Dockerfile in this folder is built with the files of its workspace.
    fn settings_for(&self, context: &str) -> String {
        let below = self.directory.strip_prefix(context).unwrap_or(&self.directory);
        let below = below.trim_start_matches('/');
        format!(
            "It is built with the files of its workspace: set the project's root directory to `/{context}` and its \
             Dockerfile to `{below}/{DOCKERFILE}`."
        )
    }
}

/// Writes the Dockerfile where there is none.
fn eject(folder: &Path, plan: &BuildPlan) -> Result<PathBuf, CliError> {
    let Some(text) = plan.dockerfile() else {
        return Err(CliError::Usage(
            "There is no Dockerfile to write: the files are served as they are.".to_owned(),
        ));
    };
    let path = folder.join(DOCKERFILE);
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            CliError::Usage(format!("`{}` is there already and stays as it is.", path.display()))
        }
        _ => CliError::Usage(format!("`{}` cannot be written: {error}.", path.display())),
    })?;
    file.write_all(text.as_bytes())?;
    Ok(path)
}
