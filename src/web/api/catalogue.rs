//! `GET /regions` and `GET /frameworks`.

use super::guards::Caller;
use super::object::Object;
use super::params::Params;
use super::respond::{self, Answer};
use crate::app::AppError;
use crate::model::catalogue::{FRAMEWORKS, REGIONS};

/// `GET /regions`
pub async fn regions(_: Caller, params: Params) -> Answer {
    AppError::check(params.finish())?;
    let items = REGIONS
        .map(|(id, name)| Object::new().with("id", id).with("name", name).with("available", &true));
    Ok(respond::object(&Object::new().objects("data", &items)))
}

/// `GET /frameworks`
pub async fn frameworks(_: Caller, params: Params) -> Answer {
    AppError::check(params.finish())?;
    let items = FRAMEWORKS.map(|id| {
        let (runtime, detects) = known_by(id);
        Object::new().with("id", id).with("runtime", runtime).with("detects", detects)
    });
    Ok(respond::object(&Object::new().objects("data", &items)))
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
