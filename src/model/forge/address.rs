//! Which forge an address belongs to, where its API is, and which repository is meant.

use super::ForgeKind;
use crate::model::git_url::GitUrl;

/// The forge that everybody knows at this host.
pub fn kind_of(host: &str) -> Option<ForgeKind> {
    Some(match host {
        "github.com" => ForgeKind::Github,
        "gitlab.com" => ForgeKind::Gitlab,
        "codeberg.org" => ForgeKind::Forgejo,
        "gitea.com" => ForgeKind::Gitea,
        "bitbucket.org" => ForgeKind::Bitbucket,
        _ => return None,
    })
}

/// Where the API of the forge is that a repository lies on, as far as it follows from the address: of a repository over
/// SSH the web server has the same name.
pub fn api_of(kind: ForgeKind, url: &GitUrl) -> String {
    let host = url.host();
    if kind == ForgeKind::Github && host == "github.com" {
        return "https://api.github.com".to_owned();
    }
    if kind == ForgeKind::Bitbucket && host == "bitbucket.org" {
        return "https://api.bitbucket.org/2.0".to_owned();
    }
    let server = match url.ssh() {
        Some(_) => format!("https://{host}"),
        None => {
            let text = url.as_str();
            let start = text.find("://").map_or(0, |at| at + 3);
            let end = text[start..].find('/').map_or(text.len(), |at| start + at);
            text[..end].to_owned()
        }
    };
    match kind {
        ForgeKind::Github => format!("{server}/api/v3"),
        ForgeKind::Gitlab => format!("{server}/api/v4"),
        ForgeKind::Gitea | ForgeKind::Forgejo => format!("{server}/api/v1"),
        ForgeKind::Bitbucket => format!("{server}/2.0"),
    }
}

/// The repository as the forge names it, `acme/web`; `None` for an address that is no forge's.
pub fn repository_of(url: &GitUrl) -> Option<String> {
    let path = match url.ssh() {
        Some(address) => address.path.clone(),
        None => {
            let text = url.as_str();
            let rest = &text[text.find("://")? + 3..];
            rest[rest.find('/')?..].to_owned()
        }
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let usual = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~+".contains(&b))
    };
    (path.contains('/') && path.split('/').all(usual)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::git_url::GitUrlRules;

    fn url(text: &str) -> GitUrl {
        let any = |_: &str, _: u16| true;
        let rules = GitUrlRules { allow_http: true, host_allowed: &any, ssh_allowed: &any };
        GitUrl::parse(text, &rules).unwrap()
    }

    #[test]
    fn an_api_follows_from_the_address_of_a_repository() {
        for (kind, address, api) in [
            (ForgeKind::Github, "https://github.com/acme/web.git", "https://api.github.com"),
            (ForgeKind::Github, "git@github.com:acme/web.git", "https://api.github.com"),
            (ForgeKind::Github, "https://git.example.com/a/b", "https://git.example.com/api/v3"),
            (ForgeKind::Gitlab, "https://gitlab.com/a/b/c.git", "https://gitlab.com/api/v4"),
            (ForgeKind::Bitbucket, "git@bitbucket.org:a/b.git", "https://api.bitbucket.org/2.0"),
            (ForgeKind::Forgejo, "http://127.0.0.1:3000/a/b", "http://127.0.0.1:3000/api/v1"),
            (
                ForgeKind::Gitea,
                "ssh://git@tea.example.com:2222/a/b",
                "https://tea.example.com/api/v1",
            ),
        ] {
            assert_eq!(api_of(kind, &url(address)), api);
        }
    }

    #[test]
    fn a_repository_is_named_as_the_forge_does() {
        for (address, name) in [
            ("https://github.com/acme/web.git", Some("acme/web")),
            ("git@gitlab.com:group/sub/web.git", Some("group/sub/web")),
            ("https://example.com/web.git", None),
            ("https://example.com/a/b%20c", None),
        ] {
            assert_eq!(repository_of(&url(address)).as_deref(), name, "{address}");
        }
    }
}
