//! A plan as lines to read: what `orbitra plan` prints.

use std::fmt;

use super::build_plan::{BuildPlan, Output};

/// Shows a plan, a fact a line, without its Dockerfile.
#[derive(Clone, Copy, Debug)]
pub struct PlanText<'a>(pub &'a BuildPlan);

impl fmt::Display for PlanText<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.0;
        let mut line = |label: &str, text: &str| {
            let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            writeln!(out, "{:<12}{text}", format!("{label}:"))
        };
        line("Framework", &plan.framework)?;
        line("Why", &plan.reason)?;
        line("Output", &output(&plan.output))?;
        if let Some(context) = &plan.context {
            line(
                "Built from",
                &format!("`/{context}` of the repository, the root of its workspace"),
            )?;
        }
        for version in &plan.versions {
            let text = format!("{} {} ({})", version.name, version.version, version.source);
            line("Version", &text)?;
        }
        for (label, command) in [
            ("Install", &plan.install_command),
            ("Build", &plan.build_command),
            ("Release", &plan.release_command),
            ("Start", &plan.start_command),
        ] {
            if let Some(command) = command {
                line(label, command)?;
            }
        }
        if let Some(port) = plan.port {
            line("Port", &port.to_string())?;
        }
        if !plan.caches.is_empty() {
            line("Caches", &plan.caches.join(", "))?;
        }
        let repository = &plan.repository;
        if let Some(port) = repository.port {
            line("Listens on", &format!("{port} (orbitra.toml)"))?;
        }
        if let Some(path) = &repository.health_path {
            line("Health", &format!("{path} (orbitra.toml)"))?;
        }
        if !repository.watch.is_empty() {
            line("Watches", &repository.watch.join(", "))?;
        }
        for warning in &plan.warnings {
            line("Warning", warning)?;
        }
        Ok(())
    }
}

fn output(output: &Output) -> String {
    match output {
        Output::Container { path: Some(path), .. } => {
            format!("a container, built by the repository's `{path}`")
        }
        Output::Container { path: None, .. } => "a container".to_owned(),
        Output::Static { directory } => format!("the files of `/{directory}`, as they are"),
        Output::StaticBuild { fallback: false, .. } => "files that the build makes".to_owned(),
        Output::StaticBuild { fallback: true, .. } => {
            "files that the build makes; paths without a file get index.html".to_owned()
        }
    }
}
