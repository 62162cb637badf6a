//! `GET /regions` and `GET /frameworks`.

use serde::Serialize;
use utoipa::ToSchema;

use super::guards::Caller;
use super::params::Params;
use super::respond::{self, Answer};
use super::schema::{Framework, Region};
use crate::app::AppError;
use crate::model::catalogue::{FRAMEWORKS, REGIONS};

/// The regions of this server.
#[derive(Serialize, ToSchema)]
#[schema(as = RegionList)]
pub struct RegionsView {
    data: Vec<RegionView>,
}

/// A placement label.
#[derive(Serialize, ToSchema)]
#[schema(as = RegionEntry)]
pub struct RegionView {
    #[schema(value_type = Region)]
    id: &'static str,
    #[schema(example = "US East (N. Virginia)")]
    name: &'static str,
    available: bool,
}

/// The frameworks this server detects.
#[derive(Serialize, ToSchema)]
#[schema(as = FrameworkList)]
pub struct FrameworksView {
    data: Vec<FrameworkView>,
}

/// A framework.
#[derive(Serialize, ToSchema)]
#[schema(as = FrameworkEntry)]
pub struct FrameworkView {
    #[schema(value_type = Framework)]
    id: &'static str,
    #[schema(example = "node")]
    runtime: &'static str,
    /// Files it is known by.
    #[schema(example = json!(["package.json"]))]
    detects: &'static [&'static str],
}

/// List regions
#[utoipa::path(
    get,
    path = "",
    tag = "Catalogue",
    operation_id = "regions_list",
    responses((status = 200, description = "All regions.", body = RegionsView)),
)]
pub async fn regions(_: Caller, params: Params) -> Answer {
    AppError::check(params.finish())?;
    let view = |(id, name)| RegionView { id, name, available: true };
    respond::object(&RegionsView { data: REGIONS.into_iter().map(view).collect() })
}

/// List frameworks
#[utoipa::path(
    get,
    path = "",
    tag = "Catalogue",
    operation_id = "frameworks_list",
    responses((status = 200, description = "All frameworks.", body = FrameworksView)),
)]
pub async fn frameworks(_: Caller, params: Params) -> Answer {
    AppError::check(params.finish())?;
    let view = |id| {
        let (runtime, detects) = known_by(id);
        FrameworkView { id, runtime, detects }
    };
    respond::object(&FrameworksView { data: FRAMEWORKS.into_iter().map(view).collect() })
}

/// The runtime of a framework and the files it is known by.
fn known_by(id: &str) -> (&'static str, &'static [&'static str]) {
    match id {
        "nextjs" => ("node", &["package.json", "next.config.js"]),
        "nuxt" => ("node", &["package.json", "nuxt.config.ts"]),
        "remix" => ("node", &["package.json", "remix.config.js"]),
        "astro" => ("node", &["package.json", "astro.config.mjs"]),
        "sveltekit" => ("node", &["package.json", "svelte.config.js"]),
        "vite" => ("node", &["package.json", "vite.config.js"]),
        "nodejs" => ("node", &["package.json"]),
        "bun" => ("bun", &["bun.lock", "bun.lockb"]),
        "deno" => ("deno", &["deno.json", "deno.jsonc"]),
        "python" => ("python", &["requirements.txt", "pyproject.toml"]),
        "django" => ("python", &["manage.py"]),
        "flask" | "fastapi" => ("python", &["requirements.txt", "pyproject.toml"]),
        "go" => ("go", &["go.mod"]),
        "rust" => ("rust", &["Cargo.toml"]),
        "ruby" => ("ruby", &["Gemfile"]),
        "rails" => ("ruby", &["Gemfile", "config/application.rb"]),
        "php" => ("php", &["composer.json", "index.php"]),
        "laravel" => ("php", &["composer.json", "artisan"]),
        "java" | "spring" => ("java", &["pom.xml", "build.gradle"]),
        "dotnet" => ("dotnet", &["*.csproj"]),
        "elixir" | "phoenix" => ("elixir", &["mix.exs"]),
        "static" => ("static", &["index.html"]),
        "dockerfile" => ("container", &["Dockerfile"]),
        _ => ("container", &[]),
    }
}
