//! `/projects/{project}/uploads`: archives that are sent to be deployed.

use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method};

use super::Api;
use super::asked::Asked;
use super::error::ApiError;
use super::guards::Caller;
use super::params::Params;
use super::path::Named;
use super::respond::{self, Answer};
use super::upload_view::{Tarball, UploadView};
use crate::app::AppError;
use crate::app::may::Action;
use crate::app::uploads::NotReceived;
use crate::model::problems::Problems;
use crate::model::upload::{MOST_BYTES, Upload};

/// What a gzipped tar is called.
const MEDIA_TYPES: [&str; 3] = ["application/gzip", "application/x-gzip", "application/x-tar+gzip"];

/// Whether a request brings an archive, by what stands in its first line.
pub fn is_upload(method: &Method, path: &str) -> bool {
    *method == Method::POST && path.strip_suffix('/').unwrap_or(path).ends_with("/uploads")
}

/// A body that was not read yet, and the headers that describe it.
pub struct ArchiveBody {
    asked: Asked,
    headers: HeaderMap,
    body: Body,
}

impl<S: Sync> FromRequest<S> for ArchiveBody {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        Ok(Self { asked: Asked::read(&parts), headers: parts.headers, body })
    }
}

/// Upload an archive
///
/// The body is a gzipped tar of the files to build, checked whole before the answer. Deploy it with `upload_id`.
#[utoipa::path(
    post,
    path = "",
    tag = "Deployments",
    operation_id = "uploads_create",
    params(
        ("project" = String, Path, description = "The id or the name of a project."),
        ("Content-Digest" = Option<String>, Header, description = "`sha-256=:…:`, the hash of the body (RFC 9530)."),
    ),
    request_body(content = Tarball, content_type = "application/gzip"),
    responses((
        status = 201,
        description = "The upload. It waits for a day to be deployed.",
        body = UploadView,
        example = json!({
            "id": "upl_7k2m9qhx4t8w1z3c", "size_bytes": 48_213,
            "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "expires_at": "2026-01-21T16:30:00Z",
        }),
    )),
    security(("bearerAuth" = ["deployments:write"])),
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    project: Named,
    params: Params,
    archive: ArchiveBody,
) -> Answer {
    caller.may(Action::DeploymentsWrite)?;
    check_media_type(&archive.headers)?;
    let mut problems = params.finish();
    let announced = announced(&archive.headers, &mut problems);
    let parts = archive.body.into_data_stream();
    let received = match api.app.receive_upload(&caller.0, &project.0, parts).await {
        Ok(received) => received,
        Err(NotReceived::TooLarge) => return Err(ApiError::too_large(MOST_BYTES)),
        Err(NotReceived::BrokenOff) => {
            problems.invalid("body", "format", "The body ended early.");
            return Err(AppError::Invalid(problems).into());
        }
        Err(NotReceived::Refused(error)) => return Err(error.into()),
    };
    let answer = |upload: &Upload| respond::made(&UploadView::from(upload.clone()));
    let terms = archive.asked.once(&caller, received.sha256(), &mut problems, answer);
    let upload = api.app.keep_upload(&caller.0, received, announced, problems, &terms).await?;
    Ok(respond::settled(&answer(&upload)))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let encoded = headers.get(CONTENT_ENCODING);
    if encoded.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let message = "Send the archive without a content encoding: it is compressed itself.";
        return Err(ApiError::other_media_type(message, &MEDIA_TYPES));
    }
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = sent.split(';').next().unwrap_or_default().trim();
    if MEDIA_TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        return Ok(());
    }
    Err(ApiError::other_media_type("Send a gzipped tar as application/gzip.", &MEDIA_TYPES))
}

/// The SHA-256 of `Content-Digest`. Hashes of other kinds may be passed over (RFC 9530 §2).
fn announced(headers: &HeaderMap, problems: &mut Problems) -> Option<[u8; 32]> {
    let mut found = None;
    for value in headers.get_all("content-digest") {
        let text = value.to_str().unwrap_or("?");
        for member in text.split(',') {
            let digest = member.trim().split_once('=').and_then(|(kind, rest)| {
                let rest = rest.split(';').next()?.trim();
                let bytes = rest.strip_prefix(':')?.strip_suffix(':')?;
                Some((kind, STANDARD.decode(bytes).ok()?))
            });
            match digest {
                Some(("sha-256", bytes)) if bytes.len() == 32 && found.is_none() => {
                    found = bytes.try_into().ok();
                }
                Some((kind, _)) if kind != "sha-256" => {}
                _ => {
                    if !problems.has("Content-Digest") {
                        let message = "Send it as `sha-256=:…:`, with 32 bytes in Base64.";
                        problems.invalid("Content-Digest", "format", message);
                    }
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_as_rfc_9530_writes_them() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("content-digest", value.parse().unwrap());
            }
            let mut problems = Problems::default();
            let found = announced(&headers, &mut problems);
            problems.is_empty().then_some(found)
        };
        let one = format!("sha-256=:{}:", STANDARD.encode([1; 32]));
        assert_eq!(read(&[&one]), Some(Some([1; 32])));
        assert_eq!(read(&[&format!("sha-512=:AAAA:, {one};x=1")]), Some(Some([1; 32])));
        assert_eq!(read(&["sha-512=:AAAA:", &one]), Some(Some([1; 32])));
        assert_eq!(read(&["sha-512=:AAAA:"]), Some(None));
        assert_eq!(read(&[]), Some(None));
        let hex = format!("sha-256={}", "01".repeat(32));
        for bad in ["", "sha-256", "sha-256=", "sha-256=::", "sha-256=:AAAA:", "sha-256=:?:", &hex]
        {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
        assert_eq!(read(&[&one, &one]), None);
    }

    #[test]
    fn only_a_post_of_an_archive_may_take_long() {
        for path in ["/projects/x/uploads", "/api/v1/projects/x/uploads/"] {
            assert!(is_upload(&Method::POST, path) && !is_upload(&Method::GET, path), "{path}");
        }
        assert!(!is_upload(&Method::POST, "/projects/x/deployments"));
    }
}
