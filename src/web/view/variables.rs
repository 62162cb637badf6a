//! `/dashboard/projects/{name}/variables`.

use askama::Template;

use super::form::Errors;
use super::sample;
use super::shell::Shell;
use super::time::Moment;

/// Which deployments a variable can be for: value and word.
pub const TARGETS: [(&str, &str); 3] =
    [("all", "All deployments"), ("production", "Production"), ("preview", "Previews")];

/// The page. `pending` is a region that updates itself. No value is in it but the one somebody just asked for.
#[derive(Template)]
#[template(path = "variables.html", blocks = ["pending"])]
pub struct VariablesPage {
    pub shell: Shell,
    /// The name of the project.
    pub project: String,
    pub project_id: String,
    pub rows: Vec<VariableRow>,
    /// How many the project has, with those the filter leaves out.
    pub total: usize,
    /// Only those of this target; empty is all.
    pub target: &'static str,
    /// Only those with this in their name.
    pub query: String,
    pub pending: Option<Pending>,
    /// There is something that a change can be deployed with.
    pub may_redeploy: bool,
    pub add: AddForm,
    pub errors: Errors,
    pub paste: PasteForm,
    pub paste_errors: Errors,
    pub preview: Option<Preview>,
}

/// One variable.
#[derive(Clone, Debug)]
pub struct VariableRow {
    pub key: String,
    /// `all`, `production` or `preview`.
    pub target: &'static str,
    pub sensitive: bool,
    /// Who set it.
    pub source: String,
    pub at: Moment,
    /// Only right after it was asked for.
    pub value: Option<String>,
}

/// Changes that visitors do not get yet.
#[derive(Clone, Debug)]
pub struct Pending {
    /// What to deploy again.
    pub deployment: Option<String>,
    /// The project is paused, so nothing can be deployed.
    pub paused: bool,
}

/// What was typed into the form of a new variable.
#[derive(Clone, Debug)]
pub struct AddForm {
    pub key: String,
    pub value: String,
    pub target: String,
    pub sensitive: bool,
}

impl Default for AddForm {
    fn default() -> Self {
        Self {
            key: String::new(),
            value: String::new(),
            target: "all".to_owned(),
            sensitive: false,
        }
    }
}

/// The text of a `.env` file.
#[derive(Clone, Debug)]
pub struct PasteForm {
    pub text: String,
    pub target: String,
    /// All others of the target go.
    pub replace: bool,
}

impl Default for PasteForm {
    fn default() -> Self {
        Self { text: String::new(), target: "all".to_owned(), replace: false }
    }
}

/// What a pasted text would change.
#[derive(Clone, Debug)]
pub struct Preview {
    pub created: Vec<String>,
    pub updated: Vec<String>,
    /// How many are like this already.
    pub same: usize,
    pub deleted: Vec<String>,
    /// Stands for the text and these changes.
    pub digest: String,
}

impl VariableRow {
    /// `Production`.
    pub fn place(&self) -> &'static str {
        TARGETS.iter().find(|(value, _)| *value == self.target).map_or("", |(_, word)| word)
    }
}

impl Preview {
    /// How many variables would change.
    fn count(&self) -> usize {
        self.created.len() + self.updated.len() + self.deleted.len()
    }
}

impl VariablesPage {
    fn targets(&self) -> [(&'static str, &'static str); 3] {
        TARGETS
    }

    /// A filter is a help only when there is something to leave out.
    fn filterable(&self) -> bool {
        self.total > 8 || !self.query.is_empty() || !self.target.is_empty()
    }

    /// Full, empty, no match, refused, previewed, revealed, many.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let row = |key: &str, target, sensitive| VariableRow {
            key: key.to_owned(),
            target,
            sensitive,
            source: "Ada Lovelace".to_owned(),
            at: sample::NOW.plus(-3 * sample::DAY),
            value: None,
        };
        let page = |rows: Vec<VariableRow>| Self {
            shell: sample::shell(),
            project: "web".to_owned(),
            project_id: "prj_7k2m9qhx4t8w1z3c".to_owned(),
            total: rows.len(),
            rows,
            target: "",
            query: String::new(),
            pending: None,
            may_redeploy: true,
            add: AddForm::default(),
            errors: Errors::none(),
            paste: PasteForm::default(),
            paste_errors: Errors::none(),
            preview: None,
        };
        let rows = || {
            vec![
                row("DATABASE_URL", "all", false),
                row("SESSION_KEY", "production", false),
                row("STRIPE_SECRET", "production", true),
                row("PUBLIC_URL", "preview", false),
            ]
        };
        let deployment = Some("dep_1q7w1z3c7k2m9qhx".to_owned());
        let mut errors = Errors::one("key", "The variable `PUBLIC_URL` exists for this target.");
        errors.add("value", "A value may have 32 KiB.");
        let mut revealed = rows();
        revealed[1].value = Some("line 1\nline 2 <b>&amp;".to_owned());
        let many =
            (0..500).map(|number| row(&format!("VARIABLE_{number}"), "all", number % 7 == 0));
        let text = "SMTP_URL=smtp://mail\nSESSION_KEY=\"new\"\n".to_owned();
        vec![
            ("full", Self { pending: Some(Pending { deployment, paused: false }), ..page(rows()) }),
            ("empty", Self { may_redeploy: false, ..page(Vec::new()) }),
            ("no match", Self { query: "shop".to_owned(), total: 12, ..page(Vec::new()) }),
            (
                "error",
                Self {
                    add: AddForm { key: "PUBLIC_URL".to_owned(), ..AddForm::default() },
                    errors,
                    paste: PasteForm { text: "A=1\n2FA=yes".to_owned(), ..PasteForm::default() },
                    paste_errors: Errors::one("text", "Line 2: the name is not valid."),
                    pending: Some(Pending { deployment: None, paused: true }),
                    ..page(rows())
                },
            ),
            (
                "preview",
                Self {
                    paste: PasteForm { text, replace: true, ..PasteForm::default() },
                    preview: Some(Preview {
                        created: vec!["SMTP_URL".to_owned()],
                        updated: vec!["SESSION_KEY".to_owned()],
                        same: 12,
                        deleted: vec!["OLD_FLAG".to_owned()],
                        digest: "00".repeat(16),
                    }),
                    ..page(rows())
                },
            ),
            ("revealed", page(revealed)),
            ("many", page(many.collect())),
        ]
    }
}
