//! Plans of Python trees.

use super::super::*;
use crate::git::memory_tree::MemoryTree;
use crate::model::build_plan::PINNED;

fn planned(files: &[(&str, &str)]) -> Result<BuildPlan, DetectError> {
    plan(&MemoryTree::new(files), &Overrides::default())
}

fn dockerfile(plan: &BuildPlan) -> &str {
    plan.dockerfile().unwrap()
}

fn message(files: &[(&str, &str)]) -> String {
    planned(files).unwrap_err().to_string()
}

const MANAGE: &str = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')";

fn django(settings: &str) -> BuildPlan {
    planned(&[
        ("manage.py", MANAGE),
        ("requirements.txt", "django==5.2\ngunicorn==23\n"),
        ("shop/settings.py", settings),
        ("shop/wsgi.py", ""),
        ("package.json", r#"{"devDependencies":{"tailwindcss":"4"}}"#),
    ])
    .unwrap()
}

#[test]
fn a_django_project_with_assets_is_no_node_project() {
    let made = django(
        "DATABASES = {'default': dj_database_url.config()}\nSTATIC_ROOT = 'x'\nALLOWED_HOSTS = []\n",
    );
    assert_eq!(made.framework, "django");
    assert_eq!(made.reason, "There is a `manage.py`; `shop.wsgi` is served.");
    assert_eq!(made.build_command.as_deref(), Some("python manage.py collectstatic --noinput"));
    assert_eq!(made.release_command.as_deref(), Some("python manage.py migrate --noinput"));
    // Migrations in the start command would run while the old version serves, and once for each instance.
    assert!(!dockerfile(&made).contains("migrate"), "{}", dockerfile(&made));
    assert_eq!(
        dockerfile(&made).lines().last(),
        Some(r#"CMD ["gunicorn","--threads","4","shop.wsgi:application"]"#)
    );
    assert_eq!(made.warnings.len(), 2, "{:?}", made.warnings);
    assert!(made.warnings[0].starts_with("`ALLOWED_HOSTS` is empty"));
    assert!(made.warnings[1].contains("whitenoise"));
    let home = django("DATABASES = {'ENGINE': 'django.db.backends.sqlite3'}");
    assert_eq!((home.release_command, home.build_command), (None, None));
    assert!(home.warnings[0].starts_with("The settings use SQLite"));
}

#[test]
fn django_below_the_root_and_with_split_settings() {
    let made = planned(&[
        ("requirements.txt", "django==5.2\nuvicorn==0.35"),
        (
            "backend/manage.py",
            "os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"config.settings.local\")",
        ),
        (
            "backend/config/settings/base.py",
            "STATIC_ROOT = 'x'\nASGI_APPLICATION = 'config.asgi.application'",
        ),
        ("backend/config/settings/local.py", "from .base import *"),
        ("backend/config/asgi.py", ""),
    ])
    .unwrap();
    assert_eq!(
        made.start_command.as_deref(),
        Some("uvicorn --host 0.0.0.0 --port $PORT --app-dir backend config.asgi:application")
    );
    assert_eq!(
        made.build_command.as_deref(),
        Some("python backend/manage.py collectstatic --noinput")
    );
    let missing = message(&[("manage.py", MANAGE), ("shop/settings.py", "")]);
    assert!(missing.contains("neither `shop/wsgi.py` nor `shop/asgi.py` is there"), "{missing}");
}

#[test]
fn tools_install_in_their_own_way() {
    let of = |files: &[(&str, &str)]| {
        let mut all = vec![("main.py", "print()")];
        all.extend(files);
        let made = planned(&all).unwrap();
        let versions: Vec<String> =
            made.versions.iter().map(|v| format!("{} {}", v.name, v.version)).collect();
        (made.install_command.unwrap_or_default(), versions.join(", "), made.warnings.join(" "))
    };
    let project = "[project]\nname='x'\nrequires-python='>=3.10'\ndependencies=['a']\n";
    let poetry = "[tool.poetry.dependencies]\npython='~3.11'\nflask='3'";
    for (files, install, tools, warned) in [
        (&[][..], "", "python 3.13", false),
        (&[("requirements.txt", "a==1")], "pip install -r requirements.txt", "python 3.13", false),
        (&[("requirements.txt", "a>=1")], "pip install -r requirements.txt", "python 3.13", true),
        (
            &[("pyproject.toml", project), ("uv.lock", "")],
            "uv sync --locked --no-dev --no-install-project",
            "python 3.13, uv 0.13.9",
            false,
        ),
        (
            &[("pyproject.toml", project)],
            "uv sync --no-dev --no-install-project",
            "python 3.13, uv 0.13.9",
            true,
        ),
        (
            &[("pyproject.toml", poetry), ("poetry.lock", "")],
            "poetry install --only main --no-root --no-ansi",
            "python 3.11, poetry 2.5.1",
            false,
        ),
        (
            &[("pyproject.toml", project), ("pdm.lock", "")],
            "pdm install --check --prod --no-self",
            "python 3.13, pdm 2.29.3",
            false,
        ),
        (
            &[("Pipfile", "[requires]\npython_version='3.12'"), ("Pipfile.lock", "{}")],
            "pipenv install --deploy",
            "python 3.12, pipenv 2026.10.3",
            false,
        ),
        (&[("Pipfile", "")], "pipenv install --skip-lock", "python 3.13, pipenv 2026.10.3", true),
    ] {
        let (command, versions, warnings) = of(files);
        assert_eq!((command.as_str(), versions.as_str()), (install, tools), "{files:?}");
        assert_eq!(!warnings.is_empty(), warned, "{files:?}: {warnings}");
    }
}

#[test]
fn a_change_of_the_source_leaves_the_installed_dependencies_alone() {
    let made = planned(&[
        ("app.py", "app = Flask(__name__)"),
        ("requirements.txt", "-r requirements/base.txt\nflask==3\n"),
        ("requirements/base.txt", "psycopg2==2.9"),
    ])
    .unwrap();
    let text = dockerfile(&made);
    let lines: Vec<&str> = text.lines().collect();
    let at = |start: &str| lines.iter().position(|line| line.starts_with(start)).expect(start);
    assert!(
        at("COPY requirements.txt ./")
            < at("RUN --mount=type=cache,target=/root/.cache/pip --mount")
    );
    assert_eq!(
        lines[at("COPY requirements/base.txt")],
        "COPY requirements/base.txt ./requirements/"
    );
    assert!(at("RUN --mount=type=cache,target=/root/.cache/pip --mount") < at("COPY . ."));
    assert!(lines[at("RUN apt-get")].contains(" gcc libc6-dev libpq-dev "));
    assert_eq!(
        text.matches("libpq5").count(),
        1,
        "the final image has the library, not the compiler"
    );
    assert!(
        made.warnings.iter().any(|warning| warning.starts_with("gunicorn ")),
        "{:?}",
        made.warnings
    );
    assert!(text.contains("\nUSER app\n") && text.contains("PYTHONUNBUFFERED=1"));
}

#[test]
fn versions_come_from_the_first_place_that_names_one() {
    let main = ("main.py", "print()");
    let version = |files: &[(&str, &str)], overrides: &Overrides| {
        let mut all = vec![main];
        all.extend(files);
        let made = plan(&MemoryTree::new(&all), overrides);
        made.map(|made| format!("{} ({})", made.versions[0].version, made.versions[0].source))
    };
    let none = Overrides::default();
    let pinned = Overrides { pins: vec![("python".into(), "3.11".into())], ..Overrides::default() };
    let range = ("pyproject.toml", "[project]\nname='x'\nrequires-python='>=3.12'");
    for (files, overrides, expected) in [
        (&[][..], &none, "3.13 (the default)"),
        (&[], &pinned, &format!("3.11 ({PINNED})")),
        (&[(".python-version", "# mine\n3.12.4\n")], &pinned, "3.12 (`.python-version`)"),
        (&[("runtime.txt", "python-3.11.9")], &none, "3.11 (`runtime.txt`)"),
        (&[(".tool-versions", "nodejs 22\npython 3.10.2 3.9")], &none, "3.10 (`.tool-versions`)"),
        (&[("mise.toml", "[tools]\npython = ['3.14', '3.12']")], &none, "3.14 (`mise.toml`)"),
        // A pin that the range does not allow any more gives way.
        (&[range], &pinned, "3.13 (requires-python in `pyproject.toml`)"),
        (
            &[range, ("orbitra.toml", "versions.python = '3.14'")],
            &pinned,
            "3.14 (versions in orbitra.toml)",
        ),
    ] {
        assert_eq!(version(files, overrides).unwrap(), expected, "{files:?}");
    }
    for (files, expected) in [
        (
            &[(".python-version", "3.7")][..],
            "Python 3.7 (`.python-version`) is too old: 3.10 to 3.14",
        ),
        (&[(".python-version", "3.15")], "Python 3.15 (`.python-version`) is not known here yet"),
        (
            &[(".python-version", "pypy3.10")],
            "`pypy3.10` (`.python-version`) is no version of Python",
        ),
        (
            &[("orbitra.toml", "versions.python = '2.7'")],
            "`2.7` (versions in orbitra.toml) is no version",
        ),
        (
            &[("pyproject.toml", "project.requires-python = '<3.8'")],
            "`<3.8` (requires-python in `pyproject.toml`) allows none",
        ),
        (
            &[("pyproject.toml", "project.requires-python = 'new'")],
            "`new` (requires-python in `pyproject.toml`) is no range",
        ),
    ] {
        let error = version(files, &none).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn what_is_wrong_or_missing_is_said() {
    let nothing = message(&[("requirements.txt", "")]);
    assert!(
        nothing.starts_with(
            "This is a Python project (`requirements.txt`), and what to start was not found"
        ),
        "{nothing}"
    );
    for (files, expected) in [
        (&[("pyproject.toml", "a = 1\n[b")][..], "`pyproject.toml` is not valid TOML: line 2: "),
        (
            &[("pyproject.toml", "[project]\ndependencies = 3")],
            "`pyproject.toml` is wrong: `project.dependencies` must be a list",
        ),
        (&[("Pipfile", "[[")], "`Pipfile` is not valid TOML: line 1: "),
    ] {
        assert!(message(files).starts_with(expected), "{}", message(files));
    }
    let long = "x".repeat(1024 * 1024 + 1);
    assert!(message(&[("requirements.txt", &long)]).contains("larger than"));
    let forced = |id: &str, files: &[(&str, &str)]| {
        let overrides = Overrides { framework: Some(id.into()), ..Overrides::default() };
        plan(&MemoryTree::new(files), &overrides)
    };
    for (id, expected) in [
        ("django", "There is no `manage.py`"),
        (
            "flask",
            "This is a Python project (`app.py`), and what to start was not found: there is no `Flask(`",
        ),
        (
            "fastapi",
            "This is a Python project (`app.py`), and what to start was not found: there is no `FastAPI(`",
        ),
    ] {
        let error = forced(id, &[("app.py", "print()")]).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(forced(id, &[("README.md", "")]).is_err(), "{id}");
    }
    assert_eq!(forced("python", &[("app.py", "print()")]).unwrap().framework, "python");
    assert_eq!(forced("fastapi", &[("x.py", "a = FastAPI()")]).unwrap().framework, "fastapi");
}

#[test]
fn a_tree_of_another_kind_with_python_in_it_is_not_python() {
    let node = planned(&[
        ("package.json", r#"{"main":"index.js"}"#),
        ("index.js", ""),
        ("requirements.txt", "mkdocs"),
        ("main.py", "print()"),
    ]);
    // What can be started is Python's; only tools are not.
    assert_eq!(node.unwrap().framework, "python");
    let node = planned(&[
        ("package.json", r#"{"main":"index.js"}"#),
        ("index.js", ""),
        ("requirements.txt", "x"),
    ]);
    assert_eq!(node.unwrap().framework, "nodejs");
    let site = planned(&[("index.html", ""), ("requirements.txt", "mkdocs")]);
    assert_eq!(site.unwrap().framework, "static");
}
