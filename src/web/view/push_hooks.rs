//! The push hooks of a project, a part of its settings.

use super::form::Errors;
use super::sample;
use super::time::Moment;

/// What there is, and the form for one more.
#[derive(Clone, Debug, Default)]
pub struct PushHooks {
    pub rows: Vec<HookRow>,
    pub form: NewHookForm,
    pub errors: Errors,
    /// On the page after the form, once.
    pub created: Option<CreatedHook>,
}

/// One hook, without its secret.
#[derive(Clone, Debug)]
pub struct HookRow {
    pub id: String,
    /// `GitHub push hook`.
    pub name: String,
    /// Which branches it deploys: `main to production, all others as previews`.
    pub deploys: String,
    pub url: String,
    /// When it was last called; `None` until then.
    pub heard: Option<Moment>,
    /// What is to be done with it, in two sentences.
    pub steps: [&'static str; 2],
}

/// What was typed.
#[derive(Clone, Debug)]
pub struct NewHookForm {
    pub provider: String,
    pub branch: String,
    pub previews: bool,
    pub pull_requests: bool,
    pub wait_for_checks: bool,
}

impl Default for NewHookForm {
    fn default() -> Self {
        Self {
            provider: "github".to_owned(),
            branch: String::new(),
            previews: false,
            pull_requests: false,
            wait_for_checks: false,
        }
    }
}

/// A hook that was just made or has a new address.
#[derive(Clone, Debug)]
pub struct CreatedHook {
    pub name: String,
    pub url: String,
    /// A deploy hook has none.
    pub secret: Option<String>,
    pub steps: [&'static str; 2],
}

impl PushHooks {
    /// Who may call: value and word.
    pub(super) fn providers() -> &'static [(&'static str, &'static str)] {
        &[
            ("github", "GitHub"),
            ("gitlab", "GitLab"),
            ("gitea", "Gitea"),
            ("forgejo", "Forgejo"),
            ("bitbucket", "Bitbucket"),
            ("generic", "Another forge, or a program that signs"),
            ("deploy", "A script, by the address alone"),
        ]
    }

    /// One that waits, one that was called, and one that was just made.
    pub(super) fn sample(errors: Errors) -> Self {
        let steps = [
            "In the repository: Settings, Webhooks, Add webhook.",
            "Content type `application/json`, the address and the secret from here, just the push event.",
        ];
        let url = "https://example.com/api/v1/hooks/git/orbh_0123456789ABCDEFGHIJabcdefghij000000"
            .to_owned();
        let waiting = HookRow {
            id: "ghk_7k2m9qhx4t8w1z3c".to_owned(),
            name: "GitHub push hook".to_owned(),
            deploys: "`main` to production, all others as previews".to_owned(),
            url: url.clone(),
            heard: None,
            steps,
        };
        let heard = HookRow {
            id: "ghk_8k2m9qhx4t8w1z3c".to_owned(),
            heard: Some(sample::NOW.plus(-sample::DAY)),
            ..waiting.clone()
        };
        let created =
            CreatedHook { name: waiting.name.clone(), url, secret: Some("00".repeat(32)), steps };
        Self { rows: vec![waiting, heard], errors, created: Some(created), ..Self::default() }
    }
}
