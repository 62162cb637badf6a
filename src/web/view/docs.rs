//! `/docs`: the reference of the API.

use askama::Template;

use super::shell::Shell;

/// The page. It belongs to nobody: the same for everybody who asks.
#[derive(Template)]
#[template(path = "docs.html")]
pub struct DocsPage {
    pub shell: Shell,
    /// Of the server.
    pub version: String,
    /// `https://orbitra.example.com`.
    pub server: String,
    /// Where paths begin: `https://orbitra.example.com/api/v1`.
    pub base: String,
    pub groups: Vec<Group>,
    /// Headers of answers.
    pub headers: Vec<Named>,
    pub codes: Vec<Code>,
    pub events: Vec<Event>,
    pub schemas: Vec<SchemaEntry>,
}

/// Operations of one resource.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: String,
    /// For the address.
    pub slug: String,
    pub about: String,
    pub operations: Vec<Operation>,
}

/// Something that can be asked for.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: String,
    /// `POST`.
    pub method: String,
    pub path: String,
    /// `Make a project`.
    pub summary: String,
    /// Paragraphs.
    pub about: Vec<String>,
    /// It needs no key.
    pub open: bool,
    /// What the key must be allowed.
    pub scopes: Vec<String>,
    pub parameters: Vec<Field>,
    pub body: Option<Body>,
    /// Answers that are special to it.
    pub outcomes: Vec<Outcome>,
    /// Statuses of errors that mean the same everywhere: `400, 401`.
    pub usual: String,
    /// The request as a command.
    pub request: String,
    /// Status and body of a good answer.
    pub answer: Option<(String, String)>,
}

/// A parameter, or a field of an object.
#[derive(Clone, Debug, Default)]
pub struct Field {
    pub name: String,
    /// `path`, `query` or `header`; empty for a field.
    pub place: &'static str,
    pub kind: Kind,
    pub required: bool,
    pub about: String,
}

/// What a value is.
#[derive(Clone, Debug, Default)]
pub struct Kind {
    /// `list of Project`.
    pub text: String,
    /// The schema that says more.
    pub schema: Option<String>,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub struct Body {
    pub schema: Option<String>,
    pub required: bool,
    pub about: String,
    pub fields: Vec<Field>,
    pub example: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub status: String,
    pub about: String,
    /// What the body is.
    pub kind: Kind,
    /// Of an error.
    pub code: Option<&'static str>,
    /// It can be a stream of events as well.
    pub events: bool,
}

/// Something with a name, and what it is.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub about: String,
}

/// A code of an error.
#[derive(Clone, Debug)]
pub struct Code {
    pub code: &'static str,
    pub status: u16,
    pub about: &'static str,
}

/// A kind of event.
#[derive(Clone, Debug)]
pub struct Event {
    pub name: String,
    pub when: String,
    pub data: Kind,
}

/// An object that others refer to.
#[derive(Clone, Debug)]
pub struct SchemaEntry {
    pub name: String,
    pub about: String,
    pub fields: Vec<Field>,
}

impl Operation {
    /// What the search looks through.
    fn words(&self) -> String {
        format!("{} {} {} {}", self.id, self.method, self.path, self.summary).to_lowercase()
    }
}

impl DocsPage {
    /// Two operations, with everything an operation can have.
    pub fn sample() -> Vec<(&'static str, Self)> {
        let kind = |text: &str| Kind { text: text.to_owned(), schema: None };
        let project = Kind { text: "Project".to_owned(), schema: Some("Project".to_owned()) };
        let field = |name: &str, place, text: &str, required| Field {
            name: name.to_owned(),
            place,
            kind: kind(text),
            required,
            about: "Lower-case letters, digits and `-`. 1 to 40 characters.".to_owned(),
        };
        let create = Operation {
            id: "projects_create".to_owned(),
            method: "POST".to_owned(),
            path: "/projects".to_owned(),
            summary: "Make a project".to_owned(),
            about: vec!["Its name becomes its host name.".to_owned()],
            open: false,
            scopes: vec!["projects:write".to_owned()],
            parameters: vec![field("Idempotency-Key", "header", "string", false)],
            body: Some(Body {
                schema: None,
                required: true,
                about: "A project to make.".to_owned(),
                fields: vec![
                    field("name", "", "string", true),
                    field("region", "", "string", true),
                ],
                example: "{\n  \"name\": \"my-app\",\n  \"region\": \"local\"\n}".to_owned(),
            }),
            outcomes: vec![
                Outcome {
                    status: "201".to_owned(),
                    about: "The project.".to_owned(),
                    kind: project,
                    code: None,
                    events: false,
                },
                Outcome {
                    status: "409".to_owned(),
                    about: "`name_taken`: another project has this name.".to_owned(),
                    kind: Kind::default(),
                    code: Some("conflict"),
                    events: false,
                },
            ],
            usual: "400, 401, 403, 429, 500, 503".to_owned(),
            request: "curl -X POST \"https://orbitra.example.com/api/v1/projects\"".to_owned(),
            answer: Some(("201".to_owned(), "{\n  \"id\": \"prj_def456\"\n}".to_owned())),
        };
        let health = Operation {
            id: "health".to_owned(),
            method: "GET".to_owned(),
            path: "/health".to_owned(),
            summary: "Ask whether the server works".to_owned(),
            open: true,
            scopes: Vec::new(),
            parameters: Vec::new(),
            body: None,
            answer: None,
            ..create.clone()
        };
        let group = |name: &str, operation| Group {
            name: name.to_owned(),
            slug: name.to_lowercase(),
            about: "A name, a source, settings, and deployments.".to_owned(),
            operations: vec![operation],
        };
        let page = Self {
            shell: Shell::default(),
            version: "1.0.0".to_owned(),
            server: "https://orbitra.example.com".to_owned(),
            base: "https://orbitra.example.com/api/v1".to_owned(),
            groups: vec![group("Projects", create), group("System", health)],
            headers: vec![Named {
                name: "X-Request-Id".to_owned(),
                about: "The id of the request.".to_owned(),
            }],
            codes: vec![Code { code: "conflict", status: 409, about: "The state is another." }],
            events: vec![Event {
                name: "deployment.created".to_owned(),
                when: "A deployment was accepted.".to_owned(),
                data: kind("object"),
            }],
            schemas: vec![SchemaEntry {
                name: "Project".to_owned(),
                about: "A project.".to_owned(),
                fields: vec![field("id", "", "string", true)],
            }],
        };
        vec![("full", page)]
    }
}
