//! Finds the file that really has a web application in it, and the variable or the function that is it.

use super::modules::{Module, candidates};
use crate::builder::{DetectError, Project};

/// How an application is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    Asgi,
    Wsgi,
}

/// A kind of application: the class that is called, its name for people, the framework's id, its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    class: &'static str,
    pub id: &'static str,
    pub interface: Interface,
}

const KINDS: &[Kind] = &[
    Kind { class: "FastAPI", id: "fastapi", interface: Interface::Asgi },
    Kind { class: "Flask", id: "flask", interface: Interface::Wsgi },
    Kind { class: "Starlette", id: "python", interface: Interface::Asgi },
    Kind { class: "Quart", id: "python", interface: Interface::Asgi },
    Kind { class: "Litestar", id: "python", interface: Interface::Asgi },
];

/// Names of functions that make an application.
const FACTORIES: &[&str] =
    &["create_app", "make_app", "build_app", "get_app", "create_application", "app_factory"];

/// Largest file that is searched, in bytes.
const LARGEST: u64 = 256 * 1024;

/// An application in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct App {
    pub kind: Kind,
    pub module: Module,
    /// Name of the variable, or of the function that makes it.
    pub name: String,
    pub is_factory: bool,
}

/// What one file says.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Variable(String, Kind),
    /// A variable with what a factory makes, by the factory's name.
    Made(String, String),
    Factory(String, Kind),
}

/// Looks through the files in the order in which an application is likely to be in them. `only` is an id to look for.
pub(super) fn find(project: &Project<'_>, only: Option<&str>) -> Result<Option<App>, DetectError> {
    let mut made: Option<(Module, String, String)> = None;
    let mut factories: Vec<App> = Vec::new();
    let wanted = |kind: &Kind| only.is_none_or(|id| id == kind.id);
    for path in candidates(project)? {
        let text = match project.tree.read(&path, LARGEST) {
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Ok(None) | Err(crate::git::TreeError::TooLarge(..)) => continue,
            Err(error) => return Err(error.into()),
        };
        let all = search(&text);
        if all.is_empty() {
            continue;
        }
        let Some(module) = Module::of(project, &path, &text)? else { continue };
        for found in all {
            match found {
                Found::Variable(name, kind) if wanted(&kind) => {
                    // A file that comes earlier and holds what a factory makes is meant to be served.
                    let app = App { kind, module: module.clone(), name, is_factory: false };
                    return Ok(Some(match made {
                        Some((module, name, _)) => App { module, name, ..app },
                        None => app,
                    }));
                }
                Found::Factory(name, kind) if wanted(&kind) => {
                    factories.push(App { kind, module: module.clone(), name, is_factory: true });
                }
                Found::Made(name, factory) if made.is_none() => {
                    made = Some((module.clone(), name, factory));
                }
                _ => {}
            }
        }
    }
    if let Some((module, name, factory)) = made
        && let Some(by) = factories.iter().find(|by| by.name == factory)
    {
        return Ok(Some(App { kind: by.kind, module, name, is_factory: false }));
    }
    Ok(factories.into_iter().next())
}

/// Looks at the lines that begin in the first column: those are run when the module is imported.
fn search(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut factory: Option<String> = None;
    let mut quoted: Option<&str> = None;
    for line in text.lines() {
        if let Some(quote) = quoted {
            if line.matches(quote).count() % 2 == 1 {
                quoted = None;
            }
            continue;
        }
        let code = line.split(" #").next().unwrap_or_default();
        if code.trim_start().starts_with('#') {
            continue;
        }
        quoted = ["\"\"\"", "'''"].into_iter().find(|quote| code.matches(*quote).count() % 2 == 1);
        if code.starts_with([' ', '\t']) {
            if let (Some(name), Some(kind)) = (&factory, called(code)) {
                found.push(Found::Factory(name.clone(), kind));
                factory = None;
            }
            continue;
        }
        if code.is_empty() || code.starts_with(')') {
            continue;
        }
        factory = factory_name(code);
        let Some((name, value)) = assignment(code) else { continue };
        if let Some(kind) = called(value) {
            found.push(Found::Variable(name.to_owned(), kind));
        } else if let Some(by) = FACTORIES.iter().find(|by| calls(value, by)) {
            found.push(Found::Made(name.to_owned(), (*by).to_owned()));
        }
    }
    found
}

/// `app: FastAPI = FastAPI(…`: the name and what is assigned.
fn assignment(code: &str) -> Option<(&str, &str)> {
    let (target, value) = code.split_once('=')?;
    if value.starts_with('=') || target.ends_with(['!', '<', '>', '+', '-', ':']) {
        return None;
    }
    let name = target.split(':').next().unwrap_or_default().trim();
    is_identifier(name).then_some((name, value))
}

fn called(code: &str) -> Option<Kind> {
    KINDS.iter().copied().find(|kind| calls(code, kind.class))
}

/// Whether a function or a class of this name is called.
fn calls(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + name.len()..].trim_start();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_') && after.starts_with('(')
    })
}

/// The name of a factory that needs no arguments.
fn factory_name(code: &str) -> Option<String> {
    let rest = code.strip_prefix("def ")?;
    let (name, parameters) = rest.split_once('(')?;
    let name = name.trim();
    let parameters = parameters.split(')').next().unwrap_or_default();
    let callable = parameters.split(',').map(str::trim).all(|parameter| {
        parameter.is_empty() || parameter.contains('=') || parameter.starts_with('*')
    });
    (FACTORIES.contains(&name) && callable).then(|| name.to_owned())
}

pub(super) fn is_identifier(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Overrides;
    use crate::git::SourceTree;
    use crate::git::memory_tree::MemoryTree;

    fn found(files: &[(&str, &str)]) -> Option<String> {
        let tree = MemoryTree::new(files);
        let overrides = Overrides::default();
        let entries = tree.list("").unwrap();
        let project = Project { tree: &tree, overrides: &overrides, entries, repository: None };
        find(&project, None).unwrap().map(|app| {
            let call = if app.is_factory { "()" } else { "" };
            let directory = app.module.directory.map(|d| format!(" in {d}")).unwrap_or_default();
            format!("{} {}:{}{call}{directory}", app.kind.id, app.module.name, app.name)
        })
    }

    #[test]
    fn the_file_that_has_the_application_is_the_one_that_is_served() {
        for (files, expected) in [
            // Not the file with the usual name, but the one with the application.
            (
                &[
                    ("main.py", "import app"),
                    ("app.py", "from fastapi import FastAPI\napi = FastAPI()\n"),
                ][..],
                "fastapi app:api",
            ),
            (
                &[(
                    "service.py",
                    "application: fastapi.FastAPI = fastapi.FastAPI(\n  title='x',\n)",
                )],
                "fastapi service:application",
            ),
            (&[("app.py", "app = Flask(__name__)  # FastAPI()")], "flask app:app"),
            (
                &[("app/__init__.py", ""), ("app/main.py", "app = FastAPI()")],
                "fastapi app.main:app",
            ),
            (
                &[("app/main.py", "from app.routes import x\napp = FastAPI()")],
                "fastapi app.main:app",
            ),
            (&[("app/main.py", "from .routes import x\napp = FastAPI()")], "fastapi app.main:app"),
            (
                &[("src/main.py", "from routes import x\napp = FastAPI()")],
                "fastapi main:app in src",
            ),
            (
                &[("src/shop/__init__.py", ""), ("src/shop/web.py", "app = Flask('x')")],
                "flask shop.web:app in src",
            ),
            (&[("my-api/main.py", "app = Starlette(routes=[])")], "python main:app in my-api"),
            (&[("shop/__init__.py", "app = Flask(__name__)")], "flask shop:app"),
            // Factories.
            (
                &[(
                    "shop/__init__.py",
                    "def create_app(config=None):\n    app = Flask(__name__)\n    return app\n",
                )],
                "flask shop:create_app()",
            ),
            (
                &[
                    (
                        "shop/__init__.py",
                        "def create_app():\n    app = Flask(__name__)\n    return app\n",
                    ),
                    ("wsgi.py", "from shop import create_app\n\napp = create_app()\n"),
                ],
                "flask wsgi:app",
            ),
            (
                &[(
                    "main.py",
                    "def helper():\n    pass\n\ndef make_app() -> FastAPI:\n    return FastAPI()\n",
                )],
                "fastapi main:make_app()",
            ),
        ] {
            assert_eq!(found(files).as_deref(), Some(expected), "{files:?}");
        }
    }

    #[test]
    fn what_only_looks_like_an_application_is_none() {
        for text in [
            "# app = FastAPI()",
            "\"\"\"\napp = FastAPI()\n\"\"\"\n",
            "def test():\n    app = FastAPI()\n",
            "class MyFastAPI(app):\n    pass",
            "app == FastAPI()",
            "app = MyFlask()",
            "def create_app(config):\n    return Flask(config)\n",
            "print('app', FastAPI())",
            "app = FastAPI",
        ] {
            assert_eq!(found(&[("main.py", text)]), None, "{text}");
        }
        for path in [
            "tests/app.py",
            "docs/app.py",
            ".x/app.py",
            "a/b/c/d/app.py",
            "node_modules/app.py",
            "a b.py",
        ] {
            assert_eq!(found(&[(path, "app = FastAPI()")]), None, "{path}");
        }
    }
}
