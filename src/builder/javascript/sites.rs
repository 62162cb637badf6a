//! Builds that leave files behind: single-page applications and generators of sites.

use serde_json::Value;

use super::super::DetectError;
use super::config_text::{json, says, values};
use super::framework::{Framework, Shape, Subject, directory};
use super::start::Start;
use super::workspace::is_plain;

/// Builders that need no more than a look at the dependencies.
struct Site {
    package: &'static str,
    name: &'static str,
    build: &'static str,
    directory: &'static str,
    /// Whether the site has a router in the browser.
    fallback: bool,
}

const LISTED: &[Site] = &[
    Site {
        package: "react-scripts",
        name: "Create React App",
        build: "react-scripts build",
        directory: "build",
        fallback: true,
    },
    Site {
        package: "@vue/cli-service",
        name: "Vue CLI",
        build: "vue-cli-service build",
        directory: "dist",
        fallback: true,
    },
    Site {
        package: "gatsby",
        name: "Gatsby",
        build: "gatsby build",
        directory: "public",
        fallback: false,
    },
    Site {
        package: "@docusaurus/core",
        name: "Docusaurus",
        build: "docusaurus build",
        directory: "build",
        fallback: false,
    },
    Site {
        package: "@11ty/eleventy",
        name: "Eleventy",
        build: "eleventy",
        directory: "_site",
        fallback: false,
    },
    Site {
        package: "expo",
        name: "Expo",
        build: "expo export --platform web",
        directory: "dist",
        fallback: true,
    },
    Site {
        package: "parcel",
        name: "Parcel",
        build: "parcel build",
        directory: "dist",
        fallback: true,
    },
];

/// Whether the `start` script runs a server of the project's own.
fn has_server(subject: &Subject<'_>) -> bool {
    Start::of_script(subject.package).is_some()
}

pub(super) fn listed(subject: &Subject<'_>) -> Result<Option<Framework>, DetectError> {
    if has_server(subject) {
        return Ok(None);
    }
    let found = LISTED.iter().find(|site| subject.depends(site.package));
    Ok(found.map(|site| {
        let shape = Shape::Site { directory: site.directory.into(), fallback: site.fallback };
        Framework::new("nodejs", site.name, site.package, site.build, shape)
    }))
}

pub(super) fn vite(subject: &Subject<'_>) -> Result<Option<Framework>, DetectError> {
    let by_vitepress = subject.depends("vitepress");
    if has_server(subject) || !(subject.depends("vite") || by_vitepress) {
        return Ok(None);
    }
    if by_vitepress {
        let words = subject.package.script("build").unwrap_or_default();
        let root = words.split_whitespace().skip_while(|word| *word != "build").nth(1);
        let root = root.filter(|root| is_plain(root));
        let built =
            root.map_or(".vitepress/dist".to_owned(), |root| format!("{root}/.vitepress/dist"));
        let shape = Shape::Site { directory: built, fallback: false };
        return Ok(Some(Framework::new(
            "nodejs",
            "VitePress",
            "vitepress",
            "vitepress build",
            shape,
        )));
    }
    let config = subject.config("vite.config")?;
    let root = values(&config, "root").pop().filter(|root| is_plain(root.trim_start_matches("./")));
    let builds = subject.builds_with("vite") || subject.package.script("build").is_none();
    if !(builds && (root.is_some() || subject.project.has_file("index.html"))) {
        return Ok(None);
    }
    let mut warnings = Vec::new();
    let script = subject.package.script("build").unwrap_or_default();
    let mut words = script.split_whitespace();
    let flag = words.by_ref().find(|word| *word == "--outDir").and_then(|_| words.next());
    let named = flag.map(str::to_owned).or_else(|| values(&config, "outDir").pop());
    // Both are counted from the directory that holds the page.
    let named = match (root, named) {
        (Some(root), named) => Some(below(&root, named.as_deref().unwrap_or("dist"))),
        (None, named) => named,
    };
    let built = directory(named, "dist", &mut warnings);
    let fallback = !says(&config, "appType", "mpa");
    let shape = Shape::Site { directory: built, fallback };
    let mut found = Framework::new("vite", "Vite", "vite", "vite build", shape);
    found.warnings = warnings;
    Ok(Some(found))
}

/// `../dist` below `client` is `dist`.
fn below(root: &str, path: &str) -> String {
    let mut parts: Vec<&str> = root.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_some() => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

pub(super) fn angular(subject: &Subject<'_>) -> Result<Option<Framework>, DetectError> {
    if !subject.project.has_file("angular.json") || has_server(subject) {
        return Ok(None);
    }
    let text = subject.project.text("angular.json")?.unwrap_or_default();
    let Ok(config) = json(&text) else {
        return Err(DetectError::Invalid("`angular.json` is not valid JSON.".into()));
    };
    let mut found = Framework::new(
        "nodejs",
        "Angular",
        "@angular/core",
        "ng build",
        Shape::Site { directory: "dist".into(), fallback: true },
    );
    found.proof = "there is an `angular.json`".into();
    let projects = config.get("projects").and_then(Value::as_object);
    let default = config.get("defaultProject").and_then(Value::as_str);
    let chosen = projects.and_then(|projects| match default {
        Some(name) => projects.get_key_value(name),
        None => projects.iter().next(),
    });
    let Some((name, project)) = chosen else {
        return Err(DetectError::Invalid("`angular.json` names no project.".into()));
    };
    let target = ["architect", "targets"].iter().find_map(|key| project.get(key)?.get("build"));
    let builder = target.and_then(|target| target.get("builder")?.as_str()).unwrap_or_default();
    let options = target.and_then(|target| target.get("options"));
    let path = options.and_then(|options| options.get("outputPath"));
    let base = path.and_then(|path| path.as_str().or_else(|| path.get("base")?.as_str()));
    let built = directory(
        Some(base.map_or_else(|| format!("dist/{name}"), str::to_owned)),
        "dist",
        &mut found.warnings,
    );
    // The builders since Angular 17 put what is for the browser into a directory of its own.
    let inside = path.and_then(|path| path.get("browser")?.as_str());
    let inside = inside.unwrap_or(if builder.ends_with(":application") { "browser" } else { "" });
    let on_request = options.is_some_and(|options| {
        options.get("ssr").is_some_and(|ssr| ssr.is_object() || ssr == &Value::Bool(true))
            && options.get("outputMode").and_then(Value::as_str) != Some("static")
    });
    found.shape = if on_request {
        Shape::Application { start: vec!["node".into(), format!("{built}/server/server.mjs")] }
    } else {
        let directory = if is_plain(inside) { format!("{built}/{inside}") } else { built };
        Shape::Site { directory, fallback: true }
    };
    Ok(Some(found))
}
