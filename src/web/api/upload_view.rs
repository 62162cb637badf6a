//! Uploads as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{KnownFormat, SchemaFormat};

use super::schema::{described, text};
use crate::model::ids::UploadId;
use crate::model::timestamp::Timestamp;
use crate::model::upload::Upload;

/// An archive that was received.
#[derive(Serialize, ToSchema)]
#[schema(as = Upload)]
#[serde(deny_unknown_fields)]
pub struct UploadView {
    id: UploadId,
    /// Bytes that were received.
    size_bytes: u64,
    /// Of what was received, in hexadecimal digits.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    sha256: String,
    /// Until then it can be deployed.
    expires_at: Timestamp,
}

/// A gzipped tar, in place of its bytes.
pub struct Tarball;

described! {
    Tarball => "Tarball", text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))).description(Some(
        "A gzipped tar of at most 512 MiB: at most 100,000 files, 2 GiB unpacked; names inside, without `.git`; links \
         that lead inside; no devices."));
}

impl From<Upload> for UploadView {
    fn from(upload: Upload) -> Self {
        Self {
            id: upload.id,
            size_bytes: upload.size_bytes,
            sha256: upload.sha256,
            expires_at: upload.expires_at,
        }
    }
}
