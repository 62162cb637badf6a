//! What changed from one deployment to another.

use std::collections::BTreeMap;

use super::{CommitFacts, Receipt};
use crate::model::deployment::Phase;

/// The difference of two receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Facts that are not the same, in the order of the receipt.
    pub fields: Vec<FieldChange>,
    pub variables: VariableChanges,
    pub commits: CommitRange,
    /// Every step that either of them took.
    pub timings: Vec<TimingChange>,
}

/// A fact that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name in the receipt, such as `limits.memory_mb` or `base_images.node:22-slim`.
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Names of variables; never a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariableChanges {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// With another value.
    pub changed: Vec<String>,
}

/// The commits of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRange {
    pub before: Option<CommitFacts>,
    pub after: Option<CommitFacts>,
}

/// How long one step took in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimingChange {
    pub phase: Phase,
    pub before_ms: Option<u64>,
    pub after_ms: Option<u64>,
}

impl Difference {
    /// What is not the same in `after` as in `before`.
    pub fn between(before: &Receipt, after: &Receipt) -> Self {
        Self {
            fields: fields(before, after),
            variables: VariableChanges::between(before, after),
            commits: CommitRange { before: before.commit.clone(), after: after.commit.clone() },
            timings: timings(before, after),
        }
    }

    /// Whether both are made of the same, however long it took.
    pub fn is_empty(&self) -> bool {
        let sha = |commit: &Option<CommitFacts>| commit.as_ref().map(|commit| commit.sha.clone());
        self.fields.is_empty()
            && self.variables == VariableChanges::default()
            && sha(&self.commits.before) == sha(&self.commits.after)
    }
}

impl VariableChanges {
    fn between(before: &Receipt, after: &Receipt) -> Self {
        let of = |receipt: &Receipt| -> BTreeMap<String, Option<String>> {
            let all = receipt.variables.iter();
            all.map(|variable| (variable.name.clone(), variable.hash.clone())).collect()
        };
        let (before, after) = (of(before), of(after));
        let missing = |from: &BTreeMap<String, _>, other: &BTreeMap<String, _>| {
            from.keys().filter(|name| !other.contains_key(*name)).cloned().collect()
        };
        // Without both digests nothing is known, and nothing is said.
        let changed = before.iter().filter(|(name, hash)| {
            let other = after.get(*name).and_then(Option::as_ref);
            hash.as_ref().zip(other).is_some_and(|(before, after)| before != after)
        });
        Self {
            added: missing(&after, &before),
            removed: missing(&before, &after),
            changed: changed.map(|(name, _)| name.clone()).collect(),
        }
    }
}

fn timings(before: &Receipt, after: &Receipt) -> Vec<TimingChange> {
    let of = |receipt: &Receipt, phase: Phase| {
        receipt.phases.iter().find(|step| step.phase == phase).map(|step| step.duration_ms)
    };
    let all = Phase::ALL.iter().filter_map(|phase| {
        let (one, other) = (of(before, *phase), of(after, *phase));
        (one.is_some() || other.is_some()).then(|| TimingChange {
            phase: *phase,
            before_ms: one.flatten(),
            after_ms: other.flatten(),
        })
    });
    all.collect()
}

fn fields(before: &Receipt, after: &Receipt) -> Vec<FieldChange> {
    let (before, after) = (facts(before), facts(after));
    let find = |facts: &[(String, String)], field: &str| {
        facts.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone())
    };
    let mut changes = Vec::new();
    let new = after.iter().filter(|(field, _)| find(&before, field).is_none());
    for (field, _) in before.iter().chain(new) {
        let (one, other) = (find(&before, field), find(&after, field));
        if one != other {
            changes.push(FieldChange { field: field.clone(), before: one, after: other });
        }
    }
    changes
}

/// The facts of a receipt that two deployments can have in common, by name.
fn facts(receipt: &Receipt) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut add = |field: &str, value: Option<String>| {
        facts.extend(value.map(|value| (field.to_owned(), value)));
    };
    add("branch", receipt.commit.as_ref().and_then(|commit| commit.branch.clone()));
    if let Some(image) = &receipt.image {
        add("image.id", Some(image.id.clone()));
        add("image.size_bytes", Some(image.size_bytes.to_string()));
        add("image.reference", image.reference.clone());
    }
    for base in &receipt.base_images {
        let content = base.digest.clone().or_else(|| base.id.clone());
        add(&format!("base_images.{}", base.name), content);
    }
    if let Some(files) = receipt.files {
        add("files.count", Some(files.count.to_string()));
        add("files.bytes", Some(files.bytes.to_string()));
    }
    if let Some(plan) = &receipt.plan {
        add("plan.framework", Some(plan.framework.clone()));
        add("plan.output", Some(plan.output.clone()));
        for version in &plan.versions {
            add(&format!("plan.versions.{}", version.name), Some(version.version.clone()));
        }
        add("plan.install_command", plan.install_command.clone());
        add("plan.build_command", plan.build_command.clone());
        add("plan.release_command", plan.release_command.clone());
        add("plan.start_command", plan.start_command.clone());
        add("plan.port", plan.port.map(|port| port.to_string()));
    }
    if let Some(limits) = receipt.limits {
        add("limits.memory_mb", Some(limits.memory_mb.to_string()));
        add("limits.cpu_millis", Some(limits.cpu_millis.to_string()));
        add("limits.instances", Some(limits.instances.to_string()));
    }
    let hostnames = &receipt.project_hostnames;
    add("project_hostnames", (!hostnames.is_empty()).then(|| hostnames.join(", ")));
    facts
}
