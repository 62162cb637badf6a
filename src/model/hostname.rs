//! Names under the base domain: one per project, one per deployment.

use super::ids::DeploymentId;

/// Project names nobody may take, because they are or may become addresses of Orbitra itself.
pub const RESERVED: [&str; 20] = [
    "admin",
    "api",
    "app",
    "assets",
    "autoconfig",
    "dashboard",
    "localhost",
    "mail",
    "mcp",
    "ns1",
    "ns2",
    "orbitra",
    "registry",
    "smtp",
    "static",
    "wpad",
    "www",
    "ftp",
    "imap",
    "pop",
];

/// What is wrong with a project name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameProblem {
    TooShort,
    TooLong,
    Format,
    Reserved,
}

/// Checks a project name: `^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$`, not `xn--`, not reserved.
///
/// # Errors
/// What is wrong with it.
pub fn check_project_name(name: &str) -> Result<(), NameProblem> {
    let bytes = name.as_bytes();
    match bytes {
        [] => return Err(NameProblem::TooShort),
        _ if bytes.len() > 40 => return Err(NameProblem::TooLong),
        [first, ..] if !first.is_ascii_lowercase() => return Err(NameProblem::Format),
        _ => {}
    }
    let inner = bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
    if !inner || name.ends_with('-') || name.starts_with("xn--") {
        return Err(NameProblem::Format);
    }
    if RESERVED.contains(&name) { Err(NameProblem::Reserved) } else { Ok(()) }
}

/// A legal project name near `text`, such as `my-app` for `My App`; `None` when nothing usable is left.
pub fn suggest_project_name(text: &str) -> Option<String> {
    let mut name = String::new();
    for c in text.trim().chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || (c.is_ascii_digit() && !name.is_empty()) {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        if name.len() == 40 {
            break;
        }
    }
    let name = name.trim_end_matches('-').to_owned();
    match check_project_name(&name) {
        Ok(()) => Some(name),
        Err(NameProblem::Reserved) => Some(format!("my-{name}")),
        Err(_) => None,
    }
}

/// `my-app.example.com`: answers with the live deployment.
pub fn of_project(name: &str, base_domain: &str) -> String {
    format!("{name}.{base_domain}")
}

/// `my-app-dep4q7w1z3c.example.com`: answers with this deployment for as long as it is kept.
pub fn of_deployment(name: &str, deployment: &DeploymentId, base_domain: &str) -> String {
    let body = deployment.body();
    format!("{name}-dep{}.{base_domain}", &body[..body.len().min(8)])
}

/// Longest label of a host name.
const LABEL: usize = 63;

/// `my-app-git-feature`: answers with the newest ready deployment of a branch. Without `hash` there is only one for a
/// branch that can be a label as it is, in a label that is short enough; with it there is always one.
pub fn branch_label(name: &str, branch: &str, hash: Option<&str>) -> Option<String> {
    let mut slug = String::new();
    for c in branch.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() > LABEL {
            break;
        }
    }
    let Some(hash) = hash else {
        let label = format!("{name}-git-{slug}");
        return (slug == branch && !slug.ends_with('-') && label.len() <= LABEL).then_some(label);
    };
    let room = LABEL.saturating_sub(name.len() + "-git-".len() + "-".len() + hash.len());
    slug.truncate(room);
    let slug = slug.trim_end_matches('-');
    let dash = if slug.is_empty() { "" } else { "-" };
    Some(format!("{name}-git-{slug}{dash}{hash}"))
}

/// The host name of a branch's label.
pub fn of_branch(label: &str, base_domain: &str) -> String {
    format!("{label}.{base_domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_names_are_dns_labels() {
        for good in ["a", "my-app", "a1", "a--b", &"a".repeat(40)] {
            assert_eq!(check_project_name(good), Ok(()), "{good}");
        }
        for bad in [
            "a;id>PWNED",
            "$(id)",
            "`id`",
            "a&&id",
            "a|id",
            "a'b",
            "a\"b",
            "a b",
            "a\nid",
            "a%0aid",
            "a\0b",
            "a*",
            "a{b,c}",
            "xn--pypal-4ve",
            "аdmin",
            "ＡＢＣ",
            "İ",
            "..",
            ".",
            "../b",
            "a\\b",
            "-a",
            "a-",
            "1a",
            "A",
        ] {
            assert_eq!(check_project_name(bad), Err(NameProblem::Format), "{bad}");
        }
        assert_eq!(check_project_name(""), Err(NameProblem::TooShort));
        assert_eq!(check_project_name(&"a".repeat(41)), Err(NameProblem::TooLong));
        assert_eq!(check_project_name("www"), Err(NameProblem::Reserved));
    }

    #[test]
    fn suggestions_are_legal() {
        assert_eq!(suggest_project_name("My App").as_deref(), Some("my-app"));
        assert_eq!(suggest_project_name("  2nd_try!! ").as_deref(), Some("nd-try"));
        assert_eq!(suggest_project_name("api").as_deref(), Some("my-api"));
        assert_eq!(suggest_project_name("日本"), None);
    }

    #[test]
    fn a_branch_is_named_by_itself_or_by_a_hash() {
        let label = |branch: &str, hash| branch_label("my-app", branch, hash);
        for plain in ["main", "fix-12", "2"] {
            assert_eq!(label(plain, None), Some(format!("my-app-git-{plain}")), "{plain}");
        }
        let long = "x".repeat(53);
        for other in ["feature/login", "Main", "a--b", "a-", "ümlaut", "日本", &long] {
            assert_eq!(label(other, None), None, "{other}");
        }
        let hashed = |branch: &str| label(branch, Some("0a1b2c3d")).unwrap_or_default();
        assert_eq!(hashed("feature/login"), "my-app-git-feature-login-0a1b2c3d");
        assert_eq!(hashed("日本"), "my-app-git-0a1b2c3d");
        assert_eq!(hashed("a/-/b"), "my-app-git-a-b-0a1b2c3d");
        for branch in [&long, &"a/".repeat(120), &"é".repeat(80)] {
            let (short, long) =
                (hashed(branch), branch_label(&"n".repeat(40), branch, Some("0a1b2c3d")));
            for label in [short, long.unwrap_or_default()] {
                assert!(label.len() <= LABEL && label.ends_with("0a1b2c3d"), "{label}");
                assert!(!label.contains("--") && label.is_ascii(), "{label}");
            }
        }
        assert_eq!(hashed(&"x".repeat(90)).len(), LABEL);
    }

    #[test]
    fn a_deployment_is_named_by_the_start_of_its_id() {
        let id = DeploymentId::parse("dep_4q7w1z3c7k2m9qhx").expect("well formed");
        assert_eq!(of_deployment("my-app", &id, "example.com"), "my-app-dep4q7w1z3c.example.com");
    }
}
