//! Whose the records of the engine's build cache are. A record names no project: it names the step that made it,
//! the records it stands on, and when it was made and used.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::ids::ProjectId;
use super::timestamp::Timestamp;

/// The engine's clock and ours may differ by this much, in milliseconds.
const SLACK: i64 = 2_000;

/// A record as the engine tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub id: String,
    /// Records it stands on.
    pub parents: Vec<String>,
    /// Such as `mount / from exec /bin/sh -c npm ci`.
    pub description: String,
    pub bytes: u64,
    /// A build needs it now.
    pub in_use: bool,
    /// An image holds the same bytes, so that they are counted there.
    pub shared: bool,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
}

/// A build of this instance.
#[derive(Clone, Debug)]
pub struct Build {
    pub project: ProjectId,
    pub began_at: Timestamp,
    pub ended_at: Timestamp,
    /// The text it was built from, as [`squashed`].
    pub steps: String,
}

/// Whose a record is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whose {
    /// The one project it is for; `None` when several share it or it cannot be told.
    pub project: Option<ProjectId>,
    /// Whether builds of this instance made it. Only then it may be removed: the engine may build for others.
    pub ours: bool,
    /// Whether it counts as this instance's, when in doubt as shared by its projects.
    pub counts: bool,
}

/// A record and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub record: Record,
    pub whose: Whose,
}

/// A command or a Dockerfile without what is written in more than one way: spaces, quotes, brackets, line ends.
pub fn squashed(text: &str) -> String {
    let noise = |c: &char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '[' | ']' | '\\');
    text.chars().filter(|c| !noise(c)).collect()
}

/// Says of every record whose it is. `known` is what was said of it before, when the builds were fresher in memory.
pub fn attribute(
    records: Vec<Record>,
    builds: &[Build],
    known: &HashMap<String, Whose>,
) -> Vec<Entry> {
    let said: HashMap<&str, Said> =
        records.iter().map(|record| (record.id.as_str(), Said::of(record, builds))).collect();
    let relatives = relatives(&records);
    let whose: Vec<Whose> = records
        .iter()
        .map(|record| match known.get(&record.id).filter(|known| known.ours) {
            Some(known) => known.clone(),
            None => decide(record, &said, relatives.get(record.id.as_str()), builds),
        })
        .collect();
    records.into_iter().zip(whose).map(|(record, whose)| Entry { record, whose }).collect()
}

/// What a record's own description says.
enum Said {
    /// It came out of a command, which these projects have in what they are built from.
    Command(BTreeSet<ProjectId>),
    /// It came out of a command that no project has.
    Foreign,
    /// Files, a context: nothing that names anybody.
    Nothing,
}

impl Said {
    fn of(record: &Record, builds: &[Build]) -> Self {
        let Some((_, command)) = record.description.split_once(" from exec ") else {
            return Self::Nothing;
        };
        let command = command.strip_prefix("/bin/sh -c ").unwrap_or(command);
        // A cache mount with an id of its own says it behind the command.
        let command = command.split(" with id ").next().unwrap_or(command);
        let command = squashed(command);
        let named = builds.iter().filter(|build| build.steps.contains(&command));
        let named: BTreeSet<_> = named.map(|build| build.project.clone()).collect();
        if named.is_empty() { Self::Foreign } else { Self::Command(named) }
    }
}

/// A base image stands under records of everybody.
fn is_base(record: &Record) -> bool {
    ["from local", "pulled from"].iter().any(|start| record.description.starts_with(start))
}

/// For every record all those that are connected with it through the records they stand on.
fn relatives(records: &[Record]) -> HashMap<&str, HashSet<&str>> {
    let plain: HashMap<&str, &Record> =
        records.iter().filter(|one| !is_base(one)).map(|one| (one.id.as_str(), one)).collect();
    let mut beside: HashMap<&str, Vec<&str>> = HashMap::new();
    for record in plain.values() {
        for parent in record.parents.iter().filter_map(|parent| plain.get(parent.as_str())) {
            beside.entry(&record.id).or_default().push(&parent.id);
            beside.entry(&parent.id).or_default().push(&record.id);
        }
    }
    let mut all = HashMap::new();
    for start in plain.keys().copied() {
        if all.contains_key(start) {
            continue;
        }
        let (mut group, mut ahead) = (HashSet::from([start]), vec![start]);
        while let Some(id) = ahead.pop() {
            for next in beside.get(id).into_iter().flatten() {
                if group.insert(next) {
                    ahead.push(next);
                }
            }
        }
        for id in &group {
            all.insert(*id, group.clone());
        }
    }
    all
}

fn decide(
    record: &Record,
    said: &HashMap<&str, Said>,
    relatives: Option<&HashSet<&str>>,
    builds: &[Build],
) -> Whose {
    let timed = timed(record, builds);
    match said.get(record.id.as_str()) {
        Some(Said::Command(named)) => {
            let both: BTreeSet<_> = named.intersection(&timed).cloned().collect();
            return one_of(if both.is_empty() { named } else { &both });
        }
        // Perhaps ours, written in a way that is not recognised; removed it is not.
        Some(Said::Foreign) => {
            return Whose { project: None, ours: false, counts: !timed.is_empty() };
        }
        _ if is_base(record) => return Whose::default(),
        _ => {}
    }
    let mut named: BTreeSet<ProjectId> = BTreeSet::new();
    let mut foreign = false;
    for relative in relatives.into_iter().flatten() {
        match said.get(relative) {
            Some(Said::Command(projects)) => named.extend(projects.iter().cloned()),
            Some(Said::Foreign) => foreign = true,
            _ => {}
        }
    }
    let both: BTreeSet<_> = named.intersection(&timed).cloned().collect();
    match (named.is_empty(), foreign) {
        (_, true) => Whose { project: None, ours: false, counts: !timed.is_empty() },
        (false, false) => one_of(if both.is_empty() { &named } else { &both }),
        (true, false) => one_of(&timed),
    }
}

fn one_of(projects: &BTreeSet<ProjectId>) -> Whose {
    let ours = !projects.is_empty();
    let project = projects.first().filter(|_| projects.len() == 1).cloned();
    Whose { project, ours, counts: ours }
}

/// Projects that were built when the record was made or, when there are none, when it was last used.
fn timed(record: &Record, builds: &[Build]) -> BTreeSet<ProjectId> {
    let at = |moment: Timestamp| -> BTreeSet<ProjectId> {
        let falls = |build: &&Build| {
            (build.began_at.0 - SLACK..=build.ended_at.0 + SLACK).contains(&moment.0)
        };
        builds.iter().filter(falls).map(|build| build.project.clone()).collect()
    };
    let made = at(record.created_at);
    if made.is_empty() { at(record.last_used_at) } else { made }
}

#[cfg(test)]
mod tests;
