//! The forge of a project and the way to push to it, parts of its settings.

use super::form::Errors;
use super::sample;
use super::time::Moment;

/// Who is told of commits.
#[derive(Clone, Debug, Default)]
pub struct ForgeCard {
    /// Whether there is one.
    pub is_set: bool,
    pub kind: String,
    /// Empty when it follows from the source.
    pub api_url: String,
    /// Why it took nothing lately, in a sentence.
    pub trouble: Option<String>,
    /// When it last took a status.
    pub told: Option<Moment>,
    pub errors: Errors,
}

/// How a project is pushed to.
#[derive(Clone, Debug)]
pub struct PushCard {
    pub address: String,
    /// The command that makes it a remote.
    pub remote: String,
    /// The command that pushes.
    pub push: String,
    /// Which branches go where.
    pub branches: String,
    /// What there is to say when the source is another repository.
    pub other: Option<String>,
}

impl ForgeCard {
    /// Forges: value and word.
    pub(super) fn kinds() -> &'static [(&'static str, &'static str)] {
        &[
            ("github", "GitHub"),
            ("gitlab", "GitLab"),
            ("gitea", "Gitea"),
            ("forgejo", "Forgejo"),
            ("bitbucket", "Bitbucket"),
        ]
    }

    /// One that is set, with trouble.
    pub(super) fn sample(errors: Errors) -> Self {
        Self {
            is_set: true,
            kind: "github".to_owned(),
            api_url: "https://api.github.com".to_owned(),
            trouble: Some("GitHub does not know the token (401). Set another one.".to_owned()),
            told: Some(sample::NOW.plus(-sample::DAY)),
            errors,
        }
    }
}

impl PushCard {
    pub(super) fn sample() -> Self {
        let address = "https://example.com/git/web.git".to_owned();
        Self {
            remote: format!("git remote add orbitra {address}"),
            push: "git push orbitra main".to_owned(),
            address,
            branches: "`main` goes to production.".to_owned(),
            other: Some("It stays `https://github.com/acme/web.git`.".to_owned()),
        }
    }
}
