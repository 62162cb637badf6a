//! Django projects: `manage.py`, the settings it names, and how they are served.

use super::app::{Interface, is_identifier};
use crate::builder::{DetectError, Project};
use crate::git::{EntryKind, TreeError};

/// Files of a settings package that are read at most.
const MOST_SETTINGS: usize = 10;
/// Directories beside the root in which `manage.py` is looked for.
const MOST_DIRECTORIES: usize = 30;

/// A Django project.
#[derive(Debug)]
pub(super) struct Django {
    /// Directory with `manage.py`; empty for the root.
    pub directory: String,
    /// Module with the application object, such as `shop.wsgi`, and how it is spoken to.
    pub module: String,
    pub interface: Interface,
    settings: String,
}

/// Looks for `manage.py` at the root, then one directory below.
pub(super) fn find(project: &Project<'_>) -> Result<Option<Django>, DetectError> {
    let mut directory = String::new();
    if !project.has_file("manage.py") {
        let below = project.entries.iter().filter(|entry| entry.kind == EntryKind::Directory);
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let mut found = None;
        for entry in
            below.filter(|entry| !entry.path.starts_with(['.', '-'])).take(MOST_DIRECTORIES)
        {
            if entry.path.chars().all(plain)
                && project.is_file(&format!("{}/manage.py", entry.path))?
            {
                found = Some(entry.path.clone());
                break;
            }
        }
        match found {
            Some(found) => directory = found,
            None => return Ok(None),
        }
    }
    let at = |path: &str| match directory.as_str() {
        "" => path.to_owned(),
        directory => format!("{directory}/{path}"),
    };
    let manage = text(project, &at("manage.py"))?;
    let Some(module) = settings_module(&manage) else { return Ok(None) };
    let settings = settings_text(project, &at(&module.replace('.', "/")))?;
    let package = module.split('.').next().unwrap_or_default();
    let asynchronous = quoted_after(&settings, "ASGI_APPLICATION");
    let named = |value: Option<&str>| {
        let (module, _) = value?.rsplit_once('.')?;
        is_module(module).then(|| module.to_owned())
    };
    let candidates = [
        (named(asynchronous), Interface::Asgi),
        (named(quoted_after(&settings, "WSGI_APPLICATION")), Interface::Wsgi),
        (Some(format!("{package}.wsgi")), Interface::Wsgi),
        (Some(format!("{package}.asgi")), Interface::Asgi),
        (Some("wsgi".to_owned()), Interface::Wsgi),
    ];
    for (module, interface) in candidates {
        let Some(module) = module else { continue };
        let path = at(&module.replace('.', "/"));
        if project.is_file(&format!("{path}.py"))?
            || project.is_file(&format!("{path}/__init__.py"))?
        {
            return Ok(Some(Django { directory, module, interface, settings }));
        }
    }
    Err(DetectError::Unsupported(format!(
        "`{}` is a Django project with the settings `{module}`, and neither `{package}/wsgi.py` nor `{package}/asgi.py` is there. \
         Add one, or set the start command.",
        at("manage.py")
    )))
}

impl Django {
    /// `python shop/manage.py`, where that is the place of it.
    pub fn manage(&self, command: &str) -> String {
        match self.directory.as_str() {
            "" => format!("python manage.py {command}"),
            directory => format!("python {directory}/manage.py {command}"),
        }
    }

    /// Whether static files are collected into a directory.
    pub fn collects_static(&self) -> bool {
        self.says("STATIC_ROOT")
    }

    /// Whether there is a database that outlives a container, so that migrations have something to change.
    pub fn has_database(&self) -> bool {
        let other = ["dj_database_url", "postgresql", "mysql", "oracle", "env.db", "mssql"];
        self.says("DATABASES")
            && (other.iter().any(|word| self.says(word)) || !self.says("sqlite3"))
    }

    /// Things that work at home and not on a server.
    pub fn warnings(&self, whitenoise: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.says("DATABASES") && !self.has_database() {
            warnings.push(
                "The settings use SQLite: its file is inside the container, and every deployment begins with an empty one."
                    .to_owned(),
            );
        }
        let compact: String = self.settings.split_whitespace().collect();
        if compact.contains("ALLOWED_HOSTS=[]") {
            warnings.push(
                "`ALLOWED_HOSTS` is empty: Django refuses every visitor unless `DEBUG` is on. Add the site's host name."
                    .to_owned(),
            );
        }
        if self.collects_static() && !whitenoise {
            warnings.push(
                "Static files are collected, and nothing serves them: add `whitenoise` to the dependencies and the middleware."
                    .to_owned(),
            );
        }
        warnings
    }

    fn says(&self, word: &str) -> bool {
        self.settings.lines().any(|line| !line.trim_start().starts_with('#') && line.contains(word))
    }
}

fn text(project: &Project<'_>, path: &str) -> Result<String, DetectError> {
    match project.tree.read(path, crate::builder::READ_LIMIT) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()),
        Err(TreeError::TooLarge(..)) => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}

/// The settings' own file, or the files of the directory it is in: settings are often split by environment.
fn settings_text(project: &Project<'_>, path: &str) -> Result<String, DetectError> {
    let mut all = text(project, &format!("{path}.py"))?;
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let package = if project.is_file(&format!("{path}/__init__.py"))? { path } else { parent };
    if package.rsplit('/').next() == Some("settings") {
        let entries = project.tree.list(package)?;
        let files = entries.iter().filter(|entry| {
            entry.path.ends_with(".py") && matches!(entry.kind, EntryKind::File { .. })
        });
        for entry in files.take(MOST_SETTINGS) {
            all.push('\n');
            all.push_str(&text(project, &entry.path)?);
        }
    }
    Ok(all)
}

/// The module that `manage.py` names.
fn settings_module(manage: &str) -> Option<String> {
    let value = quoted_after(manage, "DJANGO_SETTINGS_MODULE")?;
    is_module(value).then(|| value.to_owned())
}

fn is_module(text: &str) -> bool {
    text.split('.').all(is_identifier)
}

/// The first text in quotes after a name, in the line of the name or the next one.
fn quoted_after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.match_indices(name).find_map(|(at, _)| {
        let line = text[..at].rsplit('\n').next().unwrap_or_default();
        if line.trim_start().starts_with('#') {
            return None;
        }
        let rest = text[at + name.len()..].trim_start_matches(['"', '\'']);
        let mut lines = rest.splitn(3, '\n');
        let (first, second) = (lines.next()?, lines.next().unwrap_or_default());
        [first, second].into_iter().find_map(|line| {
            let start = line.find(['"', '\''])?;
            let quote = line[start..].chars().next()?;
            line[start + 1..].split(quote).next().filter(|value| !value.is_empty())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_they_are_written() {
        for (text, expected) in [
            (
                "os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")",
                Some("shop.settings"),
            ),
            ("os.environ.setdefault('DJANGO_SETTINGS_MODULE',\n    'a.b.c')", Some("a.b.c")),
            ("os.environ['DJANGO_SETTINGS_MODULE'] = 'x.settings'", Some("x.settings")),
            (
                "# DJANGO_SETTINGS_MODULE 'no.settings'\nDJANGO_SETTINGS_MODULE = \"yes.settings\"",
                Some("yes.settings"),
            ),
            ("DJANGO_SETTINGS_MODULE = get()", None),
            ("DJANGO_SETTINGS_MODULE = 'a b'", None),
            ("DJANGO_SETTINGS_MODULE = '../x'", None),
            ("nothing", None),
        ] {
            assert_eq!(settings_module(text).as_deref(), expected, "{text}");
        }
    }
}
