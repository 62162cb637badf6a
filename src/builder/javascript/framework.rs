//! Which framework a `package.json` stands for, and what its build leaves behind.

use super::super::{DetectError, Project};
use super::config_text::{says, values, without_comments};
use super::package::Package;
use super::sites;
use super::workspace::is_plain;

/// A framework that was recognised.
#[derive(Clone, Debug)]
pub(super) struct Framework {
    /// An id of `GET /frameworks`.
    pub id: &'static str,
    /// What it is called, and what proves it.
    pub name: &'static str,
    pub proof: String,
    /// Its build, when no script says another.
    pub build: String,
    pub shape: Shape,
    /// Port it listens on when nothing tells it another.
    pub port: Option<u16>,
    /// Settings that make it listen for others than itself.
    pub environment: &'static [&'static str],
    /// Directories below the project that its builds share.
    pub caches: &'static [&'static str],
    pub warnings: Vec<String>,
}

/// What a build leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The whole project with its packages, started so when no script says another.
    Application { start: Vec<String> },
    /// A server that needs nothing but these paths: (from, to).
    Bundle { copies: Vec<(String, String)>, start: Vec<String> },
    /// Files.
    Site { directory: String, fallback: bool },
}

impl Framework {
    pub fn new(
        id: &'static str,
        name: &'static str,
        package: &str,
        build: &str,
        shape: Shape,
    ) -> Self {
        Self {
            id,
            name,
            proof: format!("`{package}` is a dependency"),
            build: build.to_owned(),
            shape,
            port: None,
            environment: &[],
            caches: &[],
            warnings: Vec::new(),
        }
    }

    fn listening(mut self, port: u16, environment: &'static [&'static str]) -> Self {
        self.port = Some(port);
        self.environment = environment;
        self
    }
}

/// What is looked at.
pub(super) struct Subject<'a> {
    pub project: &'a Project<'a>,
    pub package: &'a Package,
    /// The project's directory in its workspace, `""` when it is in none.
    pub directory: &'a str,
}

impl Subject<'_> {
    /// The text of a configuration file, in any of its spellings and without comments; empty when there is none.
    pub fn config(&self, stem: &str) -> Result<String, DetectError> {
        for ending in ["js", "mjs", "ts", "mts", "cjs", "cts"] {
            let file = format!("{stem}.{ending}");
            if self.project.has_file(&file) {
                return Ok(without_comments(&self.project.text(&file)?.unwrap_or_default()));
            }
        }
        Ok(String::new())
    }

    pub fn depends(&self, name: &str) -> bool {
        self.package.depends(name)
    }

    /// Whether the build script holds this text.
    pub fn builds_with(&self, text: &str) -> bool {
        self.package.script("build").is_some_and(|script| script.contains(text))
    }
}

/// A directory that a configuration names, when it can be one; else the usual one.
pub(super) fn directory(named: Option<String>, usual: &str, warnings: &mut Vec<String>) -> String {
    let Some(named) = named else {
        return usual.to_owned();
    };
    let trimmed = named.trim_start_matches("./").trim_end_matches('/');
    if is_plain(trimmed) {
        return trimmed.to_owned();
    }
    let shown = super::tool_versions::shown(&named);
    warnings.push(format!("The output directory `{shown}` is not used: `{usual}` is."));
    usual.to_owned()
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Pages that are served for paths without a file.
const FALLBACKS: &[&str] = &["200.html", "index.html"];

type Finder = fn(&Subject<'_>) -> Result<Option<Framework>, DetectError>;

/// The most particular first: many of them bring Vite along.
const FINDERS: &[Finder] =
    &[next, nuxt, remix, astro, sveltekit, nitro, sites::angular, sites::listed, sites::vite];

/// Recognises the framework; `None` for plain Node.js.
pub(super) fn find(subject: &Subject<'_>) -> Result<Option<Framework>, DetectError> {
    for finder in FINDERS {
        if let Some(framework) = finder(subject)? {
            return Ok(Some(framework));
        }
    }
    Ok(None)
}

fn next(subject: &Subject<'_>) -> Result<Option<Framework>, DetectError> {
    if !subject.depends("next") {
        return Ok(None);
    }
    let config = subject.config("next.config")?;
    let mut warnings = Vec::new();
    let dist = values(&config, "distDir").pop();
    let is_site = says(&config, "output", "export");
    let built = directory(dist.clone().filter(|_| !is_site), ".next", &mut warnings);
    let shape = if is_site {
        let directory = directory(dist, "out", &mut warnings);
        Shape::Site { directory, fallback: false }
    } else if says(&config, "output", "standalone") {
        // The server lies as deep as the project lies in its workspace.
        let below = |path: &str| match subject.directory {
            "" => path.to_owned(),
            directory => format!("{directory}/{path}"),
        };
        let mut copies = vec![
            (format!("{built}/standalone"), String::new()),
            (format!("{built}/static"), below(&format!("{built}/static"))),
        ];
        if subject.project.tree.list("public").is_ok() {
            copies.push(("public".into(), below("public")));
        }
        Shape::Bundle { copies, start: vec!["node".into(), below("server.js")] }
    } else {
        Shape::Application { start: words(&["next", "start"]) }
    };
    let mut found = Framework::new("nextjs", "Next.js", "next", "next build", shape);
    // Its server takes the container's own name as the address to listen on when it is told no other.
    found = found.listening(3000, &["HOSTNAME=0.0.0.0", "NEXT_TELEMETRY_DISABLED=1"]);
    found.warnings = warnings;
    if built == ".next" {
        found.caches = &[".next/cache"];
    }
    Ok(Some(found))
}

fn nuxt(subject: &Subject<'_>) -> Result<Option<Framework>, DetectError> {
    if !["nuxt", "nuxt3", "nuxt-nightly"].iter().any(|name| subject.depends(name)) {
        return Ok(None);
    }
    let config = subject.config("nuxt.config")?;
    let is_site = ["nuxt generate", "nuxi generate"].iter().any(|text| subject.builds_with(text))
        || says(&config, "preset", "static");
    let shape = if is_site {
        let fallback = says(&config, "ssr", "false");
        Shape::Site { directory: ".output/public".into(), fallback }
    } else {
        output_bundle()
    };
    let found = Framework::new("nuxt", "Nuxt", "nuxt", "nuxt build", shape);
    Ok(Some(found.listening(3000, &["HOST=0.0.0.0"])))
}

/// What Nitro, the server below several frameworks, leaves behind.
fn output_bundle() -> Shape {
    Shape::Bundle {
        copies: vec![(".output".into(), ".output".into())],
        start: words(&["node", ".output/server/index.mjs"]),
    }
}

fn remix(subject: &Subject<'_>) -> Result<Option<Framework>, DetectError> {
    let (name, tool) = if subject.depends("@react-router/dev") {
        ("React Router", "@react-router/dev")
    } else if subject.depends("@remix-run/dev") {
        ("Remix", "@remix-run/dev")
    } else {
        return Ok(None);
    };
    let mut config = subject.config("react-router.config")?;
    config += &subject.config("vite.config")?;
    let (build, start): (_, &[&str]) = match name {
        "Remix" if subject.depends("vite") => {
            ("remix vite:build", &["remix-serve", "./build/server/index.js"])
        }
        "Remix" => ("remix build", &["remix-serve", "./build/index.js"]),
        _ => ("react-router build", &["react-router-serve", "./build/server/index.js"]),
    };
    let shape = if says(&config, "ssr", "false") {
        Shape::Site { directory: "build/client".into(), fallback: true }
    } else {
        Shape::Application { start: words(start) }
    };
    let found = Framework::new("remix", name, tool, build, shape);
    Ok(Some(found.listening(3000, &["HOST=0.0.0.0"])))
}

fn astro(subject: &Subject<'_>) -> Result<Option<Framework>, DetectError> {
    if !subject.depends("astro") {
        return Ok(None);
    }
    let config = subject.config("astro.config")?;
    let mut warnings = Vec::new();
    let dist = directory(values(&config, "outDir").pop(), "dist", &mut warnings);
    let on_request = ["server", "hybrid"].iter().any(|mode| says(&config, "output", mode));
    let has_adapter = !values(&config, "adapter").is_empty();
    let shape = if on_request || has_adapter {
        let start =
            subject.package.script("start").is_some_and(|script| !super::start::is_tool(script));
        if !subject.depends("@astrojs/node") && !start {
            return Err(DetectError::Unsupported(
                "This Astro project makes pages on request, and no adapter makes a server of it: add `@astrojs/node` \
                 with `mode: \"standalone\"`, or leave out `adapter` and `output` for a static site."
                    .into(),
            ));
        }
        Shape::Application { start: vec!["node".into(), format!("./{dist}/server/entry.mjs")] }
    } else {
        Shape::Site { directory: dist, fallback: false }
    };
    let mut found = Framework::new("astro", "Astro", "astro", "astro build", shape);
    found = found.listening(4321, &["HOST=0.0.0.0", "ASTRO_TELEMETRY_DISABLED=1"]);
    found.warnings = warnings;
    Ok(Some(found))
}

fn sveltekit(subject: &Subject<'_>) -> Result<Option<Framework>, DetectError> {
    if !subject.depends("@sveltejs/kit") {
        return Ok(None);
    }
    let config = subject.config("svelte.config")? + &subject.config("vite.config")?;
    let mut warnings = Vec::new();
    let shape = if subject.depends("@sveltejs/adapter-static") {
        let pages = directory(values(&config, "pages").pop(), "build", &mut warnings);
        let fallback = values(&config, "fallback").pop();
        if let Some(other) =
            fallback.as_deref().filter(|page| !FALLBACKS.contains(page) && *page != "404.html")
        {
            let shown = super::tool_versions::shown(other);
            warnings.push(format!(
                "The fallback page `{shown}` is not served for paths without a file: name it `200.html`."
            ));
        }
        let fallback = fallback.is_some_and(|page| FALLBACKS.contains(&page.as_str()));
        Shape::Site { directory: pages, fallback }
    } else if subject.depends("@sveltejs/adapter-node") {
        let out = directory(values(&config, "out").pop(), "build", &mut warnings);
        let start = vec!["node".to_owned(), out.clone()];
        // The build takes in what is for development; what is not stays outside of it.
        if subject.package.has("dependencies") {
            Shape::Application { start }
        } else {
            let copies = vec![(out.clone(), out), ("package.json".into(), String::new())];
            Shape::Bundle { copies, start }
        }
    } else if subject.package.script("start").is_some_and(|script| !super::start::is_tool(script)) {
        Shape::Application { start: words(&["npm", "start"]) }
    } else {
        return Err(DetectError::Unsupported(
            "This SvelteKit project has no adapter that makes a server or a site: add `@sveltejs/adapter-node` or \
             `@sveltejs/adapter-static` and name it in `svelte.config.js`, or in `vite.config.js` from SvelteKit 3 on."
                .into(),
        ));
    };
    let mut found = Framework::new("sveltekit", "SvelteKit", "@sveltejs/kit", "vite build", shape);
    found = found.listening(3000, &["HOST=0.0.0.0"]);
    found.warnings = warnings;
    Ok(Some(found))
}

fn nitro(subject: &Subject<'_>) -> Result<Option<Framework>, DetectError> {
    let known = [
        ("@tanstack/react-start", "TanStack Start", "vite build"),
        ("@tanstack/solid-start", "TanStack Start", "vite build"),
        ("@solidjs/start", "SolidStart", "vinxi build"),
    ];
    let found = known.iter().find(|(package, ..)| subject.depends(package));
    Ok(found.map(|(package, name, build)| {
        Framework::new("nodejs", name, package, build, output_bundle())
            .listening(3000, &["HOST=0.0.0.0"])
    }))
}
