//! What the page of a deployment says about how it is built.

use super::show;
use crate::model::build_plan::{BuildPlan, Output, PINNED};
use crate::web::view::plan::{Plan, PlanVersion};
use crate::web::view::text::Foreign;

/// Longest Dockerfile that is shown, in bytes; those that Orbitra writes are far shorter.
const LONGEST: usize = 32 * 1024;
/// Most patterns or directories that are named.
const NAMED: usize = 12;

/// The plan as it is shown.
pub fn of(plan: &BuildPlan) -> Plan {
    let versions = plan.versions.iter().map(|version| PlanVersion {
        name: Foreign(version.name.clone()),
        version: Foreign(version.version.clone()),
        source: version.source.clone(),
        pinned: version.source == PINNED,
    });
    let commands = [
        ("Install", &plan.install_command),
        ("Build", &plan.build_command),
        ("Release", &plan.release_command),
        ("Start", &plan.start_command),
    ];
    Plan {
        framework: show::framework(&plan.framework).to_owned(),
        reason: plan.reason.clone(),
        warnings: plan.warnings.clone(),
        versions: versions.collect(),
        commands: commands
            .into_iter()
            .filter_map(|(label, command)| Some((label, Foreign(command.clone()?))))
            .collect(),
        facts: facts(plan),
        dockerfile: written(plan).map(|text| Foreign(text.to_owned())),
    }
}

fn facts(plan: &BuildPlan) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    match &plan.output {
        Output::Container { path, .. } => {
            if let Some(path) = path {
                facts.push(("Dockerfile", format!("`{path}` of the repository")));
            }
            match (plan.repository.port, plan.port) {
                (Some(port), _) => facts.push(("Port", format!("{port}, from `orbitra.toml`"))),
                (None, Some(port)) => {
                    facts.push(("Port", format!("{port}, unless the settings say another")));
                }
                (None, None) => {}
            }
        }
        Output::Static { directory } if directory.is_empty() => {
            facts.push(("Served", "the files of the commit".to_owned()));
        }
        Output::Static { directory } => {
            facts.push(("Served", format!("the files in `{directory}`")));
        }
        Output::StaticBuild { fallback, .. } => {
            let end = if *fallback { "; every other path gets `index.html`" } else { "" };
            facts.push(("Served", format!("the files that the build makes{end}")));
        }
    }
    if let Some(context) = &plan.context {
        let place = if context.is_empty() { "/" } else { context };
        facts.push(("Built from", format!("`{place}`, the root of the workspace")));
    }
    if let Some(path) = &plan.repository.health_path {
        facts.push(("Health check", format!("`{path}`, from `orbitra.toml`")));
    }
    if !plan.repository.watch.is_empty() {
        facts.push(("Deployed when these change", named(&plan.repository.watch)));
    }
    if !plan.caches.is_empty() {
        facts.push(("Kept between builds", named(&plan.caches)));
    }
    facts
}

fn named(all: &[String]) -> String {
    let names: Vec<_> = all.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    let more = all.len().saturating_sub(NAMED);
    let end = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{end}", names.join(", "))
}

/// The Dockerfile that Orbitra wrote. The repository's own is in the repository.
fn written(plan: &BuildPlan) -> Option<&str> {
    match &plan.output {
        Output::Container { path: Some(_), .. } => None,
        _ => plan.dockerfile().filter(|text| text.len() <= LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build_plan::Version;

    #[test]
    fn only_what_orbitra_wrote_is_shown_as_a_dockerfile() {
        let container = |path: Option<&str>| {
            let output = Output::Container {
                dockerfile: "FROM x".to_owned(),
                path: path.map(str::to_owned),
            };
            of(&BuildPlan::new("nodejs", "Because.", output))
        };
        let own = container(Some("deploy/Dockerfile"));
        assert!(own.dockerfile.is_none());
        assert_eq!(own.facts[0], ("Dockerfile", "`deploy/Dockerfile` of the repository".into()));
        assert_eq!(container(None).dockerfile, Some("FROM x".into()));
    }

    #[test]
    fn a_version_that_was_pinned_says_so_and_the_repositorys_port_counts_more() {
        let output = Output::Container { dockerfile: String::new(), path: None };
        let mut plan = BuildPlan::new("django", "Because.", output);
        let version = |source: &str| Version {
            name: "python".to_owned(),
            version: "3.13".to_owned(),
            source: source.to_owned(),
        };
        plan.versions = vec![version(".python-version"), version(PINNED)];
        plan.port = Some(8000);
        let port = |plan: &BuildPlan| of(plan).facts[0].1.clone();
        assert_eq!(port(&plan), "8000, unless the settings say another");
        plan.repository.port = Some(9000);
        assert_eq!(port(&plan), "9000, from `orbitra.toml`");
        let pinned: Vec<_> = of(&plan).versions.iter().map(|version| version.pinned).collect();
        assert_eq!((pinned, of(&plan).framework.as_str()), (vec![false, true], "Django"));
    }
}
