//! The ranked list of all that may go.

use std::collections::{HashMap, HashSet};

use super::{
    Facts, Item, Kept, Kind, Layer, Limits, MIRROR_AGE, PREVIEW_BRANCHES, Rule, YOUNG, pin,
};
use crate::model::build_cache;
use crate::model::deployment::Target;
use crate::model::ids::ProjectId;
use crate::model::timestamp::Timestamp;

/// One that may go.
pub(super) struct Candidate {
    pub item: Item,
    pub layers: Vec<Layer>,
    pub due: bool,
    pub young: bool,
}

/// All that may go, in the order in which it goes.
pub(super) fn candidates(facts: &Facts, limits: &Limits) -> Vec<Candidate> {
    let now = limits.now;
    let pinned_images: HashSet<&str> = facts
        .deployments
        .iter()
        .filter(|kept| kept.live || kept.rollback_target || kept.wanted)
        .filter_map(|kept| kept.image.as_deref())
        .collect();
    let mut all: Vec<(Rule, i64, Candidate)> = Vec::new();
    for leftover in &facts.leftovers {
        let item = Item {
            kind: Kind::Image,
            rule: Rule::FailedBuild,
            project: Some(leftover.project.clone()),
            deployment: leftover.deployment.clone(),
            names: vec![leftover.id.clone()],
            bytes: 0,
        };
        // Never before the build that may still be making it has ended.
        if now.millis_since(leftover.created_at) >= YOUNG {
            let layers = leftover.layers.clone();
            let candidate = Candidate { item, layers, due: true, young: false };
            all.push((Rule::FailedBuild, leftover.created_at.0, candidate));
        }
    }
    let unused = unused_branches(&facts.deployments, now);
    for (kept, newer) in with_newer(&facts.deployments) {
        let expired = kept.target == Target::Preview
            && limits.preview_age.is_some_and(|age| now.millis_since(kept.ready_at) > age);
        let beyond = kept.target == Target::Preview && unused.contains(&branch_of(kept));
        let counted = beyond || newer >= kept.keep;
        let rule = match kept.target {
            Target::Preview if expired => Rule::ExpiredPreview,
            Target::Preview if beyond => Rule::UnusedPreview,
            Target::Preview if newer > 0 => Rule::SupersededPreview,
            Target::Production if counted => Rule::OldProduction,
            _ => continue,
        };
        if pin(kept, &pinned_images, counted, now).is_some() {
            continue;
        }
        let item = Item {
            kind: Kind::Deployment,
            rule,
            project: Some(kept.project.clone()),
            deployment: Some(kept.id.clone()),
            names: kept.image.iter().cloned().collect(),
            bytes: kept.file_bytes,
        };
        let due = counted || expired;
        let candidate = Candidate { item, layers: kept.layers.clone(), due, young: false };
        all.push((rule, kept.served_at.0, candidate));
    }
    for (entry, used_at, depth) in cache_by_use(&facts.cache) {
        let item = Item {
            kind: Kind::BuildCache,
            rule: Rule::BuildCache,
            project: entry.whose.project.clone(),
            deployment: None,
            names: vec![entry.record.id.clone()],
            bytes: if entry.record.shared { 0 } else { entry.record.bytes },
        };
        let young = now.millis_since(used_at) < YOUNG;
        let candidate = Candidate { item, layers: Vec::new(), due: false, young };
        // Of a chain that was used as one the last link goes first: the engine keeps what others stand on.
        all.push((Rule::BuildCache, used_at.0.saturating_mul(1000) - depth, candidate));
    }
    for mirror in &facts.mirrors {
        let age = now.millis_since(mirror.used_at);
        let item = Item {
            kind: Kind::Mirror,
            rule: Rule::UnusedMirror,
            project: None,
            deployment: None,
            names: vec![mirror.name.clone()],
            bytes: mirror.bytes,
        };
        let (due, young) = (age > MIRROR_AGE, age < YOUNG);
        all.push((
            Rule::UnusedMirror,
            mirror.used_at.0,
            Candidate { item, layers: Vec::new(), due, young },
        ));
    }
    let rank = |rule: Rule| Rule::ALL.iter().position(|one| *one == rule);
    all.sort_by_key(|(rule, at, _)| (rank(*rule), *at));
    all.into_iter().map(|(_, _, candidate)| candidate).collect()
}

/// A branch of a project.
type Branch<'a> = (&'a ProjectId, &'a str);

fn branch_of(kept: &Kept) -> Branch<'_> {
    (&kept.project, kept.branch.as_deref().unwrap_or_default())
}

/// Branches with previews beyond what a project may have of them: those that nobody uses and that were made, or last fell
/// asleep, before all others.
fn unused_branches(deployments: &[Kept], now: Timestamp) -> HashSet<Branch<'_>> {
    let mut used: HashMap<&ProjectId, HashMap<&str, (Timestamp, i64)>> = HashMap::new();
    let previews = deployments.iter().filter(|kept| kept.target == Target::Preview && !kept.live);
    for kept in previews {
        let (project, branch) = branch_of(kept);
        let at = if kept.running { now } else { kept.served_at.max(kept.used_at) };
        let last = used.entry(project).or_default().entry(branch).or_default();
        *last = (*last).max((at, kept.seq));
    }
    let beyond = used.into_iter().flat_map(|(project, branches)| {
        let mut branches: Vec<_> = branches.into_iter().collect();
        branches.sort_by_key(|(_, last)| std::cmp::Reverse(*last));
        branches.into_iter().skip(PREVIEW_BRANCHES).map(move |(branch, _)| (project, branch))
    });
    beyond.collect()
}

/// Every deployment with how many are newer: of a preview those of its branch, of a production deployment those
/// that are not live and were live or ready after it.
fn with_newer(deployments: &[Kept]) -> Vec<(&Kept, usize)> {
    let mut groups: HashMap<(&ProjectId, Option<&str>), Vec<&Kept>> = HashMap::new();
    for kept in deployments.iter().filter(|kept| !kept.live) {
        let branch = match kept.target {
            Target::Preview => Some(kept.branch.as_deref().unwrap_or_default()),
            Target::Production => None,
        };
        groups.entry((&kept.project, branch)).or_default().push(kept);
    }
    let mut all = Vec::new();
    for mut group in groups.into_values() {
        group.sort_by_key(|kept| std::cmp::Reverse((kept.served_at, kept.seq)));
        all.extend(group.into_iter().enumerate().map(|(newer, kept)| (kept, newer)));
    }
    all
}

/// Records that may be removed, with when they or one that stands on them was last used, and how many stand under them.
fn cache_by_use(cache: &[build_cache::Entry]) -> Vec<(&build_cache::Entry, Timestamp, i64)> {
    let by_id: HashMap<&str, &build_cache::Entry> =
        cache.iter().map(|entry| (entry.record.id.as_str(), entry)).collect();
    let mut used: HashMap<&str, Timestamp> = HashMap::new();
    let mut depths: HashMap<&str, i64> = HashMap::new();
    for entry in cache {
        let (mut depth, mut level) = (0, vec![entry.record.id.as_str()]);
        let mut seen = HashSet::new();
        while let Some(id) = level.pop() {
            if !seen.insert(id) {
                continue;
            }
            let at = used.entry(id).or_default();
            *at = (*at).max(entry.record.last_used_at);
            let parents = by_id.get(id).into_iter().flat_map(|found| &found.record.parents);
            for parent in parents.map(String::as_str).filter(|parent| by_id.contains_key(parent)) {
                depth += 1;
                level.push(parent);
            }
        }
        depths.insert(&entry.record.id, depth);
    }
    cache
        .iter()
        .filter(|entry| entry.whose.ours && !entry.record.in_use)
        .map(|entry| {
            let id = entry.record.id.as_str();
            let at = used.get(id).copied().unwrap_or(entry.record.last_used_at);
            (entry, at, depths.get(id).copied().unwrap_or(0))
        })
        .collect()
}
