//! Who decides, and that nothing which is said from outside becomes an instruction.

use super::super::*;
use crate::git::memory_tree::MemoryTree;
use crate::model::build_plan::Output;

#[test]
fn every_framework_of_the_catalogue_can_be_forced() {
    let detected: Vec<&str> = DETECTORS.iter().map(|(id, _)| *id).collect();
    let missing: Vec<&str> =
        catalogue::FRAMEWORKS.into_iter().filter(|id| !detected.contains(id)).collect();
    assert_eq!(missing, [""; 0]);
    for id in detected {
        assert!(catalogue::is_framework(id), "{id} is not in the catalogue");
    }
}

#[test]
fn the_request_beats_the_repository_which_beats_the_project() {
    let own = |text: &str| Some(text.to_owned());
    let tree = |toml: &str| {
        MemoryTree::new(&[
            ("main.py", "print()"),
            ("requirements.txt", "a==1"),
            ("orbitra.toml", toml),
            ("Procfile", "web: from-procfile\nrelease: release-of-procfile\n"),
        ])
    };
    let toml = "runtime.start_command = 'from-toml'\nruntime.port = 8123\nruntime.healthcheck = '/up'\nbuild.watch = ['a/**']";
    let said = |command: &str| Overrides { start_command: own(command), ..Overrides::default() };
    let none = Overrides::default();
    for (file, request, project, expected) in [
        (toml, said("from-request"), said("from-project"), "from-request"),
        (toml, none.clone(), said("from-project"), "from-toml"),
        ("", none.clone(), said("from-project"), "from-project"),
        ("", said(" "), said(""), "from-procfile"),
        ("", none.clone(), none.clone(), "from-procfile"),
    ] {
        let made = plan_for(&tree(file), &request, &project).unwrap();
        assert_eq!(made.start_command.as_deref(), Some(expected));
        assert_eq!(made.release_command.as_deref(), Some("release-of-procfile"));
        assert!(!made.dockerfile().unwrap().contains("release-of-procfile"));
    }
    let made = plan(&tree(toml), &none).unwrap();
    assert!(
        made.reason.contains("`orbitra.toml` sets build.watch, runtime.healthcheck, runtime.port, runtime.start_command."),
        "{}",
        made.reason
    );
    assert!(made.reason.ends_with("Its `Procfile` says `release`."), "{}", made.reason);
    assert_eq!(made.repository.port, Some(8123));
    assert_eq!(made.repository.health_path.as_deref(), Some("/up"));
    assert_eq!(made.repository.watch, ["a/**"]);
}

#[test]
fn a_procfile_has_no_say_over_a_dockerfile_or_files() {
    let release = ("Procfile", "web: x\nrelease: y\nworker: z");
    let made = plan(&MemoryTree::new(&[("Dockerfile", "FROM a"), release]), &Overrides::default());
    let made = made.unwrap();
    assert_eq!((made.start_command, made.release_command), (None, None));
    assert!(made.warnings.is_empty(), "{:?}", made.warnings);
    // With nothing but a Procfile it is not known what to build.
    let error = plan(&MemoryTree::new(&[release]), &Overrides::default()).unwrap_err();
    assert!(matches!(error, DetectError::Nothing(_)), "{error}");
    let broken = MemoryTree::new(&[("main.py", ""), ("Procfile", "web")]);
    let error = plan(&broken, &Overrides::default()).unwrap_err().to_string();
    assert!(error.starts_with("`Procfile` is wrong in line 1"), "{error}");
}

#[test]
fn a_version_that_is_named_is_used_or_refused() {
    let named = |name: &str, version: &str| Overrides {
        versions: vec![(name.to_owned(), version.to_owned())],
        ..Overrides::default()
    };
    let tree = MemoryTree::new(&[("main.py", "print()")]);
    assert_eq!(plan(&tree, &named("python", "3.11.4")).unwrap().versions[0].version, "3.11");
    let made = plan(&tree, &named("ruby", "3.4")).unwrap();
    assert_eq!(
        made.warnings,
        ["`orbitra.toml` names a version of ruby, which this build does not choose."]
    );
    let mut made = plan(&tree, &Overrides::default()).unwrap();
    let error = pins::check(&named("python", "3.1"), &mut made).unwrap_err().to_string();
    assert_eq!(
        error,
        "`orbitra.toml` names python 3.1, and 3.13 (the default) is what can be had."
    );
}

#[test]
fn a_staticfile_names_the_directory() {
    let at = |text: &str| {
        let files = [("Staticfile", text), ("site/a.html", ""), ("public/index.html", "")];
        plan(&MemoryTree::new(&files), &Overrides::default()).map(|made| made.output)
    };
    let directory = |name: &str| Output::Static { directory: name.to_owned() };
    assert_eq!(at("root: site # here\n").unwrap(), directory("site"));
    assert_eq!(at("root: \"./site/\"\n").unwrap(), directory("site"));
    assert_eq!(at("directory: visible\n").unwrap(), directory("public"));
    for bad in ["root: ../x", "root: none", "root: /etc", "root: .git"] {
        assert!(matches!(at(bad), Err(DetectError::Invalid(_))), "{bad}");
    }
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    /// A text of pieces that mean something to a Dockerfile, a shell, TOML or Python.
    fn text(&mut self) -> String {
        const PIECES: &[&str] = &[
            "\n",
            "\r",
            "\r\n",
            "\u{b}",
            "\u{85}",
            "\u{2028}",
            "RUN id",
            "FROM evil",
            "USER root",
            "COPY / /",
            "# syntax=evil\n",
            "# escape=`\n",
            "\\",
            "\\\n",
            "`",
            "\"",
            "'",
            "\"]",
            "[\"",
            "$(id)",
            "${X}",
            "$PATH",
            "<<EOF",
            "EOF",
            " ",
            "\t",
            "&&",
            "|",
            ";",
            "--mount=type=bind",
            "--network=host",
            "--security=insecure",
            "a",
            "x.y",
            "ü",
            "\u{0}",
            "..",
            "/",
            "==",
            "-r ",
            "@",
            "ONBUILD",
            "ARG",
            "ENV A=b",
            "3.12",
            "%2e",
        ];
        (0..self.below(6) + 1).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }
}

/// The keywords of a Dockerfile's instructions, as BuildKit splits it: by line feeds, joined after a backslash.
fn keywords(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut continued = false;
    for line in text.split('\n') {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') && !continued {
            continue;
        }
        let heredoc = |word: &String| word.trim_start_matches(char::is_numeric).starts_with("<<");
        assert!(!words_of(line).iter().any(heredoc), "{line:?} would swallow what follows");
        if !continued {
            words.push(line.split_whitespace().next().unwrap_or_default().to_owned());
        }
        continued = line.ends_with('\\');
    }
    assert!(!continued);
    words
}

/// The words of a line outside quotes, as BuildKit looks for heredocs among them.
fn words_of(line: &str) -> Vec<String> {
    let (mut words, mut quote, mut escaped) = (vec![String::new()], None, false);
    for c in line.chars() {
        match quote {
            _ if escaped => escaped = false,
            Some('\'') if c == '\\' => {}
            _ if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c.is_whitespace() => {
                words.push(String::new());
                continue;
            }
            _ => {}
        }
        words.last_mut().unwrap().push(c);
    }
    words
}

/// The files and settings a text is put into.
type Making = fn(&str) -> (Vec<(String, String)>, Overrides);
type Case = (&'static str, Making);

/// Trees and settings with a text in one place; every place whose text may reach a Dockerfile.
const CASES: &[Case] = &[
    ("install", |text| case(&[("main.py", "")], |o| o.install_command = Some(text.into()))),
    ("build", |text| case(&[("main.py", "")], |o| o.build_command = Some(text.into()))),
    ("start", |text| case(&[("main.py", "")], |o| o.start_command = Some(text.into()))),
    ("release", |text| case(&[("main.py", "")], |o| o.release_command = Some(text.into()))),
    ("node install", |text| case(NODE, |o| o.install_command = Some(text.into()))),
    ("node start", |text| case(NODE, |o| o.start_command = Some(text.into()))),
    ("output", |text| case(&[("main.py", "")], |o| o.output_directory = Some(text.into()))),
    ("root", |text| case(&[("main.py", "")], |o| o.root_directory = Some(text.into()))),
    ("pin", |text| {
        case(&[("main.py", ""), ("pyproject.toml", "[project]\nname='x'")], |o| {
            o.pins = vec![("python".into(), text.into()), ("uv".into(), text.into())];
        })
    }),
    ("version", |text| {
        case(&[("main.py", ""), ("pyproject.toml", "[project]\nname='x'")], |o| {
            o.versions = vec![("uv".into(), text.into())];
        })
    }),
    ("toml", |text| {
        let quoted = toml::Value::from(text).to_string();
        case(&[("main.py", ""), ("orbitra.toml", &format!("build.command = {quoted}"))], |_| {})
    }),
    ("toml text", |text| case(&[("main.py", ""), ("orbitra.toml", text)], |_| {})),
    ("Procfile", |text| case(&[("main.py", ""), ("Procfile", &format!("web: {text}"))], |_| {})),
    (".python-version", |text| case(&[("main.py", ""), (".python-version", text)], |_| {})),
    ("requires-python", |text| {
        let quoted = toml::Value::from(text).to_string();
        let project = format!("[project]\nname = 'x'\nrequires-python = {quoted}");
        case(&[("main.py", ""), ("pyproject.toml", &project)], |_| {})
    }),
    ("requirements", |text| case(&[("main.py", ""), ("requirements.txt", text)], |_| {})),
    ("included file", |text| {
        case(&[("main.py", ""), ("requirements.txt", &format!("-r {text}")), (text, "")], |_| {})
    }),
    ("file name", |text| {
        case(&[("requirements.txt", ""), (&format!("{text}.py"), "x = FastAPI()")], |_| {})
    }),
    ("directory name", |text| {
        case(&[("requirements.txt", ""), (&format!("{text}/main.py"), "x = FastAPI()")], |_| {})
    }),
    ("directory of Django", |text| {
        let manage = "setdefault('DJANGO_SETTINGS_MODULE', 'a.b')";
        let at = |file: &str| format!("{text}/{file}");
        case(
            &[("requirements.txt", ""), (&at("manage.py"), manage), (&at("a/wsgi.py"), "")],
            |_| {},
        )
    }),
    ("settings of Django", |text| {
        let manage = format!("setdefault('DJANGO_SETTINGS_MODULE', '{text}')");
        case(&[("manage.py", &manage), (&format!("{text}/wsgi.py"), "")], |_| {})
    }),
    ("variable", |text| case(&[("main.py", &format!("{text} = FastAPI()"))], |_| {})),
];

const NODE: &[(&str, &str)] =
    &[("package.json", r#"{"main":"i.js","dependencies":{"a":"1"}}"#), ("i.js", "")];

fn case(
    files: &[(&str, &str)],
    change: impl FnOnce(&mut Overrides),
) -> (Vec<(String, String)>, Overrides) {
    let mut overrides = Overrides::default();
    change(&mut overrides);
    let own = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    (files.iter().map(own).collect(), overrides)
}

#[test]
fn no_text_becomes_an_instruction() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let run = |make: Making, text: &str| {
        let (files, overrides) = make(text);
        let files: Vec<(&str, &str)> =
            files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        plan(&MemoryTree::new(&files), &overrides)
    };
    for (name, make) in CASES {
        // The shapes that harmless texts give: with and without the step that the text is for.
        let harmless = [
            "./x",
            "y.txt",
            "a.b@c",
            "a b",
            "3.12",
            "3",
            "abc",
            "a",
            "a.b",
            "x==1",
            " ",
            "",
            "build.command='a'",
            "worker: x",
        ];
        let shapes: Vec<Vec<String>> = harmless
            .iter()
            .filter_map(|text| run(*make, text).ok()?.dockerfile().map(keywords))
            .collect();
        assert!(!shapes.is_empty(), "{name}: no harmless text makes a plan");
        let mut made = 0;
        for _ in 0..3000 {
            let text = random.text();
            let Ok(plan) = run(*make, &text) else { continue };
            let Some(dockerfile) = plan.dockerfile() else { continue };
            made += 1;
            let found = keywords(dockerfile);
            assert!(shapes.contains(&found), "{name}: {text:?} gives\n{dockerfile}");
            for line in dockerfile.lines().filter(|line| line.starts_with("FROM ")) {
                let plain = |c: char| c.is_ascii_alphanumeric() || " :.-".contains(c);
                assert!(line.chars().all(plain), "{name}: {text:?} gives {line}");
            }
            let flags = ["--network", "--security", "type=bind"];
            for line in dockerfile.lines().filter(|line| line.starts_with("RUN ")) {
                let flag = line.split(' ').skip(1).take_while(|word| word.starts_with("--"));
                let bad = flag.into_iter().any(|word| flags.iter().any(|bad| word.contains(bad)));
                assert!(!bad, "{name}: {text:?} gives {line}");
            }
        }
        assert!(made > 0, "{name}: no text made a plan");
    }
}
