//! Maven's `pom.xml`.

use roxmltree::Node;

use super::{JavaBuild, Program};
use crate::builder::layers::is_plain_path;
use crate::builder::version_files::Asked;
use crate::builder::{DetectError, Project, set, xml};

/// Most modules of a project that are read.
const MOST_MODULES: usize = 100;

/// What one `pom.xml` says.
struct Pom {
    program: Option<Program>,
    modules: Vec<String>,
    java: Option<Asked>,
}

/// `None` when there is no `pom.xml`, or nothing to start in it.
pub(super) fn find(project: &Project<'_>, forced: bool) -> Result<Option<JavaBuild>, DetectError> {
    let Some(text) = project.text_if_there("pom.xml")? else { return Ok(None) };
    let root = Pom::read("pom.xml", &text)?;
    let mut programs: Vec<(String, Program)> = Vec::new();
    let mut java = root.java;
    if root.modules.is_empty() {
        programs.extend(root.program.map(|program| (String::new(), program)));
    }
    for module in &root.modules {
        let path = format!("{module}/pom.xml");
        if project.has_path(&path)
            && let Some(text) = project.text(&path)?
        {
            let pom = Pom::read(&path, &text)?;
            java = java.or(pom.java);
            programs.extend(pom.program.map(|program| (module.clone(), program)));
        }
    }
    if programs.is_empty() && set(&project.overrides.start_command).is_some() {
        programs.push((String::new(), Program::Jar));
    }
    // Several programs: one that serves is more likely meant than a tool.
    programs.sort_by_key(|(_, program)| *program == Program::Jar);
    let mut warnings = Vec::new();
    let Some((module, program)) = programs.first().cloned() else {
        return project.no_start(
            forced,
            "`pom.xml` makes nothing that can be started: no Spring Boot, Quarkus or shade plugin, and no main class for the jar plugin. \
             Add one, or set the start command.",
        );
    };
    if programs.len() > 1 {
        let others: Vec<&str> =
            programs[1..].iter().take(10).map(|(module, _)| module.as_str()).collect();
        warnings.push(format!(
            "`{module}` is started; there are more programs: {}. The start command or the root directory chooses another one.",
            others.join(", ")
        ));
    }
    let mut build = "mvn --batch-mode --no-transfer-progress -DskipTests package".to_owned();
    if !module.is_empty() {
        build.push_str(&format!(" --projects {module} --also-make"));
    }
    Ok(Some(JavaBuild {
        file: "pom.xml",
        module,
        program,
        base: "maven:3-eclipse-temurin-",
        base_suffix: "",
        environment: None,
        cache: "/root/.m2/repository",
        build,
        results: "target",
        asked: java,
        warnings,
    }))
}

impl Pom {
    fn read(file: &str, text: &str) -> Result<Self, DetectError> {
        let document = xml::parse(file, text)?;
        let project = document.root_element();
        let modules = xml::child(project, "modules").into_iter().flat_map(|list| list.children());
        let modules = modules.filter_map(|module| module.text()).map(str::trim);
        let modules = modules.filter(|path| is_plain_path(path)).map(str::to_owned);
        let java = [
            "maven.compiler.release",
            "java.version",
            "maven.compiler.target",
            "maven.compiler.source",
        ];
        let java = java.iter().find_map(|name| {
            let value = xml::text(project, &["properties", name])?;
            // One that names another property.
            let plain = !value.starts_with("${");
            plain.then(|| Asked::new(value, format!("{name} in {file}")))
        });
        Ok(Self { program: program(project), modules: modules.take(MOST_MODULES).collect(), java })
    }
}

/// By the plugins of the build: those that make a jar with everything in it, or one with a main class.
fn program(project: Node<'_, '_>) -> Option<Program> {
    if xml::text(project, &["packaging"]) == Some("pom") {
        return None;
    }
    let plugins = xml::child(project, "build").and_then(|build| xml::child(build, "plugins"));
    let plugins: Vec<Node<'_, '_>> = plugins?.children().filter(Node::is_element).collect();
    let has =
        |name: &str| plugins.iter().any(|plugin| xml::text(*plugin, &["artifactId"]) == Some(name));
    if has("spring-boot-maven-plugin") {
        return Some(Program::Spring);
    }
    if has("quarkus-maven-plugin") {
        return Some(Program::Quarkus);
    }
    let named = |node: &Node<'_, '_>| {
        matches!(node.tag_name().name(), "mainClass" | "Main-Class" | "manifestEntries")
    };
    let main = plugins.iter().any(|plugin| plugin.descendants().any(|node| named(&node)));
    (main || has("maven-shade-plugin") || has("micronaut-maven-plugin")).then_some(Program::Jar)
}
