//! Plans of projects in other languages than JavaScript: what is chosen, and what hostile files cannot do.

use super::super::*;
use crate::git::memory_tree::MemoryTree;
use crate::model::build_plan::PINNED;

fn planned(files: &[(&str, &str)]) -> BuildPlan {
    plan(&MemoryTree::new(files), &Overrides::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(files: &[(&str, &str)]) -> String {
    match plan(&MemoryTree::new(files), &Overrides::default()) {
        Ok(plan) => panic!("a plan:\n{}", plan.dockerfile().unwrap_or_default()),
        Err(error) => error.to_string(),
    }
}

fn version(plan: &BuildPlan) -> (&str, &str) {
    (&plan.versions[0].version, &plan.versions[0].source)
}

const MAIN: &str = "package main\n\nfunc main() {}\n";

#[test]
fn an_application_with_assets_is_not_a_node_application() {
    let package = ("package.json", r#"{"scripts":{"start":"vite","build":"vite build"}}"#);
    for (framework, files) in [
        ("rails", vec![("Gemfile", "gem \"rails\"\n"), ("config/application.rb", "")]),
        ("ruby", vec![("Gemfile", "gem 'rack'\n"), ("config.ru", "")]),
        (
            "laravel",
            vec![
                ("composer.json", r#"{"require":{"laravel/framework":"^11"}}"#),
                ("artisan", ""),
                ("public/index.php", ""),
            ],
        ),
        ("php", vec![("index.php", "")]),
        ("phoenix", vec![("mix.exs", "app: :shop,\n{:phoenix, \"~> 1.7\"}")]),
        ("elixir", vec![("mix.exs", "app: :shop,")]),
        ("go", vec![("go.mod", "module a\n\ngo 1.24\n"), ("main.go", MAIN)]),
        ("rust", vec![("Cargo.toml", "[package]\nname = \"a\""), ("src/main.rs", "")]),
        ("java", vec![("build.gradle", "jar { manifest { attributes 'Main-Class': 'A' } }")]),
        (
            "spring",
            vec![(
                "build.gradle.kts",
                "plugins { id(\"org.springframework.boot\") version \"3\" }",
            )],
        ),
        ("dotnet", vec![("A.csproj", r#"<Project Sdk="Microsoft.NET.Sdk.Web"/>"#)]),
    ] {
        let files: Vec<_> = files.into_iter().chain([package]).collect();
        assert_eq!(planned(&files).framework, framework);
        // The settings can name it, too.
        let forced = Overrides { framework: Some(framework.into()), ..Overrides::default() };
        assert_eq!(plan(&MemoryTree::new(&files), &forced).unwrap().framework, framework);
        let none = plan(&MemoryTree::new(&[package]), &forced).unwrap_err().to_string();
        assert!(none.starts_with("There is no "), "{none}");
    }
    // Tools of another language do not make it one.
    let js = [
        ("package.json", r#"{"scripts":{"start":"node server.js"}}"#),
        ("Gemfile", "gem 'fastlane'"),
        ("Cargo.toml", "[package]\nname = \"a\""),
        ("src/lib.rs", ""),
    ];
    assert_eq!(planned(&js).framework, "nodejs");
}

#[test]
fn which_program_is_built() {
    let module = ("go.mod", "module a\n");
    let build = |files: &[(&str, &str)]| planned(files).build_command.unwrap();
    assert!(build(&[module, ("a.go", MAIN)]).ends_with(" -o bin/app ."));
    let two = [module, ("a.go", "package a\n"), ("cmd/admin/m.go", MAIN), ("cmd/web/m.go", MAIN)];
    assert!(build(&two).ends_with("\"./cmd/${GO_BIN:-web}\""), "{}", build(&two));
    assert!(planned(&two).warnings[0].contains("more programs: cmd/admin."));
    let ignored = [module, ("gen.go", "//go:build ignore\n\npackage main\n"), ("cmd/x/m.go", MAIN)];
    assert!(build(&ignored).ends_with(" ./cmd/x"));
    let work = [
        ("go.work", "go 1.24\n\nuse (\n\t./lib\n\t./shop\n)\n"),
        ("shop/m.go", MAIN),
        ("lib/l.go", "package l"),
    ];
    assert!(build(&work).ends_with(" ./shop"));
    assert!(refused(&[module, ("a.go", "package a\n")]).contains("no main package was found"));

    let bins = |more: &str| {
        let manifest = format!("[package]\nname = \"a\"\n{more}");
        planned(&[("Cargo.toml", &manifest), ("src/bin/one.rs", ""), ("src/bin/two/main.rs", "")])
    };
    assert!(bins("").build_command.unwrap().ends_with("--bin \"${RUST_BIN:-one}\""));
    assert!(bins("default-run = \"two\"").build_command.unwrap().contains("RUST_BIN:-two"));
    let workspace = [
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"crates/old\"]"),
        ("crates/lib/Cargo.toml", "[package]\nname = \"lib\""),
        ("crates/old/Cargo.toml", "[package]\nname = \"old\""),
        ("crates/old/src/main.rs", ""),
        (
            "crates/server/Cargo.toml",
            "[package]\nname = \"server\"\n[dependencies]\nrocket = \"0.5\"",
        ),
        ("crates/server/src/main.rs", ""),
    ];
    let rocket = planned(&workspace);
    assert_eq!(rocket.reason, "There is a `Cargo.toml`; its program is `server`.");
    let text = rocket.dockerfile().unwrap();
    assert!(text.contains("ROCKET_ADDRESS=0.0.0.0") && text.contains("ROCKET_PORT"), "{text}");
    assert!(
        refused(&[("Cargo.toml", "[package]\nname = \"a\""), ("src/lib.rs", "")])
            .contains("no program")
    );

    let modules = [
        (
            "pom.xml",
            "<project><packaging>pom</packaging><modules><module>lib</module><module>web</module></modules></project>",
        ),
        ("lib/pom.xml", "<project/>"),
        (
            "web/pom.xml",
            "<project><build><plugins><plugin><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build></project>",
        ),
    ];
    let maven = planned(&modules);
    assert_eq!((maven.framework.as_str(), maven.port), ("spring", Some(8080)));
    assert!(maven.build_command.unwrap().ends_with("package --projects web --also-make"));
    let gradle = planned(&[
        ("settings.gradle", "include 'app',\n  ':lib'"),
        (
            "app/build.gradle",
            "plugins { id 'application' }\njava { toolchain { languageVersion = JavaLanguageVersion.of(25) } }",
        ),
        ("gradlew", ""),
        ("gradle/wrapper/gradle-wrapper.jar", ""),
        ("gradle/wrapper/gradle-wrapper.properties", ""),
    ]);
    assert_eq!(gradle.build_command.as_deref(), Some("sh ./gradlew --no-daemon :app:installDist"));
    assert_eq!(version(&gradle), ("25", "app/build.gradle"));
    assert!(gradle.dockerfile().unwrap().starts_with("FROM eclipse-temurin:25-jdk AS build\n"));
    let projects = planned(&[
        ("All.sln", ""),
        (
            "src/Tool/Tool.csproj",
            "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><OutputType>Exe</OutputType></PropertyGroup></Project>",
        ),
        (
            "src/Web/Web.csproj",
            "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PropertyGroup><TargetFramework>net9.0</TargetFramework><AssemblyName>Shop</AssemblyName></PropertyGroup></Project>",
        ),
    ]);
    assert_eq!(version(&projects).0, "9.0");
    assert!(projects.start_command.unwrap().ends_with("exec dotnet Shop.dll"));
}

#[test]
fn versions_and_where_they_come_from() {
    let ruby = |files: &[(&str, &str)]| {
        let mut all = vec![("Gemfile", "ruby '>= 3.2'\ngem 'puma'"), ("config.ru", "")];
        all.extend(files);
        let plan = planned(&all);
        (plan.versions[0].version.clone(), plan.versions[0].source.clone())
    };
    assert_eq!(ruby(&[]), ("3.4".into(), "Gemfile".into()));
    assert_eq!(
        ruby(&[(".ruby-version", "ruby-3.3.1\n")]),
        ("3.3.1".into(), ".ruby-version".into())
    );
    let java = |text: &str| {
        let pom = format!(
            "<project><properties>{text}</properties><build><plugins><plugin><artifactId>maven-shade-plugin</artifactId></plugin></plugins></build></project>"
        );
        let plan = planned(&[("pom.xml", &pom)]);
        plan.versions[0].version.clone()
    };
    assert_eq!(java("<maven.compiler.source>1.8</maven.compiler.source>"), "8");
    assert_eq!(java("<java.version>${x}</java.version>"), "21");

    let go = [
        ("go.mod", "module a\n\ngo 1.22.3\n"),
        ("main.go", MAIN),
        (".tool-versions", "ruby 3.3\n"),
    ];
    let pinned = |text: &str| Overrides {
        pins: vec![("go".into(), text.into()), ("ruby".into(), "3.2".into())],
        ..Overrides::default()
    };
    let with = |pins: &str| plan(&MemoryTree::new(&go), &pinned(pins)).unwrap();
    assert_eq!(version(&with("1.23")), ("1.23", PINNED));
    // It does not do what the project needs any more.
    assert_eq!(version(&with("1.21")), ("1.25", "the `go` line of go.mod"));
    assert_eq!(version(&with("1.23\nRUN x")), ("1.25", "the `go` line of go.mod"));
    let exact = [go[0], go[1], (".tool-versions", "golang 1.22.1\n")];
    let made = plan(&MemoryTree::new(&exact), &pinned("1.23")).unwrap();
    assert_eq!(version(&made), ("1.22", ".tool-versions"));
    assert!(
        refused(&[("index.php", ""), (".php-version", "5.6")])
            .starts_with("PHP 5.6 (.php-version) is too old")
    );
}

#[test]
fn extensions_of_php_and_libraries_of_gems_and_crates() {
    let php = planned(&[
        ("index.php", ""),
        (
            "composer.json",
            r#"{"require":{"php":">=8.3","ext-gd":"*","ext-json":"*","ext-redis":"*","ext-$(id)":"*"}}"#,
        ),
        ("composer.lock", r#"{"packages":[{"require":{"ext-zip":"*"}},{"require":7},9]}"#),
    ]);
    let text = php.dockerfile().unwrap();
    assert!(
        text.contains("docker-php-ext-install -j2 gd opcache zip && pecl install redis"),
        "{text}"
    );
    assert!(text.contains("libzip-dev"), "{text}");
    assert!(!text.contains("$(id)"), "{text}");
    assert!(php.warnings[0].contains("`ext-$(id)` is not known"), "{:?}", php.warnings);
    let rails = planned(&[
        ("Gemfile", "gem 'rails'\ngem 'mysql2'"),
        ("config/application.rb", ""),
        ("db/migrate/1_a.rb", ""),
    ]);
    assert!(rails.dockerfile().unwrap().contains("--no-install-recommends libmariadb3 &&"));
    assert_eq!(rails.release_command.as_deref(), Some("bundle exec rails db:migrate"));
    assert!(!rails.start_command.unwrap().contains("migrate"));
    let rust = planned(&[
        ("Cargo.toml", "[package]\nname = \"a\""),
        ("Cargo.lock", "[[package]]\nname = \"openssl-sys\""),
        ("src/main.rs", ""),
    ]);
    assert!(rust.dockerfile().unwrap().contains("libssl3"));
}

#[test]
fn names_cannot_break_out_of_a_line() {
    let evil = ["a; rm -rf /", "a\\nRUN id", "$(id)", "`id`", "a b", "../a", "-x", "a'b"];
    for name in evil {
        let cargo = format!("[package]\nname = \"ok\"\n[[bin]]\nname = \"{name}\"");
        refused(&[("Cargo.toml", &cargo)]);
        let mix = format!("app: :{name},");
        let mix_plan = plan(&MemoryTree::new(&[("mix.exs", &mix)]), &Overrides::default());
        if let Ok(plan) = mix_plan {
            // The word ends where a name would.
            assert!(!plan.dockerfile().unwrap().contains(name), "{name}");
        }
        let csproj = format!(
            "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PropertyGroup><AssemblyName>{name}</AssemblyName></PropertyGroup></Project>"
        );
        refused(&[("A.csproj", &csproj)]);
        let pom = format!("<project><modules><module>{name}</module></modules></project>");
        let path = format!("{name}/pom.xml");
        let module = "<project><build><plugins><plugin><artifactId>quarkus-maven-plugin</artifactId></plugin></plugins></build></project>";
        refused(&[("pom.xml", &pom), (&path, module)]);
        let path = format!("cmd/{name}/main.go");
        refused(&[("go.mod", "module a\n"), (&path, MAIN)]);
        for (file, more) in
            [(".ruby-version", ("Gemfile", "")), (".php-version", ("index.php", ""))]
        {
            refused(&[(file, name), more, ("config.ru", "")]);
        }
        let manifest =
            [("go.mod", format!("module a\n\ngo {name}\n")), ("main.go", MAIN.to_owned())];
        let manifest: Vec<(&str, &str)> =
            manifest.iter().map(|(path, text)| (*path, text.as_str())).collect();
        refused(&manifest);
    }
}

#[test]
fn broken_and_hostile_files_are_named() {
    let deep_xml = format!("<project>{}", "<a>".repeat(300_000));
    let bomb = "<!DOCTYPE a [<!ENTITY x \"y\"><!ENTITY z \"&x;&x;&x;\">]><project>&z;</project>";
    let deep_json = format!("{}1", "[".repeat(200_000));
    let deep_toml = format!("a = {}", "[".repeat(200_000));
    let large = "x".repeat(2 * 1024 * 1024);
    for (file, texts) in [
        ("pom.xml", vec!["<project>", "", "<a", &deep_xml, bomb, &large]),
        ("A.csproj", vec!["<Project>", &deep_xml, bomb, &large]),
        ("composer.json", vec!["{", "[]", "7", &deep_json, &large]),
        ("Cargo.toml", vec!["[package", "a = 1\na = 2", &deep_toml, &large]),
        ("Gemfile", vec![&large]),
        ("mix.exs", vec![&large, "", "app: :"]),
        ("go.mod", vec![&large]),
        ("build.gradle", vec![&large]),
    ] {
        for text in texts {
            let said = refused(
                &[(file, text), ("index.php", "x"), ("main.go", MAIN)]
                    [..if file == "composer.json" { 2 } else { 1 }],
            );
            assert!(said.contains(file) && said.len() < 700, "{file}: {said}");
        }
    }
    // Wrong types are as good as nothing.
    let wrong = planned(&[
        ("index.php", ""),
        ("composer.json", r#"{"require":7,"config":[],"repositories":{"a":1}}"#),
    ]);
    assert_eq!(wrong.framework, "php");
    let wrong = planned(&[
        ("Cargo.toml", "package = 3\nbin = \"x\"\nworkspace = [1]\n[dependencies]\na = 1"),
        ("index.html", ""),
    ]);
    assert_eq!(wrong.framework, "static");
}

#[test]
fn a_version_that_orbitra_toml_names_is_the_one_that_is_used() {
    for (name, named, files) in [
        ("go", "1.23", &[("go.mod", "module a\n\ngo 1.22\n"), ("main.go", MAIN)][..]),
        ("ruby", "3.2.4", &[("config.ru", ""), ("Gemfile", "ruby '3.3.1'\ngem 'rack'")]),
        ("php", "8.2", &[("index.php", ""), (".php-version", "8.3")]),
        ("rust", "1.84", &[("Cargo.toml", "[package]\nname = \"a\""), ("src/main.rs", "")]),
        ("elixir", "1.17", &[("mix.exs", "app: :shop,"), (".elixir-version", "1.18")]),
    ] {
        let toml = format!("[versions]\n{name} = \"{named}\"\n");
        let mut all = files.to_vec();
        all.push(("orbitra.toml", &toml));
        let pins = vec![(name.to_owned(), "9.9".to_owned())];
        let plan = plan(&MemoryTree::new(&all), &Overrides { pins, ..Overrides::default() });
        let plan = plan.unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = if name == "ruby" { "3.2.4" } else { named };
        assert_eq!(version(&plan), (expected, "versions in orbitra.toml"), "{name}");
        assert!(plan.warnings.iter().all(|warning| !warning.contains("orbitra.toml")));
    }
}
