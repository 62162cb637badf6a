//! Columns that hold more than SQLite's own types.

use rusqlite::Row;
use rusqlite::types::Type;
use serde::de::DeserializeOwned;

fn broken(index: usize, text: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, text.into())
}

/// An identifier.
pub(super) fn id<T>(
    row: &Row<'_>,
    index: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    word(row, index, parse)
}

/// An identifier that may be missing.
pub(super) fn optional<T>(
    row: &Row<'_>,
    index: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(index)?;
    text.map(|text| parse(&text).ok_or_else(|| broken(index, format!("unknown value `{text}`"))))
        .transpose()
}

/// A word of a closed set.
pub(super) fn word<T>(
    row: &Row<'_>,
    index: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str().map_err(|_| broken(index, "not text".to_owned()))?;
    parse(text).ok_or_else(|| broken(index, format!("unknown value `{text}`")))
}

/// A JSON value.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str().map_err(|_| broken(index, "not text".to_owned()))?;
    serde_json::from_str(text).map_err(|error| broken(index, error.to_string()))
}

/// A JSON value that may be missing.
pub(super) fn optional_json<T: DeserializeOwned>(
    row: &Row<'_>,
    index: usize,
) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(index)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| broken(index, error.to_string())))
        .transpose()
}
