use super::build_cache::{Entry, Record, Whose};
use super::*;

/// Ten days after everything began.
const NOW: Timestamp = Timestamp(10 * DAY);
const DAY: i64 = 24 * 3_600_000;
const LIMITS: Limits = Limits { now: NOW, preview_age: Some(5 * 24 * 3_600_000) };
const ALL: Need = Need { over_budget: u64::MAX, below_floor: u64::MAX, images: true, cache: true };

fn project() -> ProjectId {
    ProjectId::from_random([1; 10])
}

fn id(number: i64) -> DeploymentId {
    DeploymentId::from_random([u8::try_from(number).unwrap(); 10])
}

/// A production deployment of long ago whose image has a layer of its own of 100 bytes and one that all share.
fn kept(number: i64) -> Kept {
    let layer = |key: String, bytes| Layer { key, bytes };
    Kept {
        id: id(number),
        project: project(),
        seq: number,
        target: Target::Production,
        branch: Some("main".to_owned()),
        keep: 2,
        live: false,
        rollback_target: false,
        wanted: false,
        running: false,
        served_at: Timestamp(number),
        ready_at: Timestamp(number),
        used_at: Timestamp(0),
        image: Some(format!("image-{number}")),
        layers: vec![layer("base".to_owned(), 1000), layer(format!("own-{number}"), 100)],
        file_bytes: 0,
    }
}

fn preview(number: i64, branch: &str) -> Kept {
    Kept { target: Target::Preview, branch: Some(branch.to_owned()), ..kept(number) }
}

fn record(id: &str, parents: &[&str], used: i64) -> Entry {
    let record = Record {
        id: id.to_owned(),
        parents: parents.iter().map(|id| (*id).to_owned()).collect(),
        description: String::new(),
        bytes: 10,
        in_use: false,
        shared: false,
        created_at: Timestamp(0),
        last_used_at: Timestamp(used),
    };
    Entry { record, whose: Whose { project: Some(project()), ours: true, counts: true } }
}

fn mirror(name: &str, used: i64) -> Mirror {
    Mirror { name: name.to_owned(), bytes: 50, used_at: Timestamp(used) }
}

fn of(deployments: Vec<Kept>) -> Facts {
    Facts { deployments, ..Facts::default() }
}

/// What goes: the rule, the deployment's number or the first name, the bytes.
fn gone(facts: &Facts, limits: &Limits, need: Need) -> Vec<(&'static str, String, u64)> {
    let number = |wanted: &DeploymentId| {
        let found = facts.deployments.iter().find(|kept| kept.id == *wanted);
        found.map_or(String::new(), |kept| kept.seq.to_string())
    };
    plan(facts, limits, need)
        .into_iter()
        .map(|item| {
            let name = match (&item.deployment, item.kind) {
                (Some(deployment), Kind::Deployment) => number(deployment),
                _ => item.names[0].clone(),
            };
            (item.rule.as_str(), name, item.bytes)
        })
        .collect()
}

#[test]
fn production_beyond_the_count_goes_and_the_shared_layer_stays() {
    let live = Kept { live: true, ..kept(9) };
    let facts = of(vec![kept(1), kept(2), kept(3), kept(4), live]);
    let expected =
        [("old_production", "1".to_owned(), 100), ("old_production", "2".to_owned(), 100)];
    assert_eq!(gone(&facts, &LIMITS, Need::default()), expected);
    // Nothing more goes, however little room there is.
    assert_eq!(gone(&facts, &LIMITS, ALL), expected);
}

#[test]
fn what_served_last_counts_as_the_newest() {
    // The first was rolled back to and lost the traffic again.
    let again = Kept { served_at: Timestamp(50), ..kept(1) };
    let live = Kept { live: true, ..kept(9) };
    let facts = of(vec![again, kept(2), kept(3), kept(4), live]);
    assert_eq!(
        gone(&facts, &LIMITS, Need::default()),
        [("old_production", "2".to_owned(), 100), ("old_production", "3".to_owned(), 100)]
    );
}

#[test]
fn what_is_pinned_never_goes() {
    let pinned = [
        Kept { live: true, keep: 1, ..kept(1) },
        Kept { rollback_target: true, keep: 1, ..kept(2) },
        Kept { wanted: true, keep: 1, ..kept(3) },
    ];
    for one in pinned {
        let newer = [kept(7), kept(8)].map(|kept| Kept { keep: 1, ..kept });
        let facts = of([vec![one], newer.to_vec()].concat());
        let deployments: Vec<_> =
            plan(&facts, &LIMITS, ALL).into_iter().filter_map(|item| item.deployment).collect();
        assert!(!deployments.contains(&facts.deployments[0].id), "{:?}", facts.deployments[0]);
    }
    // Of previews also what somebody uses, what is young, and what has the image of something pinned.
    let live = Kept { live: true, image: Some("same".to_owned()), ..kept(9) };
    let young = Timestamp(NOW.0 - 60_000);
    let previews = [
        Kept { running: true, ..preview(1, "a") },
        Kept { ready_at: young, ..preview(2, "b") },
        Kept { image: Some("same".to_owned()), ..preview(3, "c") },
    ];
    for one in previews {
        let newer = preview(8, one.branch.as_deref().unwrap());
        let newer = Kept { ready_at: NOW, ..newer };
        let facts = of(vec![live.clone(), one, newer]);
        assert_eq!(gone(&facts, &LIMITS, ALL), [], "{:?}", facts.deployments[1]);
    }
}

#[test]
fn a_count_holds_for_what_is_young_as_well() {
    let young =
        |number| Kept { ready_at: NOW, served_at: Timestamp(NOW.0 + number), ..kept(number) };
    let facts = of(vec![young(1), young(2), young(3)]);
    assert_eq!(gone(&facts, &LIMITS, Need::default()), [("old_production", "1".to_owned(), 100)]);
}

#[test]
fn of_too_many_branches_those_that_were_not_used_for_longest_go() {
    let recent = |number: i64| Kept {
        ready_at: Timestamp(NOW.0 - 1000 + number),
        served_at: Timestamp(NOW.0 - 1000 + number),
        ..preview(number, &format!("branch-{number}"))
    };
    let mut all: Vec<_> = (1..=24).map(recent).collect();
    all[0].running = true;
    all[1].used_at = Timestamp(NOW.0 - 1);
    all[2].rollback_target = true;
    // Of two deployments of one branch both go, and the live one never counts.
    all.push(Kept { branch: Some("branch-4".to_owned()), ..recent(25) });
    all[24].served_at = Timestamp(0);
    all.push(Kept { live: true, ..recent(26) });
    let facts = of(all);
    let unused = |number: &str| ("unused_preview", number.to_owned(), 100);
    let expected = [unused("25"), unused("4"), unused("5"), unused("6")];
    assert_eq!(gone(&facts, &LIMITS, Need::default()), expected);
    let few = of((1..=20).map(recent).collect());
    assert_eq!(gone(&few, &LIMITS, Need::default()), []);
}

#[test]
fn previews_go_by_age_and_superseded_ones_when_room_is_needed() {
    let recent = Timestamp(NOW.0 - 2 * DAY);
    let at = |number, branch: &str, at: Timestamp| Kept {
        ready_at: at,
        served_at: Timestamp(at.0 + number),
        ..preview(number, branch)
    };
    let facts = of(vec![
        at(1, "old", Timestamp(DAY)),
        at(2, "new", recent),
        at(3, "new", recent),
        at(4, "other", recent),
    ]);
    let expired = ("expired_preview", "1".to_owned(), 100);
    let due = [expired.clone()];
    assert_eq!(gone(&facts, &LIMITS, Need::default()), due);
    let superseded = ("superseded_preview", "2".to_owned(), 100);
    assert_eq!(gone(&facts, &LIMITS, ALL), [expired.clone(), superseded.clone()]);
    // What is due counts: 100 bytes are enough.
    let need = |over_budget| Need { over_budget, ..Need::default() };
    assert_eq!(gone(&facts, &LIMITS, need(100)), due);
    assert_eq!(gone(&facts, &LIMITS, need(101)), [expired, superseded]);
    let for_ever = Limits { preview_age: None, ..LIMITS };
    assert_eq!(gone(&facts, &for_ever, Need::default()), []);
}

#[test]
fn the_build_cache_goes_by_last_use_and_children_before_their_parents() {
    let foreign = |entry: Entry| Entry { whose: Whose::default(), ..entry };
    let in_use = |mut entry: Entry| {
        entry.record.in_use = true;
        entry
    };
    let facts = Facts {
        cache: vec![
            record("parent", &[], 100),
            record("child", &["parent"], 300),
            record("alone", &[], 200),
            foreign(record("theirs", &[], 1)),
            in_use(record("busy", &[], 1)),
            record("young", &[], NOW.0 - 1000),
        ],
        ..Facts::default()
    };
    let row = |name: &str| ("build_cache", name.to_owned(), 10);
    let over = |over_budget| Need { over_budget, ..Need::default() };
    assert_eq!(gone(&facts, &LIMITS, Need::default()), []);
    assert_eq!(gone(&facts, &LIMITS, over(1)), [row("alone")]);
    let old = [row("alone"), row("child"), row("parent")];
    assert_eq!(gone(&facts, &LIMITS, over(u64::MAX)), old);
    // A full disk does not wait for an hour.
    let full = Need { below_floor: u64::MAX, ..Need::default() };
    let all = [old.to_vec(), vec![row("young")]].concat();
    assert_eq!(gone(&facts, &LIMITS, full), all);
    let asked = Need { cache: true, ..Need::default() };
    assert_eq!(gone(&facts, &LIMITS, asked), all);
    let grouped = grouped(plan(&facts, &LIMITS, asked));
    assert_eq!((grouped.len(), grouped[0].names.len(), grouped[0].bytes), (1, 4, 40));
}

#[test]
fn the_list_has_its_order() {
    let leftover = Leftover {
        id: "left".to_owned(),
        project: project(),
        deployment: None,
        created_at: Timestamp(0),
        layers: vec![Layer { key: "left".to_owned(), bytes: 7 }],
    };
    let young = Leftover { id: "young".to_owned(), created_at: NOW, ..leftover.clone() };
    let facts = Facts {
        deployments: vec![
            preview(1, "a"),
            preview(2, "b"),
            Kept { ready_at: Timestamp(6 * DAY), ..preview(3, "b") },
            kept(4),
            kept(5),
            kept(6),
        ],
        leftovers: vec![leftover, young],
        cache: vec![record("cache", &[], 1)],
        mirrors: vec![mirror("repository", 1), mirror("lately", NOW.0 - 1000)],
        ..Facts::default()
    };
    let rules: Vec<_> = gone(&facts, &LIMITS, ALL).into_iter().map(|(rule, ..)| rule).collect();
    assert_eq!(
        rules,
        [
            "failed_build",
            "expired_preview",
            "expired_preview",
            "old_production",
            "build_cache",
            "unused_mirror",
            "unused_mirror",
        ]
    );
    // Without need only what is due.
    let due = Limits { now: Timestamp(35 * DAY), preview_age: None };
    let rules: Vec<_> =
        gone(&facts, &due, Need::default()).into_iter().map(|(rule, ..)| rule).collect();
    assert_eq!(rules, ["failed_build", "failed_build", "old_production", "unused_mirror"]);
}

#[test]
fn layers_come_free_with_the_last_image_and_never_those_of_others() {
    let mut facts = of(vec![kept(1), kept(2), kept(3), kept(4)]
        .into_iter()
        .map(|kept| Kept { keep: 1, ..kept })
        .collect());
    assert_eq!(image_bytes(&facts), 1400);
    let freed: Vec<_> = plan(&facts, &LIMITS, ALL).into_iter().map(|item| item.bytes).collect();
    assert_eq!(freed, [100, 100, 100]);
    facts.deployments.truncate(2);
    facts.deployments[1].layers.remove(0);
    assert_eq!(gone(&facts, &LIMITS, ALL), [("old_production", "1".to_owned(), 1100)]);
    facts.foreign_layers.insert("base".to_owned());
    assert_eq!(gone(&facts, &LIMITS, ALL), [("old_production", "1".to_owned(), 100)]);
    assert_eq!(image_bytes(&facts), 200);
}

#[test]
fn two_hundred_redeploys_leave_what_the_project_keeps() {
    let mut facts = Facts::default();
    for number in 0..200_i64 {
        for old in &mut facts.deployments {
            (old.rollback_target, old.running) = (false, false);
        }
        if let Some(previous) = facts.deployments.iter_mut().find(|kept| kept.live) {
            (previous.live, previous.rollback_target) = (false, true);
            previous.served_at = Timestamp(NOW.0 + number);
        }
        let fresh = Kept { live: true, running: true, ready_at: NOW, keep: 5, ..kept(number) };
        facts.deployments.push(fresh);
        let gone: Vec<_> = plan(&facts, &LIMITS, Need::default())
            .into_iter()
            .map(|item| item.deployment)
            .collect();
        facts.deployments.retain(|kept| !gone.contains(&Some(kept.id.clone())));
        assert!(facts.deployments.len() <= 6, "{number}");
    }
    let left: Vec<_> = facts.deployments.iter().map(|kept| kept.seq).collect();
    assert_eq!(left, [194, 195, 196, 197, 198, 199]);
    assert_eq!(image_bytes(&facts), 1000 + 6 * 100);
}
