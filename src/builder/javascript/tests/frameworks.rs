//! Frameworks: what proves them, and what their builds leave behind.

use super::*;

/// The plan of a project with these dependencies and this configuration file.
fn with(dependencies: &[&str], config: (&str, &str)) -> BuildPlan {
    planned_with(dependencies, config, "{}").unwrap()
}

fn planned_with(
    dependencies: &[&str],
    config: (&str, &str),
    scripts: &str,
) -> Result<BuildPlan, DetectError> {
    let list: Vec<String> = dependencies.iter().map(|name| format!("{name:?}:\"1\"")).collect();
    let package = format!(
        r#"{{"dependencies":{{{}}},"scripts":{scripts},"engines":{{"node":"22"}}}}"#,
        list.join(",")
    );
    planned(&[("package.json", &package), ("package-lock.json", "{}"), config])
}

fn site(plan: &BuildPlan) -> Option<(&str, bool)> {
    match &plan.output {
        Output::StaticBuild { dockerfile, fallback } => {
            let (_, last) =
                dockerfile.rsplit_once("\n\nFROM scratch\nCOPY --from=build /app/").unwrap();
            Some((last.trim_end().strip_suffix(" /").unwrap(), *fallback))
        }
        _ => None,
    }
}

#[test]
fn next_in_its_three_shapes() {
    let whole = with(&["next"], ("next.config.js", "// output: 'export'\nmodule.exports = {}"));
    assert_eq!((whole.framework.as_str(), whole.port), ("nextjs", Some(3000)));
    assert_eq!(whole.build_command.as_deref(), Some("npx next build"));
    assert!(
        dockerfile(&whole)
            .contains("RUN --mount=type=cache,target=/app/.next/cache --mount=type=secret")
    );
    assert!(dockerfile(&whole).contains("ENV NODE_ENV=production HOSTNAME=0.0.0.0"));
    assert_eq!(last(&whole), r#"CMD ["next","start"]"#);
    assert_eq!(whole.caches, ["/root/.npm", "/app/.next/cache"]);
    assert_eq!(
        whole.reason,
        "This is Next.js: `next` is a dependency. It starts with the server of Next.js."
    );

    let small = with(&["next"], ("next.config.ts", "export default { output: \"standalone\" }"));
    let (_, run) = dockerfile(&small).split_once("\n\n").unwrap();
    assert!(run.contains("COPY --from=build --chown=node:node /app/.next/standalone ./\nCOPY --from=build --chown=node:node /app/.next/static ./.next/static\nUSER node\n"), "{run}");
    assert!(!run.contains("/app ./") && !run.contains("public"), "{run}");
    assert_eq!(last(&small), r#"CMD ["node","server.js"]"#);

    let files = with(&["next"], ("next.config.mjs", "export default { output: 'export' }"));
    assert_eq!(site(&files), Some(("out", false)));
    assert_eq!((files.start_command, files.port), (None, None));
}

#[test]
fn servers_and_sites_of_other_frameworks() {
    let nuxt = with(&["nuxt"], ("nuxt.config.ts", ""));
    assert_eq!(
        (nuxt.framework.as_str(), last(&nuxt)),
        ("nuxt", r#"CMD ["node",".output/server/index.mjs"]"#)
    );
    assert!(dockerfile(&nuxt).contains("ENV NODE_ENV=production HOST=0.0.0.0\n"));
    let generated =
        planned_with(&["nuxt"], ("nuxt.config.ts", "ssr: false"), r#"{"build":"nuxt generate"}"#)
            .unwrap();
    assert_eq!(site(&generated), Some((".output/public", true)));

    let remix =
        with(&["@react-router/dev"], ("react-router.config.ts", "export default { ssr: true }"));
    assert_eq!(
        (remix.framework.as_str(), last(&remix)),
        ("remix", r#"CMD ["react-router-serve","./build/server/index.js"]"#)
    );
    let files =
        with(&["@react-router/dev"], ("react-router.config.ts", "export default { ssr: false }"));
    assert_eq!(site(&files), Some(("build/client", true)));
    let classic = with(&["@remix-run/dev"], ("remix.config.js", ""));
    assert_eq!(last(&classic), r#"CMD ["remix-serve","./build/index.js"]"#);

    let astro = with(&["astro"], ("astro.config.mjs", "defineConfig({ site: 'x' })"));
    assert_eq!((astro.framework.as_str(), site(&astro)), ("astro", Some(("dist", false))));
    let server = with(
        &["astro", "@astrojs/node"],
        (
            "astro.config.mjs",
            "defineConfig({ output: 'server', adapter: node({ mode: 'standalone' }) })",
        ),
    );
    assert_eq!(
        (server.port, last(&server)),
        (Some(4321), r#"CMD ["node","./dist/server/entry.mjs"]"#)
    );
    let other = planned_with(
        &["astro", "@astrojs/vercel"],
        ("astro.config.mjs", "adapter: vercel()"),
        "{}",
    );
    assert!(other.unwrap_err().to_string().contains("add `@astrojs/node`"));

    let kit = with(
        &["@sveltejs/kit", "@sveltejs/adapter-node"],
        ("svelte.config.js", "adapter({ out: 'made' })"),
    );
    assert_eq!((kit.framework.as_str(), last(&kit)), ("sveltekit", r#"CMD ["node","made"]"#));
    let files = with(
        &["@sveltejs/kit", "@sveltejs/adapter-static"],
        ("svelte.config.js", "adapter({ fallback: 'index.html' })"),
    );
    assert_eq!(site(&files), Some(("build", true)));
    for (page, fallback, warnings) in [
        ("200.html", true, 0),
        ("index.html", true, 0),
        ("404.html", false, 0),
        ("app.html", false, 1),
    ] {
        let config = format!("adapter({{ fallback: '{page}' }})");
        let named =
            with(&["@sveltejs/kit", "@sveltejs/adapter-static"], ("svelte.config.js", &config));
        let found = (site(&named), named.warnings.len());
        assert_eq!(found, (Some(("build", fallback)), warnings), "{page}");
    }
    let auto =
        planned_with(&["@sveltejs/kit", "@sveltejs/adapter-auto"], ("svelte.config.js", ""), "{}");
    assert!(auto.unwrap_err().to_string().contains("add `@sveltejs/adapter-node`"));

    let start = with(&["@tanstack/react-start"], ("vite.config.ts", ""));
    assert_eq!(
        (start.framework.as_str(), last(&start)),
        ("nodejs", r#"CMD ["node",".output/server/index.mjs"]"#)
    );
}

#[test]
fn sites_that_are_built() {
    for (dependency, config, id, built, fallback) in [
        ("vite", ("index.html", ""), "vite", "dist", true),
        ("react-scripts", ("public/index.html", ""), "nodejs", "build", true),
        ("gatsby", ("a", ""), "nodejs", "public", false),
        ("@docusaurus/core", ("a", ""), "nodejs", "build", false),
        ("@11ty/eleventy", ("a", ""), "nodejs", "_site", false),
        ("vitepress", ("a", ""), "nodejs", ".vitepress/dist", false),
        (
            "vite",
            ("vite.config.js", "export default { root: 'client', build: { outDir: '../made' } }"),
            "vite",
            "made",
            true,
        ),
    ] {
        let plan =
            planned_with(&[dependency], config, r#"{"build":"vite build","start":"vite preview"}"#);
        let plan = plan.unwrap_or_else(|error| panic!("{dependency}: {error}"));
        assert_eq!(
            (plan.framework.as_str(), site(&plan)),
            (id, Some((built, fallback))),
            "{dependency}"
        );
        assert!(plan.reason.ends_with("Its build makes a site."), "{}", plan.reason);
        // Nothing of the build is in the image but the site.
        assert!(!dockerfile(&plan).contains("prune"));
    }
    for (config, built, inside) in [
        (r#"{"builder":"@angular/build:application","options":{}}"#, "dist/shop/browser", true),
        (
            r#"{"builder":"@angular/build:application","options":{"outputPath":{"base":"www","browser":""}}}"#,
            "www",
            true,
        ),
        (
            r#"{"builder":"@angular-devkit/build-angular:browser","options":{"outputPath":"dist/x"}}"#,
            "dist/x",
            true,
        ),
    ] {
        let text = format!(r#"{{"projects":{{"shop":{{"architect":{{"build":{config}}}}}}}}}"#);
        let plan = planned_with(
            &["@angular/core"],
            ("angular.json", &text),
            r#"{"build":"ng build","start":"ng serve"}"#,
        );
        assert_eq!(site(&plan.unwrap()), Some((built, inside)), "{config}");
    }
    let text = r#"{"projects":{"shop":{"architect":{"build":{"builder":"a:application","options":{"ssr":{"entry":"s"}}}}}}}"#;
    let server =
        planned_with(&["@angular/core"], ("angular.json", text), r#"{"build":"ng build"}"#)
            .unwrap();
    assert_eq!(last(&server), r#"CMD ["node","dist/shop/server/server.mjs"]"#);
}

#[test]
fn a_server_beside_vite_is_a_server() {
    let scripts = r#"{"build":"vite build","start":"node server.js"}"#;
    let plan = planned_with(&["vite"], ("index.html", ""), scripts).unwrap();
    assert_eq!((plan.framework.as_str(), last(&plan)), ("nodejs", r#"CMD ["node","server.js"]"#));
}

#[test]
fn settings_turn_sites_into_servers_and_back() {
    let tree = MemoryTree::new(&[
        ("package.json", r#"{"devDependencies":{"vite":"8"},"scripts":{"build":"vite build"}}"#),
        ("index.html", ""),
    ]);
    let with = |overrides: Overrides| plan(&tree, &overrides);
    let served = with(Overrides {
        start_command: Some("vite preview --host".into()),
        ..Overrides::default()
    })
    .unwrap();
    assert_eq!(
        (served.framework.as_str(), last(&served)),
        ("vite", r#"CMD ["vite","preview","--host"]"#)
    );
    assert!(
        matches!(served.output, Output::Container { .. }) && !dockerfile(&served).contains("prune")
    );
    let named = with(Overrides { output_directory: Some("./www/".into()), ..Overrides::default() })
        .unwrap();
    assert_eq!(site(&named), Some(("www", true)));
    for hostile in ["../x", "a b", "$HOME", "a\nRUN x", "[\"a\"]", "a*"] {
        let error =
            with(Overrides { output_directory: Some(hostile.into()), ..Overrides::default() });
        assert!(matches!(error, Err(DetectError::Invalid(_))), "{hostile}");
    }
    let tool = MemoryTree::new(&[("package.json", r#"{"scripts":{"build":"node make.js"}}"#)]);
    let made =
        plan(&tool, &Overrides { output_directory: Some("out".into()), ..Overrides::default() })
            .unwrap();
    assert_eq!((made.framework.as_str(), site(&made)), ("nodejs", Some(("out", false))));
}

#[test]
fn other_languages_with_assets_are_not_taken() {
    let package = r#"{"devDependencies":{"vite":"8"},"scripts":{"build":"vite build"}}"#;
    let ids: Vec<&str> = super::super::super::DETECTORS.iter().map(|(id, _)| *id).collect();
    let place = |id: &str| ids.iter().position(|known| *known == id).unwrap();
    assert!(place("dockerfile") < place("nodejs") && place("deno") < place("nodejs"));
    assert!(place("nodejs") < place("static"));
    let plan = planned(&[("package.json", package), ("Dockerfile", "FROM x")]).unwrap();
    assert_eq!(plan.framework, "dockerfile");
}
