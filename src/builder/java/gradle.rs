//! Gradle's build files, read as text: they are programs, and nothing runs here.

use super::{JavaBuild, Program};
use crate::builder::layers::is_plain_path;
use crate::builder::version_files::Asked;
use crate::builder::{DetectError, Project, set};

const FILES: &[&str] = &["build.gradle.kts", "build.gradle"];
const SETTINGS: &[&str] = &["settings.gradle.kts", "settings.gradle"];
/// Most subprojects that are read.
const MOST_PROJECTS: usize = 100;

/// `None` when there is no Gradle build, or nothing to start in it.
pub(super) fn find(project: &Project<'_>, forced: bool) -> Result<Option<JavaBuild>, DetectError> {
    let Some(file) = FILES.iter().chain(SETTINGS).copied().find(|file| project.has_file(file))
    else {
        return Ok(None);
    };
    let mut settings = String::new();
    for file in SETTINGS {
        settings.push_str(&project.text_if_there(file)?.unwrap_or_default());
    }
    let mut programs: Vec<(String, Program, &'static str)> = Vec::new();
    let mut asked = None;
    for module in [String::new()].into_iter().chain(subprojects(&settings)) {
        for name in FILES {
            let path =
                if module.is_empty() { (*name).to_owned() } else { format!("{module}/{name}") };
            if !project.has_path(&path) {
                continue;
            }
            let text = uncommented(&project.text(&path)?.unwrap_or_default());
            asked = asked.or_else(|| java(&text).map(|number| Asked::new(number, path.clone())));
            if let Some((program, task)) = program(&text) {
                programs.push((module.clone(), program, task));
            }
        }
    }
    if programs.is_empty() && set(&project.overrides.start_command).is_some() {
        programs.push((String::new(), Program::Jar, "assemble"));
    }
    let mut warnings = Vec::new();
    let Some((module, program, task)) = programs.first().cloned() else {
        return project.no_start(
            forced,
            format!(
                "`{file}` makes nothing that can be started: no Spring Boot, no `application` plugin, no fat jar and no `Main-Class`. \
                 Add one, or set the start command."
            ),
        );
    };
    if programs.len() > 1 {
        let others: Vec<&str> =
            programs[1..].iter().take(10).map(|(module, ..)| module.as_str()).collect();
        let shown = if module.is_empty() { "the root project" } else { &module };
        warnings.push(format!(
            "`{shown}` is started; there are more programs: {}. The start command or the root directory chooses another one.",
            others.join(", ")
        ));
    }
    let wrapper = project.has_file("gradlew")
        && project.has_path("gradle/wrapper/gradle-wrapper.jar")
        && project.has_path("gradle/wrapper/gradle-wrapper.properties");
    if !wrapper {
        warnings.push(
            "There is no Gradle wrapper: the version of Gradle may change between builds.".into(),
        );
    }
    let asked = match asked {
        None if wrapper && old_wrapper(project) => {
            Some(Asked::new("8", "the Gradle version of gradle-wrapper.properties"))
        }
        asked => asked,
    };
    let gradle = if wrapper { "sh ./gradlew" } else { "gradle" };
    let place = match module.as_str() {
        "" => String::new(),
        path => format!(":{}:", path.replace('/', ":")),
    };
    Ok(Some(JavaBuild {
        file,
        module,
        program,
        base: if wrapper { "eclipse-temurin:" } else { "gradle:8-jdk" },
        base_suffix: if wrapper { "-jdk" } else { "" },
        environment: Some("GRADLE_USER_HOME=/var/cache/gradle"),
        cache: "/var/cache/gradle",
        build: format!("{gradle} --no-daemon {place}{task}"),
        results: match program {
            Program::Distribution => "build/install",
            Program::Quarkus => "build",
            Program::Spring | Program::Jar => "build/libs",
        },
        asked,
        warnings,
    }))
}

/// What a build file makes, and the task that makes it.
fn program(text: &str) -> Option<(Program, &'static str)> {
    let plugin =
        |id: &str| text.contains(&format!("'{id}'")) || text.contains(&format!("\"{id}\""));
    // A plugin that is only named for subprojects is not one of this project.
    let applied = |id: &str| {
        plugin(id) && !text.lines().any(|line| line.contains(id) && line.contains("apply false"))
    };
    if applied("org.springframework.boot") {
        return Some((Program::Spring, "bootJar"));
    }
    if applied("io.quarkus") {
        return Some((Program::Quarkus, "quarkusBuild"));
    }
    if applied("io.ktor.plugin") {
        return Some((Program::Jar, "buildFatJar"));
    }
    if applied("com.gradleup.shadow") || applied("com.github.johnrengelman.shadow") {
        return Some((Program::Jar, "shadowJar"));
    }
    let own = text.lines().any(|line| matches!(line.trim(), "application" | "`application`"));
    if own || applied("application") {
        return Some((Program::Distribution, "installDist"));
    }
    text.contains("Main-Class").then_some((Program::Jar, "jar"))
}

/// The Java version a build file names: a toolchain, else what the compiled code is for.
fn java(text: &str) -> Option<String> {
    let after = |marker: &str| {
        let at = text.find(marker)? + marker.len();
        let rest = text[at..].trim_start_matches([' ', '\t', '=', '\'', '"', '(']);
        let number: String =
            rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | '_')).collect();
        let number = number.trim_end_matches('.').replace('_', ".");
        (!number.is_empty() && number.len() < 10).then_some(number)
    };
    [
        "JavaLanguageVersion.of",
        "jvmToolchain",
        "JavaVersion.VERSION_",
        "sourceCompatibility",
        "options.release",
    ]
    .iter()
    .find_map(|marker| after(marker))
}

/// Paths of the projects that `include` names: `include 'app', ':lib:core'`.
fn subprojects(settings: &str) -> Vec<String> {
    let text = uncommented(settings);
    let mut paths = Vec::new();
    // A list may go on over lines, each of which ends with a comma.
    let joined = text.replace(",\n", ",").replace("(\n", "(");
    for line in joined.lines().map(str::trim).filter(|line| line.starts_with("include")) {
        let list = line.trim_start_matches("include");
        if !list.starts_with([' ', '(', '\'', '"', '\t']) {
            continue;
        }
        for name in list.split(['\'', '"']).skip(1).step_by(2) {
            let path = name.trim_matches(':').replace(':', "/");
            if is_plain_path(&path) && paths.len() < MOST_PROJECTS {
                paths.push(path);
            }
        }
    }
    paths
}

/// Gradle up to version 5 runs on no newer Java than this.
fn old_wrapper(project: &Project<'_>) -> bool {
    let text = project.hints("gradle/wrapper/gradle-wrapper.properties");
    let version =
        text.split("gradle-").filter_map(|rest| rest.split('.').next()?.parse().ok()).next();
    version.is_some_and(|major: u32| major <= 5)
}

fn uncommented(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}
