//! How a deployment is built and run, on its page.

use super::text::Foreign;

/// The plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `Next.js`.
    pub framework: String,
    /// Why it was chosen, in one sentence.
    pub reason: String,
    pub warnings: Vec<String>,
    pub versions: Vec<PlanVersion>,
    /// Label and command: (`Build`, `npm run build`).
    pub commands: Vec<(&'static str, Foreign)>,
    /// More, as label and sentence.
    pub facts: Vec<(&'static str, String)>,
    /// The text of the Dockerfile that Orbitra wrote; `None` when the repository has its own or none is needed.
    pub dockerfile: Option<Foreign>,
}

/// A version and where it comes from.
#[derive(Clone, Debug)]
pub struct PlanVersion {
    pub name: Foreign,
    pub version: Foreign,
    /// `engines.node in package.json`.
    pub source: String,
    /// An earlier deployment of the project found it.
    pub pinned: bool,
}

impl Plan {
    /// Everything there can be.
    pub fn sample() -> Self {
        Self {
            framework: "Next.js".to_owned(),
            reason: "`package.json` depends on `next`.".to_owned(),
            warnings: vec!["There is no lock file: versions may change between builds.".to_owned()],
            versions: vec![
                PlanVersion {
                    name: "node".into(),
                    version: "22.11.0".into(),
                    source: "`engines.node` in `package.json`".to_owned(),
                    pinned: false,
                },
                PlanVersion {
                    name: "pnpm".into(),
                    version: "9.12.3".into(),
                    source: "pinned by an earlier deployment".to_owned(),
                    pinned: true,
                },
            ],
            commands: vec![
                ("Install", "pnpm install --frozen-lockfile".into()),
                ("Build", "pnpm run build".into()),
                ("Release", "pnpm run migrate \u{202e}".into()),
                ("Start", "node server.js".into()),
            ],
            facts: vec![
                ("Port", "3000, unless it is told another".to_owned()),
                ("Kept between builds", "`/root/.cache`, `/app/.next/cache`".to_owned()),
            ],
            dockerfile: Some("FROM node:22.11.0-slim\nCMD [\"node\", \"server.js\"]\n".into()),
        }
    }
}
