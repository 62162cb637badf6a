//! The Dockerfile of a Node.js project.

use super::command::{json, run_argument};

/// What the Dockerfile is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NodeImage {
    pub major: u32,
    /// Files that the installation needs, copied before the rest so that it is cached; `None` copies everything first.
    pub manifests: Option<Vec<&'static str>>,
    pub install: Option<String>,
    pub build: Option<String>,
    /// Whether development dependencies are taken out after the build.
    pub prune: bool,
    /// Exec form of the start command.
    pub start: Vec<String>,
}

impl NodeImage {
    /// Writes the Dockerfile. `NODE_ENV` is not set while building, so that development dependencies are there.
    pub fn dockerfile(&self) -> String {
        let base = format!("node:{}-bookworm-slim", self.major);
        let cached = "--mount=type=cache,target=/root/.npm";
        let mut lines = vec![
            format!("FROM {base} AS build"),
            "WORKDIR /app".to_owned(),
            "ENV NPM_CONFIG_AUDIT=false NPM_CONFIG_FUND=false NPM_CONFIG_UPDATE_NOTIFIER=false"
                .to_owned(),
        ];
        if let (Some(install), Some(manifests)) = (&self.install, &self.manifests) {
            lines.push(format!("COPY {} ./", manifests.join(" ")));
            lines.push(format!("RUN {cached} {}", run_argument(install)));
            lines.push("COPY . .".to_owned());
        } else {
            lines.push("COPY . .".to_owned());
            if let Some(install) = &self.install {
                lines.push(format!("RUN {cached} {}", run_argument(install)));
            }
        }
        if let Some(build) = &self.build {
            lines.push(format!("RUN {}", run_argument(build)));
        }
        if self.prune {
            lines.push(format!("RUN {cached} npm prune --omit=dev --ignore-scripts"));
        }
        lines.extend([
            String::new(),
            format!("FROM {base}"),
            "WORKDIR /app".to_owned(),
            // Programs of dependencies are found by name, as npm would find them.
            "ENV NODE_ENV=production PATH=/app/node_modules/.bin:$PATH".to_owned(),
            "COPY --from=build --chown=node:node /app ./".to_owned(),
            "USER node".to_owned(),
            format!("CMD {}", json(&self.start)),
        ]);
        lines.join("\n") + "\n"
    }
}
