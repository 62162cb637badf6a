//! Names in an uploaded archive, and where its links lead.

use super::objects::is_forbidden_name;
use super::tarball::TarballError;

/// Longest path, in bytes.
const LONGEST_PATH: usize = 1024;
/// Longest name of one file or directory, in bytes.
const LONGEST_NAME: usize = 255;
/// Most directories above a file.
pub const DEEPEST: usize = 64;

/// A path of the archive in its normal form; `None` is the root itself.
///
/// # Errors
/// It leaves the archive, or is not one that every reader takes for the same.
pub fn path(raw: &[u8]) -> Result<Option<String>, TarballError> {
    let refused = |code, what: &str| Err(TarballError::entry(code, raw, what));
    let Ok(text) = std::str::from_utf8(raw) else {
        return refused("format", "has a name that is not UTF-8");
    };
    if text.chars().any(char::is_control) || text.contains('\\') {
        return refused("unsafe", "has a control character or a backslash in its name");
    }
    if text.starts_with('/') {
        return refused("unsafe", "has an absolute name");
    }
    let mut text = text;
    while let Some(rest) = text.strip_prefix("./") {
        text = rest;
    }
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.is_empty() || text == "." {
        return Ok(None);
    }
    if text.len() > LONGEST_PATH {
        return refused("too_long", "has a path of more than 1,024 bytes");
    }
    if text.split('/').count() > DEEPEST {
        return refused("too_long", "lies more than 64 directories deep");
    }
    for part in text.split('/') {
        if part.len() > LONGEST_NAME {
            return refused("too_long", "has a name of more than 255 bytes");
        }
        if part.is_empty() || part == "." || part == ".." {
            return refused("unsafe", "has a name with empty parts, `.` or `..`");
        }
        if is_forbidden_name(part.as_bytes()) {
            return refused("unsafe", "has a name that some file systems take for `.git`");
        }
    }
    Ok(Some(text.to_owned()))
}

/// Where a symbolic link at `path` leads, as it was written. It may go up as far as the root and then down; since no
/// entry lies below a link, whatever it is followed to stays inside.
///
/// # Errors
/// It leads outside.
pub fn target(path: &str, raw: &[u8]) -> Result<String, TarballError> {
    let refused = |code, what: &str| Err(TarballError::entry(code, path.as_bytes(), what));
    let Ok(text) = std::str::from_utf8(raw) else {
        return refused("format", "leads to a name that is not UTF-8");
    };
    if text.is_empty() || text.len() > LONGEST_PATH {
        return refused("too_long", "leads to a name that is empty or longer than 1,024 bytes");
    }
    if text.starts_with('/') || text.contains('\\') || text.chars().any(char::is_control) {
        return refused("unsafe", "is a link to an absolute path");
    }
    let mut above = path.matches('/').count();
    let mut went_down = false;
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if went_down || above == 0 => {
                return refused("unsafe", "is a link that leads out of the archive");
            }
            ".." => above -= 1,
            name if is_forbidden_name(name.as_bytes()) => {
                return refused("unsafe", "is a link to `.git`");
            }
            _ => went_down = true,
        }
    }
    Ok(text.to_owned())
}
