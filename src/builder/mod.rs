//! From a commit's files to a `BuildPlan`. Detection and plans are data, tested without Docker. One file per language.
//!
//! Adding a language is a file with a [`Detector`] and a line in [`DETECTORS`].

pub mod dockerfile;
pub mod node;
pub mod static_site;

use crate::git::{SourceTree, TreeError};
use crate::model::build_plan::BuildPlan;
