//! Python packages that need more of the system than the slim image has.

use std::collections::BTreeSet;

/// (Python package, Debian packages to build it, Debian packages to run it).
const NEEDS: &[(&str, &[&str], &[&str])] = &[
    ("psycopg2", &["gcc", "libc6-dev", "libpq-dev"], &["libpq5"]),
    ("psycopg-c", &["gcc", "libc6-dev", "libpq-dev"], &["libpq5"]),
    (
        "mysqlclient",
        &["gcc", "libc6-dev", "default-libmysqlclient-dev", "pkg-config"],
        &["libmariadb3"],
    ),
    ("uwsgi", &["gcc", "libc6-dev"], &[]),
    ("python-ldap", &["gcc", "libc6-dev", "libldap-dev", "libsasl2-dev"], &["libldap2"]),
    ("pycairo", &["gcc", "libc6-dev", "libcairo2-dev", "pkg-config"], &["libcairo2"]),
    ("weasyprint", &[], &["libpango-1.0-0", "libpangoft2-1.0-0"]),
    ("pdf2image", &[], &["poppler-utils"]),
    ("pydub", &[], &["ffmpeg"]),
    ("pymssql", &["gcc", "libc6-dev", "freetds-dev"], &[]),
];

/// Debian packages, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct System {
    pub build: Vec<&'static str>,
    pub run: Vec<&'static str>,
}

/// What these Python packages need. `psycopg` alone runs on the library of the system; with its `binary` part it
/// brings its own.
pub(super) fn needs(names: &BTreeSet<String>) -> System {
    let (mut build, mut run) = (BTreeSet::new(), BTreeSet::new());
    for (_, to_build, to_run) in NEEDS.iter().filter(|(name, _, _)| names.contains(*name)) {
        build.extend(to_build.iter().copied());
        run.extend(to_run.iter().copied());
    }
    if names.contains("psycopg") && !names.contains("psycopg-binary") {
        run.insert("libpq5");
    }
    System { build: build.into_iter().collect(), run: run.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_installed() {
        let of = |names: &[&str]| needs(&names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(of(&["django", "psycopg2-binary"]), System::default());
        assert_eq!(
            of(&["psycopg2", "uwsgi"]),
            System { build: vec!["gcc", "libc6-dev", "libpq-dev"], run: vec!["libpq5"] }
        );
        assert_eq!(of(&["psycopg"]).run, ["libpq5"]);
        assert_eq!(of(&["psycopg", "psycopg-binary"]), System::default());
    }
}
