use super::difference::{Difference, FieldChange, TimingChange, VariableChanges};
use super::*;
use crate::model::deployment::Phase;

fn variable(name: &str, hash: &str) -> VariableFacts {
    let hash = (!hash.is_empty()).then(|| hash.to_owned());
    VariableFacts { name: name.to_owned(), hash }
}

fn receipt() -> Receipt {
    let plan = BuildPlan::new("nodejs", "", Output::Static { directory: String::new() });
    let mut plan = PlanFacts::of(&plan);
    plan.versions = vec![Version {
        name: "node".to_owned(),
        version: "22.1.0".to_owned(),
        source: "engines.node".to_owned(),
    }];
    Receipt {
        written_at: Some(Timestamp(1)),
        commit: Some(CommitFacts {
            sha: "a".repeat(40),
            branch: Some("main".to_owned()),
            message: "One".to_owned(),
            author: "A".to_owned(),
        }),
        base_images: vec![BaseImage {
            name: "node:22".to_owned(),
            digest: Some("sha256:1".to_owned()),
            id: None,
        }],
        plan: Some(plan),
        variables: vec![variable("A", "1"), variable("B", "2"), variable("OLD", "")],
        limits: Some(Limits { memory_mb: 512, cpu_millis: 1000, instances: 1 }),
        hostname: "app-1.localhost".to_owned(),
        project_hostnames: vec!["app.localhost".to_owned()],
        phases: vec![PhaseFacts {
            phase: Phase::Building,
            started_at: Timestamp(0),
            duration_ms: Some(1000),
        }],
        ..Receipt::default()
    }
}

#[test]
fn what_is_stored_comes_back() {
    let receipt = Receipt { written_at: None, phases: Vec::new(), ..receipt() };
    let text = serde_json::to_string(&receipt).unwrap();
    assert_eq!(serde_json::from_str::<Receipt>(&text).unwrap(), receipt);
    // One that an earlier version wrote.
    assert_eq!(serde_json::from_str::<Receipt>("{}").unwrap(), Receipt::default());
}

#[test]
fn the_same_twice_is_no_difference() {
    let other = Receipt { hostname: "app-2.localhost".to_owned(), ..receipt() };
    assert!(Difference::between(&receipt(), &other).is_empty());
}

#[test]
fn every_kind_of_change_is_named_once() {
    let (before, mut after) = (receipt(), receipt());
    after.base_images[0].digest = Some("sha256:2".to_owned());
    after.limits = Some(Limits { memory_mb: 1024, cpu_millis: 1000, instances: 1 });
    let plan = after.plan.as_mut().unwrap();
    plan.versions[0].version = "24.0.0".to_owned();
    plan.start_command = Some("node server.js".to_owned());
    after.variables = vec![variable("A", "1"), variable("B", "3"), variable("NEW", "4")];
    after.phases.push(PhaseFacts {
        phase: Phase::Checking,
        started_at: Timestamp(0),
        duration_ms: Some(7),
    });
    after.phases[0].duration_ms = None;

    let difference = Difference::between(&before, &after);
    let change = |field: &str, before: Option<&str>, after: Option<&str>| FieldChange {
        field: field.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    assert_eq!(
        difference.fields,
        [
            change("base_images.node:22", Some("sha256:1"), Some("sha256:2")),
            change("plan.versions.node", Some("22.1.0"), Some("24.0.0")),
            change("limits.memory_mb", Some("512"), Some("1024")),
            change("plan.start_command", None, Some("node server.js")),
        ]
    );
    assert_eq!(
        difference.variables,
        VariableChanges {
            added: vec!["NEW".to_owned()],
            removed: vec!["OLD".to_owned()],
            changed: vec!["B".to_owned()],
        }
    );
    assert_eq!(
        difference.timings,
        [
            TimingChange { phase: Phase::Building, before_ms: Some(1000), after_ms: None },
            TimingChange { phase: Phase::Checking, before_ms: None, after_ms: Some(7) },
        ]
    );
    assert!(!difference.is_empty());
}

#[test]
fn a_value_that_was_not_looked_at_is_not_called_changed() {
    let (before, mut after) = (receipt(), receipt());
    after.variables[2] = variable("OLD", "5");
    assert!(Difference::between(&before, &after).is_empty());
}

#[test]
fn another_commit_alone_is_a_difference() {
    let (before, mut after) = (receipt(), receipt());
    after.commit.as_mut().unwrap().sha = "b".repeat(40);
    let difference = Difference::between(&before, &after);
    assert!(difference.fields.is_empty() && !difference.is_empty());
}
