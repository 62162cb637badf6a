//! What webhooks are sent, for example: one of every kind of event.

use serde_json::{Value, json};

use super::webhook::DisabledReason;

/// An example of an event's data.
pub fn data(name: &str) -> Value {
    let deployment = |status: &str, more: Value| {
        let mut data = json!({
            "deployment_id": "dep_123abc", "project_id": "prj_abc123", "status": status,
            "url": "https://my-app-dep123.example.com",
        });
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
            data.extend(more);
        }
        data
    };
    match name {
        "deployment.created" => deployment("building", json!({})),
        "deployment.succeeded" => deployment("live", json!({ "duration_ms": 45000 })),
        "deployment.failed" => deployment(
            "failed",
            json!({ "duration_ms": 31000, "error": {
                "code": "build_failed", "phase": "building", "message": "`npm run build` exited with code 1.",
            } }),
        ),
        "deployment.canceled" => deployment("canceled", json!({ "cancel_reason": "user" })),
        "deployment.crashed" => deployment("crashed", json!({ "exit_code": 137, "restarts": 5 })),
        "deployment.recovered" => deployment("live", json!({ "exit_code": null, "restarts": 0 })),
        "deployment.promoted" | "deployment.rolled_back" => {
            deployment("live", json!({ "previous_deployment_id": "dep_456def" }))
        }
        "deployment.deleted" => {
            json!({ "deployment_id": "dep_123abc", "project_id": "prj_abc123" })
        }
        "project.created" => json!({
            "project_id": "prj_abc123", "name": "my-app", "region": "us-east-1", "framework": "nodejs",
            "status": "pending", "created_at": "2024-01-15T10:30:00Z",
        }),
        "project.deleted" => json!({
            "project_id": "prj_abc123", "name": "my-app", "deleted_at": "2024-01-20T16:30:00Z",
        }),
        "env.updated" => json!({
            "project_id": "prj_abc123", "keys": ["DATABASE_URL"], "target": "production",
        }),
        "api_key.rotated" => json!({
            "api_key_id": "key_3f8d0a6k2m9qhx4t", "replaces": "key_2m9qhx4t7k2m9qhx", "actor_id": "usr_123abc",
        }),
        "billing.invoice.created" => json!({
            "invoice_id": "inv_2m9qhx4t8w1z3c7k", "number": "ORB-2024-000001", "status": "open", "currency": "usd",
            "amount_due": 2900, "period_start": "2024-01-01T00:00:00Z", "period_end": "2024-02-01T00:00:00Z",
            "due_at": "2024-02-15T00:00:00Z",
        }),
        "webhook.disabled" => {
            json!({ "webhook_id": "whk_8w1z3c7k2m9qhx4t", "reason": DisabledReason::Gone })
        }
        "webhook.ping" => {
            json!({ "webhook_id": "whk_8w1z3c7k2m9qhx4t", "message": "Hello from Orbitra" })
        }
        "system.disk.low" => json!({ "free_bytes": 900_000_000, "floor_bytes": 1_073_741_824 }),
        "system.engine.down" => json!({ "since": "2024-01-20T16:29:57Z" }),
        _ if name.starts_with("project.") => json!({
            "project_id": "prj_abc123", "name": "my-app", "status": "active", "changed": ["description"],
        }),
        _ if name.starts_with("domain.") => json!({
            "domain_id": "dom_123abc", "hostname": "www.example.org", "project_id": "prj_abc123", "status": "active",
        }),
        _ if name.starts_with("api_key.") => {
            json!({ "api_key_id": "key_3f8d0a6k2m9qhx4t", "project_id": null, "actor_id": "usr_123abc" })
        }
        _ => json!({ "user_id": "usr_123abc", "actor_id": "usr_123abc" }),
    }
}

/// An example of what is sent.
pub fn example(name: &str) -> Value {
    json!({ "event": name, "timestamp": "2024-01-20T16:30:00Z", "data": data(name) })
}
