//! Headers of answers, described once and referred to.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{Object, ObjectBuilder};
use utoipa::openapi::{Components, Ref, RefOr, Type};

use crate::web::api::schema;

/// Headers every answer has.
const ALWAYS: [&str; 8] = [
    "X-Request-Id",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit-Policy",
    "RateLimit",
    "Cache-Control",
    "X-Content-Type-Options",
];
/// Headers every answer may have.
const MAYBE: [&str; 1] = ["X-Client-Request-Id"];

type Headers = BTreeMap<String, RefOr<Header>>;

/// Puts the descriptions where [`add`] refers to them.
pub fn define(components: &mut Components) {
    let number = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build();
    let text = || schema::text().build();
    let words = |all: &[&str]| schema::words(all).build();
    let all: [(&str, Object, &str); 19] = [
        (
            "X-Request-Id",
            schema::text().pattern(Some("^req_[0-9a-z]{16}$")).build(),
            "The id of this request.",
        ),
        (
            "X-RateLimit-Limit",
            number(),
            "Requests per window; 2147483647 where there is no limit. All keys of an account share one window; without a valid key the address has one.",
        ),
        ("X-RateLimit-Remaining", number(), "Requests that are left in the window."),
        ("X-RateLimit-Reset", number(), "When the window ends, in seconds since 1970."),
        (
            "RateLimit-Policy",
            text(),
            "The name of the limit, its number and its seconds: `\"professional\";q=10000;w=3600`.",
        ),
        (
            "RateLimit",
            text(),
            "What is left and for how many seconds: `\"professional\";r=9987;t=3121`.",
        ),
        (
            "Cache-Control",
            text(),
            "`private, no-cache` on what is read, `no-store` on everything else.",
        ),
        ("X-Content-Type-Options", words(&["nosniff"]), "Always the same."),
        ("X-Orbitra-Version", text(), "The version of the server; only with a valid key."),
        (
            "ETag",
            text(),
            "The version of what was read, for `If-None-Match` and, of one object, `If-Match`.",
        ),
        ("Location", text(), "The path of the new resource."),
        (
            "Link",
            text(),
            "The first, previous, next and last page (RFC 8288); not when one page holds everything.",
        ),
        ("WWW-Authenticate", text(), "How to sign in (RFC 6750)."),
        ("Allow", text(), "The methods of the path in alphabetical order."),
        (
            "Idempotent-Replayed",
            words(&["true"]),
            "On the answer to a repeated request, which had no further effect.",
        ),
        ("Retry-After", number(), "Seconds to wait before trying again."),
        ("X-Should-Retry", words(&["true", "false"]), "Whether trying the same again makes sense."),
        (
            "X-Orbitra-Deployment",
            text(),
            "The deployment that `redeploy` has started; not when there was none to repeat.",
        ),
        ("X-Client-Request-Id", text(), "The `X-Request-Id` the client sent."),
    ];
    for (name, object, about) in all {
        let required = ALWAYS.contains(&name);
        let mut header = HeaderBuilder::new().schema(Some(object)).description(Some(about)).build();
        if required {
            // utoipa has no field for it.
            let mut extensions = utoipa::openapi::extensions::Extensions::default();
            extensions.insert("required".to_owned(), json!(true));
            header.extensions = Some(extensions);
        }
        components.headers.insert(name.to_owned(), header.into());
    }
}

/// Refers to these headers.
pub fn add(headers: &mut Headers, names: &[&str]) {
    for name in names {
        let header = Ref::new(format!("#/components/headers/{name}"));
        headers.entry((*name).to_owned()).or_insert(RefOr::Ref(header));
    }
}

/// Refers to the headers of every answer.
pub fn add_always(headers: &mut Headers) {
    add(headers, &ALWAYS);
    add(headers, &MAYBE);
}
