//! Forges as they push: payloads in their documented forms, signed by a HMAC of our own after RFC 2104.

use orbitra::crypto::sha256::Sha256;
use serde_json::{Value, json};

/// The commit before a push.
pub const BEFORE: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
/// The commit of a push.
pub const AFTER: &str = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7";
/// No commit.
pub const NONE: &str = "0000000000000000000000000000000000000000";

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finish()
}

/// HMAC-SHA-256 in hexadecimal digits.
pub fn hmac(secret: &str, body: &[u8]) -> String {
    let mut key = [0_u8; 64];
    if secret.len() > 64 {
        key[..32].copy_from_slice(&sha256(&[secret.as_bytes()]));
    } else {
        key[..secret.len()].copy_from_slice(secret.as_bytes());
    }
    let (inner, outer) = (key.map(|byte| byte ^ 0x36), key.map(|byte| byte ^ 0x5c));
    let tag = sha256(&[&outer, &sha256(&[&inner, body])]);
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One request of a forge.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Delivery {
    /// The same with a header in the place of its own, or without it.
    pub fn with(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.extend(value.map(|value| (name, value.to_owned())));
        self
    }
}

/// What a forge sends and how it signs it. `event` is `push`, `ping`, `delete` or the forge's own name.
pub fn delivery(provider: &str, secret: &str, event: &str, id: &str, payload: &Value) -> Delivery {
    signed(provider, secret, event, id, payload.to_string().into_bytes())
}

/// The same with any body.
pub fn signed(provider: &str, secret: &str, event: &str, id: &str, body: Vec<u8>) -> Delivery {
    let tag = hmac(secret, &body);
    let prefixed = format!("sha256={tag}");
    let (id, event) = (id.to_owned(), event.to_owned());
    let mut headers = match provider {
        "gitlab" => {
            let event = match event.as_str() {
                "push" => "Push Hook".to_owned(),
                _ => event,
            };
            vec![
                ("x-gitlab-event", event),
                ("x-gitlab-token", secret.to_owned()),
                ("x-gitlab-event-uuid", id),
            ]
        }
        "gitea" | "forgejo" => vec![
            ("x-gitea-event", event.clone()),
            ("x-github-event", event),
            ("x-gitea-signature", tag),
            ("x-hub-signature-256", prefixed),
            ("x-gitea-delivery", id),
        ],
        "bitbucket" => {
            let event = match event.as_str() {
                "push" => "repo:push".to_owned(),
                "ping" => "diagnostics:ping".to_owned(),
                _ => event,
            };
            vec![("x-event-key", event), ("x-hub-signature", prefixed), ("x-request-uuid", id)]
        }
        _ => vec![
            ("x-github-event", event),
            ("x-hub-signature-256", prefixed),
            ("x-github-delivery", id),
        ],
    };
    headers.push(("content-type", "application/json".to_owned()));
    Delivery { headers, body }
}

/// A push of one commit that changes these files.
pub fn push(provider: &str, branch: &str, after: &str, message: &str, files: &[&str]) -> Value {
    let commit = json!({
        "id": after, "message": message, "timestamp": "2026-01-20T16:29:15Z",
        "author": {"name": "Ada", "email": "ada@example.com"},
        "added": [], "removed": [], "modified": files,
    });
    match provider {
        "gitlab" => json!({
            "object_kind": "push", "event_name": "push", "before": BEFORE, "after": after,
            "ref": format!("refs/heads/{branch}"), "checkout_sha": after, "user_name": "Ada",
            "project": {
                "id": 15, "name": "Diaspora", "default_branch": "main",
                "git_http_url": "https://gitlab.example.com/mike/diaspora.git",
            },
            "commits": [commit], "total_commits_count": 1,
            "repository": {"name": "Diaspora", "visibility_level": 0},
        }),
        "gitea" | "forgejo" => json!({
            "ref": format!("refs/heads/{branch}"), "before": BEFORE, "after": after,
            "compare_url": "", "commits": [commit], "total_commits": 1, "head_commit": commit,
            "repository": {"id": 140, "name": "webhooks", "default_branch": "main"},
            "pusher": {"login": "gitea"}, "sender": {"login": "gitea"},
        }),
        "bitbucket" => json!({
            "actor": {"display_name": "Ada"}, "repository": {"full_name": "team/repo"},
            "push": {"changes": [{
                "new": {
                    "type": "branch", "name": branch,
                    "target": {"type": "commit", "hash": after, "message": message},
                },
                "old": {
                    "type": "branch", "name": branch,
                    "target": {"type": "commit", "hash": BEFORE, "message": "before"},
                },
                "created": false, "forced": false, "closed": false, "truncated": false,
                "commits": [{"hash": after, "type": "commit", "message": message}],
            }]},
        }),
        _ => json!({
            "ref": format!("refs/heads/{branch}"), "before": BEFORE, "after": after,
            "created": false, "deleted": false, "forced": false, "base_ref": null,
            "repository": {"id": 35129377, "name": "public-repo", "default_branch": "main"},
            "commits": [commit], "head_commit": commit,
        }),
    }
}

/// A branch that was deleted.
pub fn deletion(provider: &str, branch: &str) -> Value {
    let mut payload = push(provider, branch, NONE, "", &[]);
    if provider == "bitbucket" {
        payload["push"]["changes"][0]["new"] = Value::Null;
        payload["push"]["changes"][0]["closed"] = true.into();
        return payload;
    }
    payload["commits"] = json!([]);
    match provider {
        "gitlab" => payload["checkout_sha"] = Value::Null,
        "gitea" | "forgejo" => payload["head_commit"] = Value::Null,
        _ => {
            payload["deleted"] = true.into();
            payload["head_commit"] = Value::Null;
        }
    }
    payload
}

/// A request to merge a branch: `opened`, `changed`, `closed` or `titled`.
pub fn pull_request(provider: &str, what: &str, branch: &str, sha: &str, fork: bool) -> Value {
    let (ours, theirs) = ("acme/web", if fork { "stranger/web" } else { "acme/web" });
    match provider {
        "gitlab" => {
            let (action, old) = match what {
                "opened" => ("open", Value::Null),
                "changed" => ("update", BEFORE.into()),
                "closed" => ("merge", Value::Null),
                _ => ("update", Value::Null),
            };
            json!({
                "object_kind": "merge_request", "event_type": "merge_request",
                "project": {"id": 1, "path_with_namespace": ours, "default_branch": "main"},
                "object_attributes": {
                    "id": 99, "iid": 7, "action": action, "oldrev": old, "state": "opened",
                    "source_branch": branch, "target_branch": "main", "title": "A change",
                    "source_project_id": if fork { 14 } else { 1 }, "target_project_id": 1,
                    "last_commit": {"id": sha, "message": "A change"},
                },
                "labels": [], "changes": {},
            })
        }
        "bitbucket" => json!({
            "actor": {"display_name": "Ada"}, "repository": {"full_name": ours},
            "pullrequest": {
                "id": 7, "title": "A change", "state": "OPEN",
                "source": {
                    "branch": {"name": branch}, "commit": {"hash": &sha[..12]},
                    "repository": {"full_name": theirs},
                },
                "destination": {
                    "branch": {"name": "main"}, "commit": {"hash": &BEFORE[..12]},
                    "repository": {"full_name": ours},
                },
            },
        }),
        _ => {
            let action = match (provider, what) {
                ("gitea" | "forgejo", "changed") => "synchronized",
                (_, "changed") => "synchronize",
                (_, "titled") => "edited",
                _ => what,
            };
            json!({
                "action": action, "number": 7,
                "pull_request": {
                    "number": 7, "state": "open", "title": "A change", "merged": false,
                    "head": {"ref": branch, "sha": sha, "repo": {"full_name": theirs, "fork": fork}},
                    "base": {"ref": "main", "sha": BEFORE, "repo": {"full_name": ours}},
                },
                "repository": {"full_name": ours, "default_branch": "main"},
            })
        }
    }
}

/// What a forge calls the event of [`pull_request`].
pub fn pull_request_event(provider: &str, what: &str) -> &'static str {
    match (provider, what) {
        ("gitlab", _) => "Merge Request Hook",
        ("bitbucket", "opened") => "pullrequest:created",
        ("bitbucket", "changed") => "pullrequest:updated",
        ("bitbucket", "closed") => "pullrequest:fulfilled",
        ("bitbucket", _) => "pullrequest:comment_created",
        ("gitea" | "forgejo", "changed") => "pull_request_sync",
        _ => "pull_request",
    }
}

/// A tag.
pub fn tag(provider: &str) -> Value {
    let mut payload = push(provider, "main", AFTER, "v1", &[]);
    if provider == "bitbucket" {
        payload["push"]["changes"][0]["new"]["type"] = "tag".into();
        payload["push"]["changes"][0]["old"] = Value::Null;
    } else {
        payload["ref"] = "refs/tags/v1.0".into();
        payload["before"] = NONE.into();
    }
    payload
}

#[test]
fn signatures_are_those_that_github_documents() {
    let secret = "It's a Secret to Everybody";
    let tag = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(hmac(secret, b"Hello, World!"), tag);
}
