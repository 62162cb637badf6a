//! How an application is started.

use super::super::command::{exec_form, plain_words};
use super::super::{DetectError, Project, set};
use super::package::Package;

/// The start command of an application.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub words: Vec<String>,
    pub shown: String,
    /// What says so, for the plan's reason.
    pub source: String,
}

/// Programs that serve files while they are worked on, and are no servers for visitors.
const TOOLS: &[&str] = &[
    "vite",
    "react-scripts",
    "ng",
    "gatsby",
    "parcel",
    "webpack",
    "webpack-dev-server",
    "serve",
    "http-server",
    "live-server",
    "vue-cli-service",
    "eleventy",
    "docusaurus",
    "vitepress",
    "expo",
    "astro",
    "nuxt",
    "nuxi",
    "nodemon",
];
/// Words of scripts that mean the same, behind any program.
const TOOL_WORDS: &[&str] = &["dev", "develop", "preview", "start:dev", "watch"];
/// Words that only lead to a program.
const LEADERS: &[&str] =
    &["npx", "npm", "pnpm", "yarn", "bun", "bunx", "run", "exec", "cross-env", "dotenv", "--"];

impl Start {
    /// What the settings say.
    pub fn of_settings(project: &Project<'_>) -> Option<Self> {
        let command = set(&project.overrides.start_command)?;
        Some(Self {
            words: exec_form(command),
            shown: command.to_owned(),
            source: "the start command of the settings".into(),
        })
    }

    /// The `start` script, when it starts a server.
    pub fn of_script(package: &Package) -> Option<Self> {
        let script = package.script("start").filter(|script| !is_tool(script))?;
        // Without npm and a shell in between, signals reach the program. Scripts around it need npm.
        let alone = package.script("prestart").is_none() && package.script("poststart").is_none();
        let words = plain_words(script).filter(|_| alone);
        Some(Self {
            words: words.unwrap_or_else(|| vec!["npm".into(), "start".into()]),
            shown: "npm start".into(),
            source: "its `start` script".into(),
        })
    }

    /// `main`, else a file with a usual name.
    pub fn of_file(
        project: &Project<'_>,
        package: &Package,
        program: &str,
        usual: &[&str],
    ) -> Result<Option<Self>, DetectError> {
        let is_there = |path: &str| -> Result<bool, DetectError> {
            Ok(project.tree.read(path, u64::MAX)?.is_some())
        };
        let main = package.text(&["main"]).map(|main| main.trim_start_matches("./"));
        let fits =
            |main: &&str| !main.starts_with(['-', '/']) && !main.chars().any(char::is_control);
        if let Some(main) = main.filter(fits) {
            for path in [main.to_owned(), format!("{main}.js"), format!("{main}/index.js")] {
                if is_there(&path)? {
                    return Ok(Some(Self::file(program, &path, "its `main` file")));
                }
            }
            if package.script("build").is_some() {
                return Ok(Some(Self::file(
                    program,
                    main,
                    "its `main` file, which the build makes",
                )));
            }
        }
        for path in usual {
            if is_there(path)? {
                return Ok(Some(Self::file(program, path, &format!("`{path}`"))));
            }
        }
        Ok(None)
    }

    /// What a framework is started with.
    pub fn of_framework(words: &[&str], framework: &str) -> Self {
        Self {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            shown: words.join(" "),
            source: format!("the server of {framework}"),
        }
    }

    fn file(program: &str, path: &str, source: &str) -> Self {
        Self {
            words: vec![program.into(), path.to_owned()],
            shown: format!("{program} {path}"),
            source: source.to_owned(),
        }
    }

    /// A package that only development asks for and that this command needs.
    pub fn development_tool<'a>(&'a self, package: &'a Package) -> Option<&'a str> {
        let by_npm = self.words.first().is_some_and(|word| word == "npm");
        let script = package.script("start").filter(|_| by_npm).unwrap_or(&self.shown);
        let words = self.words.iter().map(String::as_str).chain(script.split_whitespace());
        words.into_iter().find(|word| package.is_development(word))
    }

    /// Whether the command runs a package manager other than npm.
    pub fn needs(&self, manager: &str, package: &Package) -> bool {
        let scripts = ["prestart", "start", "poststart"].map(|name| package.script(name));
        let by_npm = self.words.first().is_some_and(|word| word == "npm");
        let scripts = scripts.into_iter().flatten().filter(|_| by_npm);
        let words = scripts.chain([self.shown.as_str()]).flat_map(str::split_whitespace);
        words
            .chain(self.words.iter().map(String::as_str))
            .any(|word| word == manager || (manager == "bun" && word == "bunx"))
    }
}

/// Whether a script runs a tool for development instead of a server.
pub(super) fn is_tool(script: &str) -> bool {
    let last = script.rsplit(['&', ';']).next().unwrap_or(script);
    let words: Vec<&str> = last.split_whitespace().collect();
    let begin = words.iter().position(|word| !LEADERS.contains(word) && !word.contains('='));
    match begin.and_then(|begin| words.get(begin..)) {
        Some([program, rest @ ..]) => {
            let program = program.rsplit('/').next().unwrap_or(program);
            TOOLS.contains(&program)
                || TOOL_WORDS.contains(&program)
                || rest.first().is_some_and(|word| TOOL_WORDS.contains(word))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_no_servers() {
        for script in [
            "vite",
            "vite preview --port 80",
            "cross-env A=b vite",
            "npm run dev",
            "next dev",
            "tsc && vite preview",
            "npx serve -s build",
            "react-scripts start",
            "ng serve",
            "./node_modules/.bin/vite",
            "yarn dev",
            "nuxt preview",
        ] {
            assert!(is_tool(script), "{script}");
        }
        for script in [
            "node server.js",
            "next start",
            "react-router-serve ./build/server/index.js",
            "NODE_ENV=production node vite.js",
            "vite build && node server.js",
            "",
            "&&",
            "A=b",
            "npm run migrate && node build",
        ] {
            assert!(!is_tool(script), "{script}");
        }
    }
}
