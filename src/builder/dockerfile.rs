//! The repository's own Dockerfile, and what is refused in it.

use super::{DetectError, Project, directory, set};
use crate::git::EntryKind;
use crate::model::build_plan::{BuildPlan, Output};

/// Takes the Dockerfile at the root, or the one the settings name.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    let configured = set(&project.overrides.dockerfile);
    let path = directory::relative("Dockerfile path", configured.unwrap_or("Dockerfile"))?;
    let required = forced || configured.is_some();
    match project.tree.kind(&path)? {
        Some(EntryKind::File { .. }) => {}
        Some(EntryKind::Symlink) => {
            return Err(DetectError::Invalid(format!(
                "`{path}` is a symbolic link, which is not followed. Make it a file."
            )));
        }
        _ if required => {
            return Err(DetectError::Invalid(format!(
                "There is no `{path}` in `{}`.",
                project.root()
            )));
        }
        _ => return Ok(None),
    }
    let text = project.text(&path)?.unwrap_or_default();
    check(&text).map_err(|reason| DetectError::Invalid(format!("`{path}` {reason}")))?;
    let mut warnings = Vec::new();
    let overridden = [
        ("install", &project.overrides.install_command),
        ("build", &project.overrides.build_command),
    ];
    for (name, _) in overridden.iter().filter(|(_, command)| set(command).is_some()) {
        warnings.push(format!("The {name} command is not used: `{path}` says what is run."));
    }
    let reason = match configured {
        Some(_) => format!("The settings name `{path}`."),
        None => format!("There is a `{path}`."),
    };
    let output = Output::Container { dockerfile: text, path: Some(path) };
    Ok(Some(BuildPlan {
        start_command: set(&project.overrides.start_command).map(str::to_owned),
        release_command: set(&project.overrides.release_command).map(str::to_owned),
        warnings,
        ..BuildPlan::new("dockerfile", reason, output)
    }))
}

/// Refuses what would hand the build to another program or ask for rights on the host. The engine grants no such
/// right either; a refusal before the build says why.
fn check(text: &str) -> Result<(), String> {
    if let Some(frontend) = frontend(text).filter(|name| !is_official(name)) {
        let frontend: String = frontend.chars().filter(|c| !c.is_control()).take(100).collect();
        return Err(format!(
            "has a `# syntax={frontend}` line. Only `docker/dockerfile` is accepted there."
        ));
    }
    let mut has_from = false;
    for line in instructions(text) {
        let mut words = line.split_whitespace().map(str::to_ascii_lowercase);
        let mut keyword = words.next().unwrap_or_default();
        if keyword == "onbuild" {
            keyword = words.next().unwrap_or_default();
        }
        has_from |= keyword == "from";
        if keyword != "run" {
            continue;
        }
        for flag in words.take_while(|word| word.starts_with("--")) {
            let flag = flag.replace(['"', '\''], "");
            if flag.starts_with("--security=") && flag != "--security=sandbox"
                || flag == "--network=host"
            {
                return Err(format!("has a `RUN {flag}`, which is not allowed here."));
            }
        }
    }
    if has_from { Ok(()) } else { Err("has no `FROM` line.".into()) }
}

/// The program that the text names to read it, in any of the spellings BuildKit looks for.
fn frontend(text: &str) -> Option<String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        return Some(value.get("syntax")?.as_str()?.to_owned());
    }
    let shebang = usize::from(text.starts_with("#!"));
    for line in text.lines().skip(shebang) {
        let line = line.trim();
        let comment = line.strip_prefix('#').or_else(|| line.strip_prefix("//"));
        let Some((key, value)) = comment.and_then(|rest| rest.split_once('=')) else {
            // Directives end at the first line that is none; a comment or a blank line in between is passed over
            // here although BuildKit stops, which can only refuse more.
            if line.is_empty() || comment.is_some() {
                continue;
            }
            return None;
        };
        if key.trim().eq_ignore_ascii_case("syntax") {
            return Some(value.split_whitespace().next().unwrap_or("").to_owned());
        }
    }
    None
}

fn is_official(frontend: &str) -> bool {
    let name = frontend.strip_prefix("docker.io/").unwrap_or(frontend);
    name.strip_prefix("docker/dockerfile")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
}

/// Instructions with their continuation lines joined and comments left out.
pub(super) fn instructions(text: &str) -> Vec<String> {
    let backtick = text.lines().take(5).any(|line| {
        let line: String = line.to_ascii_lowercase().split_whitespace().collect();
        line == "#escape=`"
    });
    let escape = if backtick { '`' } else { '\\' };
    let mut all = Vec::new();
    let mut current = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_suffix(escape) {
            Some(head) => current.push_str(&format!("{head} ")),
            None => {
                current.push_str(line);
                all.push(std::mem::take(&mut current));
            }
        }
    }
    if !current.is_empty() {
        all.push(current);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_official_frontend_is_accepted() {
        for line in [
            "docker/dockerfile:1",
            "docker.io/docker/dockerfile:1.7@sha256:00",
            "docker/dockerfile",
        ] {
            assert_eq!(check(&format!("# syntax={line}\nFROM x")), Ok(()), "{line}");
        }
        for text in [
            "# syntax=evil.test/frontend:1\nFROM x",
            "#syntax = evil.test/frontend\nFROM x",
            "# SYNTAX=docker/dockerfile-upstream:master\nFROM x",
            "#!/usr/bin/x\n# syntax=evil\nFROM x",
            "# escape=`\n# syntax=evil\nFROM x",
            "// syntax=evil\nFROM x",
            "{\"syntax\": \"evil\"}",
            "\u{feff}# syntax=evil\nFROM x",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
        assert_eq!(check("FROM x\n# syntax=evil"), Ok(()));
    }

    #[test]
    fn rights_on_the_host_are_refused() {
        for text in [
            "FROM x\nRUN --security=insecure id",
            "FROM x\nrun --mount=type=cache,target=/a --network=host id",
            "FROM x\nRUN \\\n  # why\n  --network=host \\\n  id",
            "# escape=`\nFROM x\nRUN `\n --security=insecure id",
            "FROM x\nONBUILD RUN --network=host id",
            "FROM x\nRUN --network=\"host\" id",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
        assert_eq!(
            check("FROM x\nRUN --network=none --security=sandbox echo --network=host"),
            Ok(())
        );
        assert!(check("").is_err());
    }
}
