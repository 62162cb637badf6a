//! Cache mounts that no other project reads.
//!
//! BuildKit itself puts the project's namespace before the name of every cache mount, after it has read the
//! Dockerfile: however a name is spelled there, it cannot leave the namespace. What is left to check is which program
//! reads the Dockerfile, because old ones know nothing of namespaces.

/// First minor version of `docker/dockerfile:1` that keeps cache mounts under a namespace.
const FIRST_MINOR: u32 = 2;

/// Refuses a Dockerfile that names a program to read it whose cache mounts would be shared with other projects.
///
/// # Errors
/// What is wrong, for the user, to be read after the file's name.
pub fn check(dockerfile: &str) -> Result<(), String> {
    for frontend in frontends(dockerfile) {
        if !keeps_namespaces(&frontend) {
            let shown: String = frontend.chars().filter(|c| !c.is_control()).take(100).collect();
            return Err(format!(
                "has a `# syntax={shown}` line. Use `docker/dockerfile:1`: older versions, other channels and \
                 versions by digest do not keep the caches of projects apart."
            ));
        }
    }
    Ok(())
}

/// Every value of a `syntax` directive in the comments at the head of the file: more than BuildKit looks at.
fn frontends(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = line.trim();
        let comment = line.strip_prefix('#').or_else(|| line.strip_prefix("//"));
        let Some(comment) = comment else {
            if line.is_empty() {
                continue;
            }
            break;
        };
        if let Some((key, value)) = comment.split_once('=')
            && key.trim().eq_ignore_ascii_case("syntax")
        {
            found.push(value.split_whitespace().next().unwrap_or("").to_owned());
        }
    }
    found
}

fn keeps_namespaces(frontend: &str) -> bool {
    let name = frontend.strip_prefix("docker.io/").unwrap_or(frontend);
    let Some(rest) = name.strip_prefix("docker/dockerfile") else { return false };
    let Some(tag) = rest.strip_prefix(':') else { return rest.is_empty() };
    let version = tag.strip_suffix("-labs").unwrap_or(tag);
    if matches!(version, "latest" | "1" | "labs") {
        return true;
    }
    let mut numbers = version.split('.').map(|number| {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| number.parse::<u32>().ok()).flatten()
    });
    let (Some(Some(1)), Some(Some(minor))) = (numbers.next(), numbers.next()) else { return false };
    minor >= FIRST_MINOR && numbers.clone().count() <= 1 && numbers.all(|number| number.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frontends_that_know_no_namespaces_are_refused() {
        for fine in [
            "docker/dockerfile",
            "docker/dockerfile:1",
            "docker.io/docker/dockerfile:1",
            "docker/dockerfile:1.2",
            "docker/dockerfile:1.7.1",
            "docker/dockerfile:1.7-labs",
            "docker/dockerfile:1-labs",
            "docker/dockerfile:latest",
        ] {
            assert_eq!(check(&format!("# syntax={fine}\nFROM x")), Ok(()), "{fine}");
        }
        for bad in [
            "docker/dockerfile:1.0",
            "docker/dockerfile:1.1.7",
            "docker/dockerfile:1.0-experimental",
            "docker/dockerfile:experimental",
            "docker/dockerfile:1.7@sha256:00",
            "docker/dockerfile@sha256:00",
            "docker/dockerfile:1.7.1.1",
            "docker/dockerfile:1.+7",
            "docker/dockerfile-upstream:master",
            "evil.test/docker/dockerfile:1",
        ] {
            for line in ["# syntax=", "#Syntax = ", "// syntax=", "\u{feff}# escape=`\n\n# syntax="]
            {
                assert!(check(&format!("{line}{bad}\nFROM x")).is_err(), "{line}{bad}");
            }
        }
        assert_eq!(check("FROM x\n# syntax=docker/dockerfile:1.0"), Ok(()));
    }
}
