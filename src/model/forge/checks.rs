//! What other programs say of a commit at its forge: asked in each one's own form, and summed up.

use serde_json::Value;

use super::ForgeKind;
use super::status::place;

/// What is said of a deployment that waits.
pub const WAITING: &str = "It waits for the checks of its commit.";
/// Longest wait for checks, in milliseconds.
pub const LONGEST_WAIT: u64 = 3_600_000;
/// What Orbitra says itself is no reason to wait.
const OWN: &str = "orbitra/";

/// What all the checks of a commit come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody has said anything.
    None,
    /// Somebody is not done.
    Pending,
    Passed,
    /// The name of one that failed.
    Failed(String),
}

/// What is asked about a commit, beyond the address of the API.
pub fn questions(kind: ForgeKind, repository: &str, sha: &str) -> Vec<String> {
    let place = place(kind, repository);
    match kind {
        ForgeKind::Github => vec![
            format!("{place}/commits/{sha}/status?per_page=100"),
            format!("{place}/commits/{sha}/check-runs?per_page=100"),
        ],
        ForgeKind::Gitlab => {
            vec![format!("{place}/repository/commits/{sha}/statuses?per_page=100")]
        }
        ForgeKind::Gitea | ForgeKind::Forgejo => {
            vec![format!("{place}/commits/{sha}/status?limit=50")]
        }
        ForgeKind::Bitbucket => vec![format!("{place}/commit/{sha}/statuses?pagelen=100")],
    }
}

/// How one check stands.
enum Stand {
    Pending,
    Passed,
    Failed,
}

/// Sums up the answers; one that has not the form it should have counts as not done.
pub fn verdict(answers: &[Value]) -> Verdict {
    let mut all = Vec::new();
    for answer in answers {
        let of = |name| answer.get(name);
        let lists = [of("statuses"), of("check_runs"), of("values"), Some(answer)];
        let Some(list) = lists.into_iter().flatten().find_map(Value::as_array) else {
            // No list at all: Gitea sends `null` for none.
            if answer.get("statuses").is_some_and(Value::is_null) {
                continue;
            }
            return Verdict::Pending;
        };
        all.extend(list.iter().map(check));
    }
    all.retain(|(name, _)| !name.starts_with(OWN));
    if all.is_empty() {
        return Verdict::None;
    }
    if let Some((name, _)) = all.iter().find(|(_, stand)| matches!(stand, Stand::Failed)) {
        return Verdict::Failed(name.chars().take(100).collect());
    }
    let pending = all.iter().any(|(_, stand)| matches!(stand, Stand::Pending));
    if pending { Verdict::Pending } else { Verdict::Passed }
}

fn check(check: &Value) -> (String, Stand) {
    let text = |field: &str| check.get(field).and_then(Value::as_str);
    let name = text("context").or_else(|| text("name")).unwrap_or_default().to_owned();
    // GitHub's runs have a status until they are completed, and a conclusion then.
    let word = match text("status") {
        Some("completed") => text("conclusion"),
        status => text("state").or(status),
    };
    let allowed = check.get("allow_failure").and_then(Value::as_bool).unwrap_or(false);
    // Bitbucket has them in capitals.
    let word = word.unwrap_or_default().to_ascii_lowercase();
    let stand = match word.as_str() {
        "success" | "successful" | "neutral" | "skipped" | "warning" | "manual" => Stand::Passed,
        "failure" | "failed" | "error" | "canceled" | "cancelled" | "timed_out"
        | "action_required" | "startup_failure" | "stale" | "stopped" => {
            if allowed {
                Stand::Passed
            } else {
                Stand::Failed
            }
        }
        _ => Stand::Pending,
    };
    (name, stand)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(answer: Value) -> Verdict {
        verdict(&[answer])
    }

    #[test]
    fn the_checks_of_github_are_statuses_and_runs() {
        let status = |state: &str| json!({"state": "pending", "statuses": [{"context": "ci", "state": state}]});
        let run = |status: &str, end: Value| json!({"total_count": 1, "check_runs": [{"name": "build", "status": status, "conclusion": end}]});
        let passed = run("completed", json!("success"));
        assert_eq!(verdict(&[status("success"), passed.clone()]), Verdict::Passed);
        assert_eq!(verdict(&[status("pending"), passed.clone()]), Verdict::Pending);
        assert_eq!(verdict(&[status("error"), passed]), Verdict::Failed("ci".to_owned()));
        let running = run("in_progress", Value::Null);
        assert_eq!(verdict(&[status("success"), running]), Verdict::Pending);
        let failed = run("completed", json!("timed_out"));
        assert_eq!(verdict(&[status("success"), failed]), Verdict::Failed("build".to_owned()));
        let nothing = [json!({"statuses": []}), json!({"check_runs": []})];
        assert_eq!(verdict(&nothing), Verdict::None);
    }

    #[test]
    fn the_others_have_one_list_and_our_own_word_does_not_count() {
        let own = json!({"statuses": [{"context": "orbitra/web", "status": "pending"}]});
        assert_eq!(of(own), Verdict::None);
        assert_eq!(of(json!({"statuses": null})), Verdict::None);
        let gitea = json!({"statuses": [{"context": "ci", "status": "failure"}]});
        assert_eq!(of(gitea), Verdict::Failed("ci".to_owned()));
        let gitlab = json!([
            {"name": "test", "status": "success"},
            {"name": "lint", "status": "failed", "allow_failure": true},
            {"name": "deploy", "status": "manual"},
        ]);
        assert_eq!(of(gitlab), Verdict::Passed);
        let bitbucket = |state: &str| {
            let own = json!({"key": "orbitra/web", "name": "orbitra/web", "state": "INPROGRESS"});
            of(
                json!({"pagelen": 100, "values": [{"key": "ci", "name": "ci", "state": state}, own]}),
            )
        };
        assert_eq!(bitbucket("SUCCESSFUL"), Verdict::Passed);
        assert_eq!(bitbucket("INPROGRESS"), Verdict::Pending);
        assert_eq!(bitbucket("STOPPED"), Verdict::Failed("ci".to_owned()));
        assert_eq!(of(json!([{"name": "test", "status": "created"}])), Verdict::Pending);
        assert_eq!(of(json!({"message": "no"})), Verdict::Pending);
    }
}
