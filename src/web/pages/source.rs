//! Where a project's code comes from and what it is read with: a form of the settings, and the deploy key.

use axum::extract::{Path, State};

use super::respond::{Answer, see_other};
use super::settings_form::{NEXT, section as form, sent, setting};
use super::show::moment;
use super::{PageError, Pages, Visitor};
use crate::app::AppError;
use crate::app::project_rules::ProjectPatch;
use crate::app::source_rules::NewSource;
use crate::app::terms::Terms;
use crate::crypto::ssh_key::{fingerprint, openssh};
use crate::db;
use crate::model::actor::Actor;
use crate::model::git_url::SshAddress;
use crate::model::problems::Problems;
use crate::model::project::{Project, SourceAuth};
use crate::web::csrf::Fields;
use crate::web::view::settings::{KeyCard, Kind, Section};
use crate::web::view::shell::Notice;

/// The form's name.
const NAME: &str = "source";
const READ_WITH: &[(&str, &str)] = &[
    ("none", "Nothing: everybody can read it"),
    ("token", "An access token, over HTTPS"),
    ("deploy_key", "A deploy key, over SSH"),
];

/// A server whose host keys come with Orbitra, and where it takes deploy keys.
struct Forge {
    host: &'static str,
    name: &'static str,
    menu: &'static str,
    /// What follows the repository in the address of that page.
    page: &'static str,
}

const FORGES: [Forge; 4] = [
    Forge {
        host: "github.com",
        name: "GitHub",
        menu: "Settings, Deploy keys",
        page: "/settings/keys",
    },
    Forge {
        host: "gitlab.com",
        name: "GitLab",
        menu: "Settings, Repository, Deploy keys",
        page: "/-/settings/repository",
    },
    Forge {
        host: "bitbucket.org",
        name: "Bitbucket",
        menu: "Repository settings, Access keys",
        page: "/admin/access-keys/",
    },
    Forge {
        host: "codeberg.org",
        name: "Codeberg",
        menu: "Settings, Deploy keys",
        page: "/settings/keys",
    },
];

/// The form with the values of now. A token is never in it, only when it was stored.
pub async fn section(pages: &Pages, project: &Project) -> Result<Section, PageError> {
    let id = project.id.clone();
    let read = pages.app.db.read(move |c| db::source_credentials::made_at(c, &id));
    let made = read.await.map_err(AppError::from)?;
    let made = made.filter(|_| project.source.auth == SourceAuth::Token);
    let stored = match made {
        Some(at) => format!("Stored, made on {}. Left empty, it stays.", moment(at).short()),
        None => "None is stored.".to_owned(),
    };
    let source = &project.source;
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let fields = vec![
        setting(
            "git_url",
            "Git URL",
            "The address you would give to `git clone`.",
            pages.app.hosts.shown_source(optional(&source.git_url)),
            Kind::Text(2048, ""),
        ),
        setting(
            "branch",
            "Branch",
            "Left empty: the default branch.",
            optional(&source.branch),
            Kind::Text(255, "default branch"),
        ),
        setting(
            "root_dir",
            "Folder",
            "Where the project lies in the repository; `/` is the whole of it.",
            source.root_dir.clone(),
            Kind::Text(1024, "/"),
        ),
        setting(
            "watch_paths",
            "Watch",
            "Patterns of paths, one a line, such as `apps/web/**` or `!**/*.md`: a push that changes none of them deploys nothing. Left empty: every push deploys.",
            source.watch_paths.join("\n"),
            Kind::Lines(10_050, "all changes"),
        ),
        setting(
            "auth",
            "Read with",
            read_with(pages, project),
            source.auth.as_str().to_owned(),
            Kind::Choice(READ_WITH),
        ),
        setting(
            "token",
            "Access token",
            format!("A token that may read the repository, or `user:password`. {stored}"),
            String::new(),
            Kind::Secret(1024),
        ),
    ];
    Ok(form(NAME, "Source", NEXT, fields))
}

/// Says what a deploy key takes.
fn read_with(pages: &Pages, project: &Project) -> String {
    let url = project.source.git_url.as_deref().and_then(|url| pages.app.egress.git_url(url).ok());
    let address = url.filter(|url| url.ssh().is_none()).and_then(|url| {
        let forge = FORGES.iter().find(|forge| forge.host == url.host())?;
        let path = url.as_str().split_once(forge.host)?.1.trim_start_matches('/');
        Some(format!("`git@{}:{path}`", forge.host))
    });
    match address {
        Some(address) => {
            format!("A deploy key is for the SSH address of the repository: {address}.")
        }
        None => "A deploy key is for SSH addresses, such as `git@github.com:acme/web.git`; a token for `https://` ones."
            .to_owned(),
    }
}

/// What the form asks for, when it is this form that was sent.
pub fn wanted(section: &str, fields: &Fields) -> Option<NewSource> {
    let text = |name: &str| Some(fields.trimmed(name).to_owned()).filter(|text| !text.is_empty());
    (section == NAME).then(|| NewSource {
        git_url: text("git_url"),
        branch: text("branch"),
        root_dir: text("root_dir"),
        watch_paths: Some(lines(&sent("watch_paths", fields))),
        // With nothing chosen it follows from the address and the token.
        auth: text("auth").filter(|auth| auth != SourceAuth::None.as_str()),
        token: text("token"),
        ..NewSource::default()
    })
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Sets the source; an empty address takes it away.
///
/// # Errors
/// Those of the use case, in the words of the form.
pub async fn set(
    pages: &Pages,
    actor: &Actor,
    id: &str,
    wanted: NewSource,
    terms: &Terms<Project>,
) -> Result<Project, AppError> {
    let none = Problems::default();
    let saved = if wanted.git_url.is_none() && wanted.token.is_none() && wanted.auth.is_none() {
        let root_dir = wanted.root_dir.unwrap_or_else(|| "/".to_owned());
        let patch = ProjectPatch {
            git_url: Some(None),
            branch: Some(wanted.branch),
            root_dir: Some(root_dir),
            watch_paths: wanted.watch_paths,
            ..ProjectPatch::default()
        };
        pages.app.update_project(actor, id, patch, none, terms).await
    } else {
        pages.app.set_source(actor, id, wanted, none, terms).await
    };
    saved.map_err(|error| match error {
        AppError::Invalid(mut problems) => {
            for problem in &mut problems.invalid_fields {
                let field = problem.field.strip_prefix("source.").map(str::to_owned);
                problem.field = field.unwrap_or_else(|| problem.field.clone());
                problem.message = problem.message.replace("`deploy_key`", "a deploy key").replace(
                    "A token is for `auth` `token`",
                    "A token is for reading with a token",
                );
            }
            AppError::Invalid(problems)
        }
        other => other,
    })
}

/// The card of a project's deploy key, when it is read with one.
pub async fn key(
    pages: &Pages,
    visitor: &Visitor,
    project: &Project,
) -> Result<Option<KeyCard>, PageError> {
    let url = project.source.git_url.as_deref().and_then(|url| pages.app.egress.git_url(url).ok());
    let address = url.as_ref().and_then(|url| url.ssh());
    let (SourceAuth::DeployKey, Some(address)) = (project.source.auth, address) else {
        return Ok(None);
    };
    let found = pages.app.deploy_key(&visitor.signed_in.actor, project.id.as_str()).await?;
    let forge = FORGES.iter().find(|forge| forge.host == address.host && address.port == 22);
    let place = match forge {
        Some(forge) => format!("In the repository on {}: {}.", forge.name, forge.menu),
        None => format!("Among the deploy keys of the repository on `{}`.", address.host),
    };
    let server = match forge {
        Some(forge) => format!("The host keys that {} publishes are known.", forge.name),
        None => "Orbitra talks only to servers whose host keys it knows. If it does not know this one, compare what this command prints with what the server's owner publishes, and add it to the file `known_hosts` in Orbitra's data directory:".to_owned(),
    };
    Ok(Some(KeyCard {
        public_key: openssh(&found.key.public, &format!("orbitra-{}", project.name)),
        fingerprint: fingerprint(&found.key.public),
        made: moment(found.key.created_at),
        place: format!("{place} To read is enough."),
        page: forge.and_then(|forge| page_of(forge, address)),
        server,
        scan: forge.is_none().then(|| match address.port {
            22 => format!("ssh-keyscan {}", address.host),
            port => format!("ssh-keyscan -p {port} {}", address.host),
        }),
    }))
}

/// The page that takes deploy keys; `None` for a repository with an unusual name.
fn page_of(forge: &Forge, address: &SshAddress) -> Option<String> {
    let path = address.path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
    let safe = path.bytes().all(usual) && path.contains('/') && !path.contains("//");
    safe.then(|| format!("https://{}/{path}{}", forge.host, forge.page))
}

/// `POST …/settings/source/rotate`.
pub async fn rotate(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Answer {
    let actor = &visitor.signed_in.actor;
    let made = pages.app.rotate_deploy_key(actor, &name, &Terms::none()).await?;
    let said = "A new deploy key is made. Put it where the old one is; that one no longer works.";
    visitor.tell(Notice::good(said)).await?;
    Ok(see_other(&format!("/dashboard/projects/{}/settings#deploy-key", made.project.name)))
}
