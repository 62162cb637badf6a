//! From a request's path to names below a site's root.

use percent_encoding::percent_decode_str;

use crate::proxy::error_page::Problem;

/// The segments of a path, decoded once. None of them is empty, `.`, `..`, or hidden, and none
/// holds a separator, so joining them cannot lead out of the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitePath {
    /// From the root down.
    pub segments: Vec<String>,
    /// The path ends with `/` and means a directory.
    pub directory: bool,
}

impl SitePath {
    /// Reads the path of a request target.
    ///
    /// # Errors
    ///
    /// `BadRequest` for what cannot be a name, `NoSuchFile` for names that are never served.
    pub fn parse(path: &str) -> Result<Self, Problem> {
        let path = path.strip_prefix('/').ok_or(Problem::BadRequest)?;
        if path.is_empty() {
            return Ok(Self { segments: Vec::new(), directory: true });
        }
        let (path, directory) = match path.strip_suffix('/') {
            Some(path) => (path, true),
            None => (path, false),
        };
        // What the server reads is not for visitors.
        if matches!(path, "_redirects" | "_headers") {
            return Err(Problem::NoSuchFile);
        }
        let segments = path
            .split('/')
            .enumerate()
            .map(|(depth, raw)| segment(raw, depth))
            .collect::<Result<_, _>>()?;
        Ok(Self { segments, directory })
    }
}

fn segment(raw: &str, depth: usize) -> Result<String, Problem> {
    let valid = raw.split('%').skip(1).all(|after| {
        after.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let name = percent_decode_str(raw).decode_utf8().map_err(|_| Problem::BadRequest)?;
    if !valid || name == ".." || name.contains(['/', '\\', '\0']) {
        return Err(Problem::BadRequest);
    }
    // The one hidden directory that is meant to be seen (RFC 8615).
    let hidden = name.starts_with('.') && !(depth == 0 && name == ".well-known");
    if name.is_empty() || hidden || name.len() > 255 {
        return Err(Problem::NoSuchFile);
    }
    Ok(name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_once() {
        let path = SitePath::parse("/a%20b/%25c").unwrap();
        assert_eq!(path.segments, ["a b", "%c"]);
        assert!(!path.directory);
        let path = SitePath::parse("/docs/").unwrap();
        assert_eq!((path.segments, path.directory), (vec!["docs".into()], true));
        let path = SitePath::parse("/").unwrap();
        assert_eq!((path.segments.len(), path.directory), (0, true));
        assert!(SitePath::parse("/.well-known/x").is_ok());
    }

    #[test]
    fn no_name_leads_out_of_the_root() {
        for (path, problem) in [
            ("/..", Problem::BadRequest),
            ("/../etc/passwd", Problem::BadRequest),
            ("/%2e%2e/etc/passwd", Problem::BadRequest),
            ("/%2E./x", Problem::BadRequest),
            ("/a%2fb", Problem::BadRequest),
            ("/a%5cb", Problem::BadRequest),
            ("/..%5c..%5cx", Problem::BadRequest),
            ("/a\\b", Problem::BadRequest),
            ("/a%00", Problem::BadRequest),
            ("/%", Problem::BadRequest),
            ("/%zz", Problem::BadRequest),
            ("/%ff", Problem::BadRequest),
            ("*", Problem::BadRequest),
            ("//etc", Problem::NoSuchFile),
            ("//", Problem::NoSuchFile),
            ("/a//b", Problem::NoSuchFile),
            ("/./a", Problem::NoSuchFile),
            ("/.env", Problem::NoSuchFile),
            ("/.git/config", Problem::NoSuchFile),
            ("/a/.well-known/x", Problem::NoSuchFile),
            ("/%252e%252e/%2e", Problem::NoSuchFile),
        ] {
            assert_eq!(SitePath::parse(path), Err(problem), "{path}");
        }
    }
}
