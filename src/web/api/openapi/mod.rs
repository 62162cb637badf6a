//! The description of the API. Routes bring their own part; here is added what is the same for all of them.

mod answers;
mod event_data;
pub mod events;
mod headers;
mod requests;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiVersion, RefOr, ServerBuilder, Tag,
};

use super::event_view::EventFrame;
use super::log_view::{LogEvent, RuntimeLogEvent};
use super::routes::operations;
use super::schema::{Schemas, add_schema};

/// The name of the one way to sign in.
pub const SECURITY: &str = "bearerAuth";

const ABOUT: &str = "Deploy applications to your own server.\n\n\
    Send your API key as `Authorization: Bearer <key>`. Bodies are JSON; fields and query parameters that do not exist \
    are refused. Lists come in pages. Every answer has an `X-Request-Id`; quote it when you report a problem.\n\n\
    Clients must ignore keys and enum values they do not know: new ones may come at any time.";

/// Resources in the order of the documentation.
const TAGS: [(&str, &str); 14] = [
    ("Users", "The account behind a key, and for instance admins all accounts."),
    ("API keys", "Keys for programs, with scopes and limits."),
    ("Projects", "A name, a source, settings, and deployments."),
    ("Project tokens", "Keys of one project."),
    ("Deployments", "One commit on its way to, or at, its own URL."),
    ("Hooks", "Addresses that a forge or a script calls when there is something to deploy."),
    ("Domains", "Host names of projects, the records they need, and their certificates."),
    ("Webhooks", "Addresses that are told of events, and what was sent to them."),
    ("Registries", "Credentials of a team for private registries of images."),
    ("Variables", "What a project's deployments find in their environment."),
    ("Audit log", "Who did what, from where, and what changed."),
    ("Catalogue", "What a project can be made of."),
    ("System", "The server itself."),
    (events::TAG, "What happened, in order; as it is sent to webhooks."),
];

/// Completes the description of the routes for a version of OpenAPI.
pub fn complete(mut document: OpenApi, version: OpenApiVersion) -> OpenApi {
    describe_streams(&mut document, &version);
    document.openapi = version;
    document.info = InfoBuilder::new()
        .title("Orbitra API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license()))
        .build();
    document.servers = Some(vec![ServerBuilder::new().url("/api/v1").build()]);
    document.tags = Some(TAGS.map(|(name, about)| tag(name, about)).into());
    let components = document.components.get_or_insert_with(Components::new);
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("orbu_…")
        .description(Some("An API key. The key alone, without `Bearer`, is accepted as well."));
    components.add_security_scheme(SECURITY, SecurityScheme::Http(scheme.build()));
    // Those of a stream's items are not collected with the operation.
    let mut items = Schemas::new();
    add_schema::<LogEvent>(&mut items);
    add_schema::<RuntimeLogEvent>(&mut items);
    add_schema::<EventFrame>(&mut items);
    components.schemas.extend(items);
    headers::define(components);
    requests::define(components);
    answers::define(components);
    document.webhooks = Some(events::webhooks(components));
    for (path, item) in &mut document.paths.paths {
        for post in item.post.iter_mut().filter(|post| answers::keyed(post)) {
            answers::complete_post(post);
        }
        let changes = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for change in changes.into_iter().flatten().filter(|change| answers::keyed(change)) {
            answers::complete_change(change);
        }
        for operation in operations(item) {
            answers::complete(path, operation);
            answers::complete_lists(operation);
            requests::complete_optional(operation);
        }
        if let Some(get) = &mut item.get {
            answers::complete_read(get);
        }
    }
    document
}

/// OpenAPI 3.2 says what the items of a stream are; for 3.1 a stream is a text.
fn describe_streams(document: &mut OpenApi, version: &OpenApiVersion) {
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        for response in operation.responses.responses.values_mut() {
            let RefOr::T(response) = response else { continue };
            for content in response.content.values_mut() {
                match (content, version) {
                    (RefOr::T(content), OpenApiVersion::Version31) => content.item_schema = None,
                    (RefOr::T(content), OpenApiVersion::Version32) => {
                        if content.item_schema.is_some() {
                            content.schema = None;
                        }
                    }
                    (RefOr::Ref(_), _) => {}
                }
            }
        }
    }
}

fn license() -> utoipa::openapi::License {
    LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()
}

fn tag(name: &str, about: &str) -> Tag {
    let mut tag = Tag::new(name);
    tag.description = Some(about.to_owned());
    tag
}
