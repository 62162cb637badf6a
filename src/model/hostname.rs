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
    fn a_deployment_is_named_by_the_start_of_its_id() {
        let id = DeploymentId::parse("dep_4q7w1z3c7k2m9qhx").expect("well formed");
        assert_eq!(of_deployment("my-app", &id, "example.com"), "my-app-dep4q7w1z3c.example.com");
    }
}
