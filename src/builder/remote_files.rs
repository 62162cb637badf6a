//! The hosts that a Dockerfile's `ADD` fetches from.
//!
//! The engine itself fetches such a file, from this machine's own network and outside of any step, so the host is to be
//! checked beforehand. What cannot be seen from here: where the host redirects to, and variables of the base image.

use std::collections::HashMap;

use url::Url;

use super::dockerfile::instructions;

/// Values that one source may stand for, with every value its variables are given somewhere.
const MOST: usize = 32;
/// Stands for a part whose value is not known.
const UNKNOWN: char = '\u{0}';

/// A host that a file is fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteHost {
    pub host: String,
    pub port: u16,
}

/// Finds the hosts of all `ADD` instructions.
///
/// # Errors
/// What is wrong, for the user, to be read after the file's name: it cannot be said which host one of them means.
pub fn hosts(dockerfile: &str) -> Result<Vec<RemoteHost>, String> {
    let instructions = instructions(dockerfile);
    let mut values: HashMap<String, Vec<String>> = HashMap::new();
    let mut found = Vec::new();
    for instruction in &instructions {
        let (keyword, rest) = split(instruction);
        if keyword == "arg" || keyword == "env" {
            for (name, value) in assignments(rest) {
                values.entry(name).or_default().push(value);
            }
        }
    }
    for instruction in &instructions {
        let (mut keyword, mut rest) = split(instruction);
        if keyword == "onbuild" {
            (keyword, rest) = split(rest);
        }
        if keyword != "add" {
            continue;
        }
        for source in sources(rest) {
            for text in expanded(&source, &values, 0).ok_or_else(|| unclear(&source))? {
                if let Some(host) = host(&text).map_err(|()| unclear(&source))?
                    && !found.contains(&host)
                {
                    found.push(host);
                }
            }
        }
    }
    Ok(found)
}

fn unclear(source: &str) -> String {
    let shown: String = source.chars().filter(|c| !c.is_control()).take(100).collect();
    format!("has an `ADD {shown}` whose host cannot be told. Write the host out.")
}

/// The lower-case keyword and what follows it.
fn split(text: &str) -> (String, &str) {
    let (keyword, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text, ""));
    (keyword.to_ascii_lowercase(), rest.trim())
}

/// `A=1 B="x"`, or `A the rest`.
fn assignments(text: &str) -> Vec<(String, String)> {
    let bare = |text: &str| text.replace(['"', '\'', '\\'], "");
    let pairs: Vec<_> = text
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), bare(value)))
        .collect();
    match text.split_once(char::is_whitespace) {
        Some((name, value)) if !name.contains('=') => vec![(name.to_owned(), bare(value.trim()))],
        _ => pairs,
    }
}

/// The words of an `ADD` without its options and its destination, as they are read: without quotes and escapes.
fn sources(text: &str) -> Vec<String> {
    let mut rest = text;
    while rest.starts_with("--") {
        rest = split(rest).1;
    }
    let mut words: Vec<String> = serde_json::from_str(rest)
        .unwrap_or_else(|_| rest.split_whitespace().map(str::to_owned).collect());
    words.pop();
    words.iter().map(|word| word.replace(['"', '\'', '\\', '`'], "")).collect()
}

/// Every text that a word may stand for; `None` when there are too many.
fn expanded(
    word: &str,
    values: &HashMap<String, Vec<String>>,
    depth: usize,
) -> Option<Vec<String>> {
    let Some((before, rest)) = word.split_once('$') else { return Some(vec![word.to_owned()]) };
    let (name, modifier, after) = variable(rest);
    let mut choices = Vec::new();
    for value in values.get(name).into_iter().flatten() {
        // A variable may be made of others, and of itself.
        match (value.contains('$'), depth) {
            (false, _) => choices.push(value.clone()),
            (true, 0..4) => choices.extend(expanded(value, values, depth + 1)?),
            (true, _) => choices.push(UNKNOWN.to_string()),
        }
    }
    match modifier.split_at_checked(2) {
        Some((":-" | ":+", other)) => choices.extend(expanded(other, values, depth + 1)?),
        _ if !modifier.is_empty() => choices.push(UNKNOWN.to_string()),
        _ => {}
    }
    if choices.is_empty() {
        choices.push(UNKNOWN.to_string());
    }
    let tails = expanded(after, values, depth)?;
    let all = choices
        .iter()
        .flat_map(|choice| tails.iter().map(move |tail| format!("{before}{choice}{tail}")));
    let all: Vec<_> = all.take(MOST + 1).collect();
    (all.len() <= MOST).then_some(all)
}

/// Name and modifier of the variable that follows a `$`, and what comes after it.
fn variable(text: &str) -> (&str, &str, &str) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (inner, after) = match text.strip_prefix('{').map(|inner| inner.split_once('}')) {
        Some(Some(parts)) => parts,
        Some(None) => (text, ""),
        None => text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len())),
    };
    let (name, modifier) = inner.split_at(inner.find(|c| !is_name(c)).unwrap_or(inner.len()));
    (name, modifier, after)
}

/// The host a source names; `None` for a path of the build's context.
fn host(source: &str) -> Result<Option<RemoteHost>, ()> {
    let Some((scheme, rest)) = source.split_once("://") else {
        return match source.split_once('@').and_then(|(_, rest)| rest.split_once(':')) {
            Some((host, _)) if host.contains(UNKNOWN) => Err(()),
            // `git@host:path`.
            Some((host, _)) => Ok(Some(RemoteHost { host: host.to_owned(), port: 22 })),
            None => Ok(None),
        };
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    if scheme.contains(UNKNOWN) || authority.contains(UNKNOWN) {
        return Err(());
    }
    let url = Url::parse(&source.replace(UNKNOWN, "x")).map_err(|_| ())?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(())?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default().unwrap_or(match url.scheme() {
        "ssh" => 22,
        _ => 9418,
    });
    Ok(Some(RemoteHost { host, port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(dockerfile: &str) -> Vec<String> {
        let hosts = hosts(dockerfile).unwrap_or_else(|error| panic!("{dockerfile}: {error}"));
        hosts.into_iter().map(|host| format!("{}:{}", host.host, host.port)).collect()
    }

    #[test]
    fn the_host_is_found_however_it_is_written() {
        for add in [
            "ADD http://10.0.0.1/x /y",
            "add --chown=1:1 --checksum=sha256:00 http://user@10.0.0.1:80/x /y",
            "ADD [\"http://10.0.0.1/x\", \"/y\"]",
            "ADD a.txt \\\n  # why\n  HTTP://10.0.0.1/x /y/",
            "ONBUILD ADD http://10.0.0.1/x /y",
            "ADD ht\"tp\"://10.0.0.1/x /y",
            "ADD h\\ttp://10.0.0.1/x /y",
            "ADD http://167772161/x /y",
            "ADD http://0xa000001/x /y",
            "ARG H=10.0.0.1\nADD http://$H/x /y",
            "ENV H 10.0.0.1\nADD http://${H}/x /y",
            "ARG A=http B=10.0.0.1\nARG U=$A://${B}/x\nADD $U /y",
            "ADD ${U:-http://10.0.0.1/x} /y",
            "ADD http://10.0.0.1/$TARGETARCH/${V#v}.tgz /y",
        ] {
            assert_eq!(found(&format!("FROM x\n{add}")), ["10.0.0.1:80"], "{add}");
        }
        assert_eq!(found("FROM x\nADD git@10.0.0.1:a/b /y"), ["10.0.0.1:22"]);
        assert_eq!(found("FROM x\nADD ssh://git@10.0.0.1/a /y"), ["10.0.0.1:22"]);
        assert_eq!(found("FROM x\nADD http://[fd00::1]:81/x /y"), ["fd00::1:81"]);
        let two = "FROM x\nARG H=a.test\nARG H=b.test\nADD https://$H/x /y";
        assert_eq!(found(two), ["a.test:443", "b.test:443"]);
    }

    #[test]
    fn files_of_the_context_have_no_host() {
        for add in [
            "ADD . /app",
            "ADD app.tar.gz /",
            "ARG JAR=target/*.jar\nADD ${JAR} app.jar",
            "ADD $FROM_THE_BASE_IMAGE /x",
            "COPY http://10.0.0.1/x /y",
            "RUN curl http://10.0.0.1/",
        ] {
            assert_eq!(found(&format!("FROM x\n{add}")), Vec::<String>::new(), "{add}");
        }
    }

    #[test]
    fn a_host_that_cannot_be_told_is_refused() {
        let many: String = (0..40).map(|n| format!("ARG H={n}.test\n")).collect();
        for add in [
            "ADD http://$UNKNOWN/x /y".to_owned(),
            "ADD http://${H#x}.test/x /y".to_owned(),
            "ADD ${S}://10.0.0.1/x /y".to_owned(),
            "ADD http:// /y".to_owned(),
            "ADD git@$HOST:a/b /y".to_owned(),
            format!("{many}ADD http://$H/x /y"),
        ] {
            assert!(hosts(&format!("FROM x\n{add}")).is_err(), "{add}");
        }
        // A variable that is made of itself ends.
        assert!(hosts("FROM x\nARG A=$A$A\nADD http://a.test/$A /y").is_ok());
    }
}
