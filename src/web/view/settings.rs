//! `/dashboard/projects/{name}/settings`: a form for each part, and the way to delete the project.

use askama::Template;

use super::forge::{ForgeCard, PushCard};
use super::form::Errors;
use super::push_hooks::PushHooks;
use super::sample;
use super::shell::Shell;
use super::time::Moment;

/// The page.
#[derive(Template)]
#[template(path = "settings.html", blocks = ["hooks"])]
pub struct SettingsPage {
    pub shell: Shell,
    pub project: String,
    pub project_id: String,
    pub sections: Vec<Section>,
    /// Of a project that is read over SSH.
    pub key: Option<KeyCard>,
    /// How it is pushed to.
    pub push: PushCard,
    pub forge: ForgeCard,
    pub hooks: PushHooks,
    /// Of the form to delete the project, which is then open.
    pub errors: Errors,
}

/// The public half of a project's deploy key, and what to do with it.
#[derive(Clone, Debug)]
pub struct KeyCard {
    /// A line as forges take it.
    pub public_key: String,
    pub fingerprint: String,
    pub made: Moment,
    /// Where it is put: `In the repository on GitHub: Settings, Deploy keys.`
    pub place: String,
    /// The page where it is put, when it is known.
    pub page: Option<String>,
    /// How Orbitra knows the server.
    pub server: String,
    /// What tells the server's own key, when Orbitra does not know it.
    pub scan: Option<String>,
}

/// A form.
#[derive(Clone, Debug)]
pub struct Section {
    /// The last part of its address.
    pub name: &'static str,
    pub title: &'static str,
    /// When a change counts.
    pub applies: &'static str,
    pub fields: Vec<Setting>,
    /// Stands for the values the form was made with.
    pub was: String,
    pub errors: Errors,
}

/// A field.
#[derive(Clone, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub label: &'static str,
    pub hint: String,
    pub value: String,
    pub kind: Kind,
}

/// What is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of at most this many characters; shown when it is empty.
    Text(u32, &'static str),
    /// Lines of at most this many characters together; shown when it is empty.
    Lines(u32, &'static str),
    /// From the first to the second.
    Number(u32, u32),
    /// A secret of at most this many characters. It is never shown again.
    Secret(u32),
    /// One of these: value and word.
    Choice(&'static [(&'static str, &'static str)]),
}

impl Setting {
    /// The choices, of a field that has some.
    fn choices(&self) -> &'static [(&'static str, &'static str)] {
        match self.kind {
            Kind::Choice(choices) => choices,
            _ => &[],
        }
    }

    /// Whether its value is never shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(_))
    }

    /// Whether it has several lines.
    fn is_long(&self) -> bool {
        matches!(self.kind, Kind::Lines(..))
    }

    /// The smallest and the largest number.
    fn range(&self) -> Option<(u32, u32)> {
        match self.kind {
            Kind::Number(least, most) => Some((least, most)),
            _ => None,
        }
    }

    /// The most characters, and what stands in an empty field.
    fn text(&self) -> (u32, &'static str) {
        match self.kind {
            Kind::Text(most, placeholder) | Kind::Lines(most, placeholder) => (most, placeholder),
            Kind::Secret(most) => (most, ""),
            _ => (10, ""),
        }
    }
}

impl SettingsPage {
    /// Full, with a deploy key, with errors and the wrong name.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let setting = |name, label, value: &str, kind| Setting {
            name,
            label,
            hint: "Lower-case letters, digits and `-`.".to_owned(),
            value: value.to_owned(),
            kind,
        };
        let sections = |errors| {
            vec![
                Section {
                    name: "general",
                    title: "General",
                    applies: "Applies now.",
                    fields: vec![
                        setting("name", "Name", "web", Kind::Text(40, "")),
                        setting("description", "Description", "", Kind::Text(500, "optional")),
                    ],
                    was: "00".repeat(16),
                    errors,
                },
                Section {
                    name: "source",
                    title: "Source",
                    applies: "Applies at the next deployment.",
                    fields: vec![
                        setting(
                            "git_url",
                            "Git URL",
                            "git@github.com:acme/web.git",
                            Kind::Text(2048, ""),
                        ),
                        setting("token", "Access token", "", Kind::Secret(1024)),
                        setting(
                            "watch_paths",
                            "Watch",
                            "apps/web/**\n!**/*.md",
                            Kind::Lines(10_050, "all"),
                        ),
                    ],
                    was: "00".repeat(16),
                    errors: Errors::none(),
                },
                Section {
                    name: "run",
                    title: "Run",
                    applies: "Applies at the next deployment.",
                    fields: vec![
                        setting("memory_mb", "Memory", "512", Kind::Number(32, 262_144)),
                        setting(
                            "builder",
                            "Builder",
                            "auto",
                            Kind::Choice(&[("auto", "Found out"), ("dockerfile", "Dockerfile")]),
                        ),
                    ],
                    was: "00".repeat(16),
                    errors: Errors::none(),
                },
            ]
        };
        let key = KeyCard {
            public_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea orbitra-web".to_owned(),
            fingerprint: "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU".to_owned(),
            made: sample::NOW.plus(-sample::DAY),
            place: "In the repository on GitHub: Settings, Deploy keys. Reading is enough.".to_owned(),
            page: Some("https://github.com/acme/web/settings/keys".to_owned()),
            server: "The host keys that GitHub publishes are known.".to_owned(),
            scan: None,
        };
        let elsewhere = KeyCard {
            place:
                "Among the deploy keys of the repository on `git.example.org`. Reading is enough."
                    .to_owned(),
            page: None,
            server: "Orbitra talks to servers it knows only.".to_owned(),
            scan: Some("ssh-keyscan -p 2222 git.example.org".to_owned()),
            ..key.clone()
        };
        let page = |sections, key, hooks, errors| Self {
            shell: sample::shell(),
            project: "web".to_owned(),
            project_id: "prj_7k2m9qhx4t8w1z3c".to_owned(),
            sections,
            key,
            push: PushCard::sample(),
            forge: ForgeCard::sample(Errors::none()),
            hooks,
            errors,
        };
        let wrong = Errors::one("hook_branch", "A branch name cannot start with `-`.");
        let taken = Errors::one("name", "The name `web` is taken.");
        vec![
            (
                "full",
                Self {
                    push: PushCard { other: None, ..PushCard::sample() },
                    forge: ForgeCard::default(),
                    ..page(sections(Errors::none()), None, PushHooks::default(), Errors::none())
                },
            ),
            (
                "key",
                page(
                    sections(Errors::none()),
                    Some(key),
                    PushHooks::sample(Errors::none()),
                    Errors::none(),
                ),
            ),
            (
                "error",
                Self {
                    forge: ForgeCard::sample(Errors::one("forge_token", "At least 1 character.")),
                    ..page(
                        sections(taken),
                        Some(elsewhere),
                        PushHooks::sample(wrong),
                        Errors::one("confirm", "The name is `web`."),
                    )
                },
            ),
        ]
    }
}
