//! Taking names out of lines.

/// What stands between two texts.
pub(super) fn between<'a>(line: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found).filter(|found| !found.is_empty())
}

/// What follows a text, up to the end of the line.
pub(super) fn after<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.split_once(start).map(|(_, rest)| rest.trim()).filter(|rest| !rest.is_empty())
}

/// The first word of a text, without what quotes it or ends a sentence.
pub(super) fn first_word(text: &str) -> Option<&str> {
    let word = text.split_whitespace().next()?;
    let word = word.trim_matches(|c: char| matches!(c, '\'' | '"' | '`' | ',' | ';' | ':'));
    Some(word.trim_end_matches('.')).filter(|word| !word.is_empty())
}

/// What the first pair of quotes of any kind holds.
pub(super) fn quoted(text: &str) -> Option<&str> {
    let (at, quote) = text.char_indices().find(|(_, c)| matches!(c, '\'' | '"' | '`'))?;
    let rest = &text[at + quote.len_utf8()..];
    rest.split_once(quote).map(|(found, _)| found).filter(|found| !found.is_empty())
}

/// The first number in a text, where it is one of a port.
pub(super) fn port(text: &str) -> Option<u16> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok().filter(|port| *port > 0)
}

/// A name as it is written into a sentence: short, on one line, without what would end its quotation.
pub(super) fn name(text: &str) -> String {
    let clean = text.chars().filter(|c| !c.is_control() && *c != '`');
    clean.take(120).collect()
}
