//! Java and Kotlin projects, built by Maven or Gradle: Spring Boot, and every other program that is one jar or one
//! distribution.

mod gradle;
mod maven;

use crate::builder::command::exec_form;
use crate::builder::image::{Image, Step};
use crate::builder::layers::{USER, chosen};
use crate::builder::runtime::Runtime;
use crate::builder::version_files::{Asked, of_files, of_managers};
use crate::builder::{DetectError, Project, set};
use crate::model::build_plan::{BuildPlan, Output, Version};

const RUNTIME: Runtime = Runtime {
    name: "java",
    title: "Java",
    known: &[(21, 0), (25, 0), (17, 0), (11, 0), (8, 0)],
    oldest: (8, 0),
    parts: 1,
};

/// What kind of program comes out, as far as its start depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Spring,
    Quarkus,
    /// A jar that says itself what is run.
    Jar,
    /// A directory with a start script, as Gradle's `installDist` makes it.
    Distribution,
}

/// How Maven or Gradle build one program.
pub(super) struct JavaBuild {
    /// Such as `pom.xml`.
    pub file: &'static str,
    /// Directory of the module that is started, `""` for the root.
    pub module: String,
    pub program: Program,
    /// The image the build runs in, without the Java version at its end.
    pub base: &'static str,
    pub base_suffix: &'static str,
    pub environment: Option<&'static str>,
    pub cache: &'static str,
    pub build: String,
    /// Directory of the results, below the module.
    pub results: &'static str,
    /// The version the build file names.
    pub asked: Option<Asked>,
    pub warnings: Vec<String>,
}

/// Takes a Spring Boot application.
pub(super) fn detect_spring(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    match find(project, forced)? {
        Some(build) if build.program == Program::Spring => plan(project, build, "spring").map(Some),
        _ => project.missing(forced, "`pom.xml` or `build.gradle` with Spring Boot"),
    }
}

/// Takes every other project of Maven or Gradle.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    match find(project, forced)? {
        Some(build) => plan(project, build, "java").map(Some),
        None => project.missing(forced, "`pom.xml` or `build.gradle`"),
    }
}

fn find(project: &Project<'_>, forced: bool) -> Result<Option<JavaBuild>, DetectError> {
    match gradle::find(project, forced)? {
        Some(build) => Ok(Some(build)),
        None => maven::find(project, forced),
    }
}

fn plan(project: &Project<'_>, made: JavaBuild, framework: &str) -> Result<BuildPlan, DetectError> {
    let overrides = project.overrides;
    let version = resolve(project, made.asked)?;
    let install = set(&overrides.install_command);
    let build = chosen(&overrides.build_command, Some(made.build)).unwrap_or_default();
    let start = chosen(&overrides.start_command, Some(made.program.start()));
    let start = start.unwrap_or_default();
    let caches: &[&str] = &[made.cache];

    let mut image = Image::default();
    image.from(&format!("{}{}{}", made.base, version.version, made.base_suffix), Some("build"));
    // A build's steps are held in a control group that cannot be seen from inside: with version 1 of control groups Java
    // ends when it looks for its own.
    image.line("ENV JAVA_TOOL_OPTIONS=-XX:-UseContainerSupport");
    image.line("WORKDIR /app");
    if let Some(environment) = made.environment {
        image.line(format!("ENV {environment}"));
    }
    // What is downloaded lies in the kept directory, so there is no layer to make of it.
    let install_step = install.map(|command| Step { command, caches, variables: true });
    image
        .install(None, install_step.as_ref())
        .variables_follow()
        .run(&Step { command: &build, caches, variables: true })
        .run(&Step {
            command: &made.program.collect(&made.module, made.results),
            ..Step::default()
        })
        .from(&format!("eclipse-temurin:{}-jre", version.version), None)
        .app_user()
        .line(format!("COPY --from=build --chown={USER}:{USER} /out ./"))
        .line(format!("USER {USER}"))
        .cmd(&exec_form(&start));
    let place = match made.module.as_str() {
        "" => String::new(),
        module => format!(" of `{module}`"),
    };
    let reason = match made.program {
        Program::Spring => format!("There is a `{}` with Spring Boot{place}.", made.file),
        Program::Quarkus => format!("There is a `{}` with Quarkus{place}.", made.file),
        Program::Jar => format!("There is a `{}`; the jar{place} is started.", made.file),
        Program::Distribution => {
            format!("There is a `{}`; the application{place} is started.", made.file)
        }
    };
    Ok(BuildPlan {
        versions: vec![version],
        install_command: install.map(str::to_owned),
        build_command: Some(build),
        start_command: Some(start),
        release_command: set(&overrides.release_command).map(str::to_owned),
        port: matches!(made.program, Program::Spring | Program::Quarkus).then_some(8080),
        caches: vec![made.cache.to_owned()],
        warnings: made.warnings,
        ..BuildPlan::new(
            framework,
            reason,
            Output::Container { dockerfile: image.finish(), path: None },
        )
    })
}

impl Program {
    /// The heap follows the container's memory limit; `JAVA_OPTS` is the variable that people set for more.
    fn start(self) -> String {
        let java = "exec java -XX:MaxRAMPercentage=75 $JAVA_OPTS";
        match self {
            Self::Spring => format!("{java} -Dserver.port=\"${{PORT:-8080}}\" -jar app.jar"),
            Self::Quarkus => format!(
                "{java} -Dquarkus.http.host=0.0.0.0 -Dquarkus.http.port=\"${{PORT:-8080}}\" -jar app.jar"
            ),
            Self::Jar => format!("{java} -jar app.jar"),
            Self::Distribution => "bin/start".into(),
        }
    }

    /// Puts what is run into `/out`, under a name that does not depend on the project's version.
    fn collect(self, module: &str, results: &str) -> String {
        let at = if module.is_empty() { results.to_owned() } else { format!("{module}/{results}") };
        match self {
            Self::Quarkus => format!(
                "mkdir -p /out && cp -R {at}/quarkus-app/. /out/ && mv /out/quarkus-run.jar /out/app.jar"
            ),
            Self::Distribution => format!(
                "mkdir -p /out && cp -R {at}/*/. /out/ && rm -f /out/bin/*.bat && mv /out/bin/* /out/bin/start"
            ),
            // Later ones win: first any jar, then one that says it has everything in it.
            Self::Spring | Self::Jar => format!(
                "mkdir -p /out && for file in {at}/*.jar {at}/*.war {at}/*-jar-with-dependencies.jar {at}/*-all.jar {at}/*-exec.jar; do \
                 case \"$file\" in *-sources.jar|*-javadoc.jar|*-tests.jar|*-plain.jar|*-plain.war|*/original-*) continue ;; esac; \
                 if test -f \"$file\"; then cp \"$file\" /out/app.jar; fi; done && \
                 for libraries in lib libs dependency dependency-jars; do \
                 if test -d \"{at}/$libraries\"; then cp -R \"{at}/$libraries\" /out/; fi; done && \
                 if ! test -f /out/app.jar; then echo 'The build made no jar in {at}.' >&2; exit 1; fi"
            ),
        }
    }
}

/// `system.properties`, `.java-version`, `.sdkmanrc`, `.tool-versions`, the build file.
fn resolve(project: &Project<'_>, build_file: Option<Asked>) -> Result<Version, DetectError> {
    let properties = |file: &'static str, key: &str| -> Result<Option<Asked>, DetectError> {
        let text = project.text_if_there(file)?;
        Ok(text.and_then(|text| {
            let mut pairs = text.lines().filter_map(|line| line.split_once('='));
            let (_, value) = pairs.find(|(name, _)| name.trim() == key)?;
            Some(Asked::new(value.trim(), file))
        }))
    };
    let mut asked = properties("system.properties", "java.runtime.version")?;
    if asked.is_none() {
        asked = of_files(project, &[".java-version"])?;
    }
    if asked.is_none() {
        asked = properties(".sdkmanrc", "java")?;
    }
    if asked.is_none() {
        asked = of_managers(project, &["java"])?;
    }
    let asked = asked.or(build_file).map(|asked| {
        // `1.8` is how 8 was written.
        let text = asked.text.trim();
        Asked::new(text.strip_prefix("1.").unwrap_or(text), asked.source)
    });
    RUNTIME.resolve(project, asked)
}
