//! .NET projects: one project file that is published, of possibly several.

use roxmltree::Node;

use super::command::exec_form;
use super::image::{Image, Step};
use super::layers::{USER, chosen, is_plain_path};
use super::requirement::Number;
use super::runtime::Runtime;
use super::version_files::Asked;
use super::{DetectError, Project, set, xml};
use crate::model::build_plan::{BuildPlan, Output, Version};

const RUNTIME: Runtime = Runtime {
    name: "dotnet",
    title: ".NET",
    known: &[(10, 0), (8, 0), (9, 0)],
    oldest: (6, 0),
    parts: 2,
};

const CACHE: &str = "/root/.nuget/packages";
const ENDINGS: &[&str] = &[".csproj", ".fsproj", ".vbproj"];
/// Most project files that are read.
const MOST_PROJECTS: usize = 100;

/// A project file that makes a program.
struct Program {
    path: String,
    /// Name of the program's assembly.
    assembly: String,
    web: bool,
    framework: Option<String>,
    /// Whether installing reads no other files of the repository.
    alone: bool,
}

/// Takes a tree with a project file at the root, in `src/*/` or in a directory of the root.
pub(super) fn detect(
    project: &Project<'_>,
    forced: bool,
) -> Result<Option<BuildPlan>, DetectError> {
    let mut files: Vec<String> = project.files_in("");
    let solution = files.iter().any(|path| path.ends_with(".sln") || path.ends_with(".slnx"));
    files.retain(|path| is_project_file(path));
    if files.is_empty() && (solution || forced) {
        let directories =
            project.directories_in("").into_iter().chain(project.directories_in("src"));
        files = directories.take(MOST_PROJECTS).flat_map(|path| project.files_in(&path)).collect();
        files.retain(|path| is_project_file(path));
    }
    if files.is_empty() {
        return project.missing(forced, "project file (`*.csproj`, `*.fsproj`)");
    }
    let mut programs = Vec::new();
    for path in files.into_iter().take(MOST_PROJECTS) {
        programs.extend(Program::read(project, path)?);
    }
    programs.sort_by_key(|program| !program.web);
    let Some(program) = programs.first() else {
        return project.no_start(
            forced,
            "There are project files of .NET, but none makes a program: no `Microsoft.NET.Sdk.Web` and no `<OutputType>Exe</OutputType>`. \
             Set the root directory, or add a `Dockerfile`.",
        );
    };
    let mut warnings = Vec::new();
    if programs.len() > 1 {
        let others: Vec<&str> =
            programs[1..].iter().take(10).map(|program| program.path.as_str()).collect();
        warnings.push(format!(
            "`{}` is published and started; there are more programs: {}. The build and start commands or the root directory choose another one.",
            program.path,
            others.join(", ")
        ));
    }
    if !project.has_path(&sibling(&program.path, "packages.lock.json")) {
        warnings.push(
            "There is no `packages.lock.json`: versions of packages may change between builds."
                .into(),
        );
    }
    plan(project, program, warnings).map(Some)
}

fn plan(
    project: &Project<'_>,
    program: &Program,
    warnings: Vec<String>,
) -> Result<BuildPlan, DetectError> {
    let overrides = project.overrides;
    let asked = program.framework.as_deref().and_then(|text| {
        let number = text.strip_prefix("net").filter(|rest| rest.starts_with(char::is_numeric))?;
        let number = number.split('-').next().unwrap_or(number);
        Some(Asked::new(number, format!("TargetFramework in {}", program.path)))
    });
    if let (None, Some(text)) = (&asked, &program.framework) {
        let shown: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
        return Err(DetectError::Unsupported(format!(
            "`{}` is for `{shown}`; only .NET 6 and later (`net8.0`) can be built.",
            program.path
        )));
    }
    let version = RUNTIME.resolve(project, asked)?;
    let sdk = sdk(project, &version)?;
    let own_install = set(&overrides.install_command);
    let install =
        chosen(&overrides.install_command, Some(format!("dotnet restore {}", program.path)));
    let build = chosen(
        &overrides.build_command,
        Some(format!("dotnet publish {} --configuration Release --output /out", program.path)),
    );
    let build = build.unwrap_or_default();
    let start = chosen(
        &overrides.start_command,
        Some(format!(
            "export ASPNETCORE_URLS=\"http://0.0.0.0:${{PORT:-8080}}\"; exec dotnet {}.dll",
            program.assembly
        )),
    );
    let start = start.unwrap_or_default();

    let mut image = Image::default();
    image
        .from(&format!("mcr.microsoft.com/dotnet/sdk:{sdk}"), Some("build"))
        .line("WORKDIR /app")
        .line("ENV DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1");
    let manifests = (program.alone && own_install.is_none()).then(|| {
        let files = [
            "packages.lock.json",
            "global.json",
            "NuGet.config",
            "nuget.config",
            "Directory.Packages.props",
        ];
        let files =
            files.iter().filter(|file| project.has_file(file)).map(|file| (*file).to_owned());
        [program.path.clone()].into_iter().chain(files).collect::<Vec<_>>()
    });
    let command = install.as_deref().unwrap_or_default();
    let restore = Step { command, caches: &[CACHE], variables: true };
    image.install(manifests.as_deref(), Some(&restore)).variables_follow().run(&Step {
        command: &build,
        caches: &[CACHE],
        variables: true,
    });
    let kind = if program.web { "aspnet" } else { "runtime" };
    image.from(&format!("mcr.microsoft.com/dotnet/{kind}:{}", version.version), None);
    // From 8 on the image has a user of this name.
    if Number::parse(&version.version).is_some_and(|number| number.series() >= (8, 0)) {
        let own = format!("chown {USER}:{USER} /app");
        image.line("WORKDIR /app").run(&Step { command: &own, ..Step::default() });
    } else {
        image.app_user();
    }
    let dockerfile = image
        .line(format!("COPY --from=build --chown={USER}:{USER} /out ./"))
        .line(format!("USER {USER}"))
        .cmd(&exec_form(&start))
        .finish();
    let kind = if program.web { "a web application" } else { "a program" };
    let reason = format!("There is a `{}`, {kind} for .NET.", program.path);
    Ok(BuildPlan {
        versions: vec![version],
        install_command: install,
        build_command: Some(build),
        start_command: Some(start),
        release_command: set(&overrides.release_command).map(str::to_owned),
        port: program.web.then_some(8080),
        caches: vec![CACHE.to_owned()],
        warnings,
        ..BuildPlan::new("dotnet", reason, Output::Container { dockerfile, path: None })
    })
}

impl Program {
    /// `None` for a library, a test project or a file with names that cannot be used.
    fn read(project: &Project<'_>, path: String) -> Result<Option<Self>, DetectError> {
        let text = project.text(&path)?.unwrap_or_default();
        let document = xml::parse(&path, &text)?;
        let root = document.root_element();
        let sdk = root.attribute("Sdk").unwrap_or_default();
        let web = sdk.starts_with("Microsoft.NET.Sdk.Web");
        let worker = sdk.starts_with("Microsoft.NET.Sdk.Worker");
        let is_program = web
            || worker
            || property(root, "OutputType").is_some_and(|kind| kind.eq_ignore_ascii_case("exe"));
        let tests = property(root, "IsTestProject").is_some_and(|text| text == "true")
            || text.contains("Microsoft.NET.Test.Sdk");
        if !is_program || tests {
            return Ok(None);
        }
        let file = path.rsplit('/').next().unwrap_or(&path);
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let assembly = property(root, "AssemblyName").unwrap_or(stem);
        if !is_plain_path(&path) || !super::layers::is_plain_name(assembly) {
            return Err(DetectError::Invalid(
                "The paths of project files and the names of their assemblies may have letters, digits, `.`, `_`, `-` and `+` only.".into(),
            ));
        }
        let framework = property(root, "TargetFramework")
            .or_else(|| property(root, "TargetFrameworks").and_then(|list| list.split(';').next()));
        // A property of `Directory.Build.props`, say.
        let framework = framework.filter(|text| !text.contains('$')).map(str::to_owned);
        let shared = ["Directory.Build.props", "Directory.Build.targets"];
        let alone = !path.contains('/')
            && !text.contains("ProjectReference")
            && !text.contains("<Import ")
            && !shared.iter().any(|file| project.has_file(file));
        Ok(Some(Self { assembly: assembly.to_owned(), web, framework, alone, path }))
    }
}

/// A property of any of the groups.
fn property<'a>(root: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let groups = root.children().filter(|node| node.tag_name().name() == "PropertyGroup");
    groups.filter_map(|group| xml::text(group, &[name])).next()
}

fn is_project_file(path: &str) -> bool {
    ENDINGS.iter().any(|ending| path.ends_with(ending))
}

fn sibling(path: &str, name: &str) -> String {
    match path.rsplit_once('/') {
        Some((directory, _)) => format!("{directory}/{name}"),
        None => name.to_owned(),
    }
}

/// The series of the tools: `global.json`, else the program's own.
fn sdk(project: &Project<'_>, version: &Version) -> Result<String, DetectError> {
    let Some(text) = project.text_if_there("global.json")? else {
        return Ok(version.version.clone());
    };
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
        DetectError::Invalid(format!("`global.json` is not valid JSON: {error}."))
    })?;
    let wanted = json.get("sdk").and_then(|sdk| sdk.get("version")).and_then(|text| text.as_str());
    let wanted = wanted.and_then(Number::parse).filter(|number| number.0.len() > 1);
    Ok(wanted.map_or(version.version.clone(), |number| number.text(2)))
}
