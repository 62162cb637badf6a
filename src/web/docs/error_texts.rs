//! What the codes of errors mean and what to do about them. The codes themselves are those of the API; the
//! reasons tell the cases of one code apart.

mod conflicts;

/// What is to be said about a code.
#[derive(Debug)]
pub struct ErrorText {
    pub code: &'static str,
    pub status: u16,
    /// What happened.
    pub meaning: &'static str,
    /// What to do about it.
    pub advice: &'static str,
    /// Keys of `details`, and what they hold.
    pub details: &'static [(&'static str, &'static str)],
    /// Values of `details.reason`.
    pub reasons: &'static [Reason],
    /// Values of `code` in `details.invalid_fields`.
    pub field_codes: &'static [(&'static str, &'static str)],
    /// A whole answer.
    pub example: &'static str,
}

/// A case of a code.
#[derive(Debug)]
pub struct Reason {
    pub name: &'static str,
    pub meaning: &'static str,
    pub advice: &'static str,
}

const fn reason(name: &'static str, meaning: &'static str, advice: &'static str) -> Reason {
    Reason { name, meaning, advice }
}

/// Every code, in the order of its status.
pub static TEXTS: [ErrorText; 13] = [
    ErrorText {
        code: "invalid_request",
        status: 400,
        meaning: "Something is wrong with the request itself: it is not JSON, a field or a parameter is missing, unknown, of a wrong type or out of its range. All problems of a request are reported together, and nothing was changed.",
        advice: "Mend what `details` names and send the request again. Sending the same request again gives the same answer.",
        details: &[
            ("missing_fields", "Required fields that are not there, in the order of the schema."),
            (
                "invalid_fields",
                "Fields whose value is not acceptable: `field`, `code`, `message`, and where they are few `allowed` values or a `suggestion`.",
            ),
            (
                "unknown_fields",
                "Fields that do not exist: `field`, and where it is clear the `suggestion` of what was meant.",
            ),
            ("unknown_params", "Query parameters that do not exist."),
            (
                "parse_error",
                "Where the body stops being JSON: `line` and `column`, counted from 1.",
            ),
        ],
        reasons: &[],
        field_codes: &[
            ("type", "It is of another type; nothing is converted."),
            ("format", "It does not have the form that is wanted."),
            ("too_short", "It is shorter than it may be. An empty text is too short, not missing."),
            ("too_long", "It is longer than it may be."),
            (
                "out_of_range",
                "The number is too small or too large, or there are too many entries.",
            ),
            ("unknown_value", "It is none of the `allowed` values."),
            ("reserved", "Orbitra uses this name itself."),
            ("read_only", "Orbitra sets this field. Leave it out, or send it back as it is."),
            ("immutable", "It cannot be changed once it is set."),
            ("url_not_allowed", "The address leads somewhere requests must not go."),
            ("unresolvable", "The host name has no address."),
            ("duplicate", "It occurs twice."),
            ("mutually_exclusive", "It cannot be sent together with another field."),
            ("unsafe", "The value could do harm, such as a path that leads out of the repository."),
        ],
        example: "{\n  \"error\": {\n    \"code\": \"invalid_request\",\n    \"message\": \"Missing required fields: name, region.\",\n    \"details\": {\n      \"missing_fields\": [\"name\", \"region\"]\n    }\n  }\n}",
    },
    ErrorText {
        code: "unauthorized",
        status: 401,
        meaning: "There is no API key, or the one that was sent is unknown, expired or revoked.",
        advice: "Send a key that works as `Authorization: Bearer <key>`. Keys are made in the dashboard under API keys, or with `POST /api-keys`.",
        details: &[("reason", "Which case it is.")],
        reasons: &[
            reason(
                "missing_credentials",
                "There is no `Authorization` header.",
                "Send `Authorization: Bearer <key>`. A key in the address or in a cookie does not count.",
            ),
            reason(
                "invalid_key",
                "The key does not exist or is mistyped; its last six characters are a checksum over the rest.",
                "Compare it with the place you copied it from, or make a new one.",
            ),
            reason(
                "key_expired",
                "The key was valid until `expires_at`.",
                "Make a new key, or rotate keys before they expire.",
            ),
            reason("key_revoked", "Somebody revoked the key.", "Make a new key."),
            reason(
                "invalid_signature",
                "What was sent to a push hook is not signed with the hook's secret.",
                "Compare the secret at the forge, or rotate the hook and enter the new one.",
            ),
        ],
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"unauthorized\",\n    \"message\": \"An API key is needed. Send it as `Authorization: Bearer <key>`.\",\n    \"details\": {\n      \"reason\": \"missing_credentials\"\n    }\n  }\n}",
    },
    ErrorText {
        code: "forbidden",
        status: 403,
        meaning: "The key is valid and sees the thing, and may not do this to it.",
        advice: "Use a key with the scope that is missing, or ask somebody with the role. Nothing was changed.",
        details: &[
            ("reason", "Which case it is."),
            ("required_scopes", "Of `missing_scope`: scopes the key lacks."),
            ("required_role", "Of `insufficient_role`: who may do it."),
        ],
        reasons: &[
            reason(
                "missing_scope",
                "The key does not carry the scope, or it is limited to other projects.",
                "Make a key with `required_scopes`, or change the scopes of this one.",
            ),
            reason(
                "insufficient_role",
                "The owner of the key does not have the role.",
                "Ask somebody who has `required_role`.",
            ),
            reason(
                "ip_not_allowed",
                "The key may not be used from the address the request came from.",
                "Send the request from an address in the key's `allowed_ips`, or change them.",
            ),
            reason(
                "plan_limit",
                "The account has as much as its plan allows.",
                "Remove something, or ask an administrator of the server for another plan.",
            ),
            reason(
                "tls_required",
                "The key was sent over plain HTTP.",
                "Use `https://`. Revoke the key: others on the way may have read it.",
            ),
            reason(
                "scope_escalation",
                "A key was to get more rights than the one that makes it has.",
                "Ask for fewer scopes, or make the key in the dashboard.",
            ),
            reason(
                "suspended",
                "An administrator of this server has suspended the project or the account.",
                "Ask the administrator.",
            ),
        ],
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"forbidden\",\n    \"message\": \"This key lacks the scope `projects:write`.\",\n    \"details\": {\n      \"reason\": \"missing_scope\",\n      \"required_scopes\": [\"projects:write\"]\n    }\n  }\n}",
    },
    ErrorText {
        code: "not_found",
        status: 404,
        meaning: "There is no such path or no such thing, or the key does not see it. What one may not see is not told apart from what does not exist.",
        advice: "Check the path and the id. A key that is limited to some projects does not see the others.",
        details: &[
            ("resource", "What was not found, such as `project`; `route` for the path itself."),
            ("id", "The id or name as it was sent, at most 64 characters of it."),
        ],
        reasons: &[],
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"not_found\",\n    \"message\": \"This project was not found.\",\n    \"details\": {\n      \"resource\": \"project\",\n      \"id\": \"my-app\"\n    }\n  }\n}",
    },
    ErrorText {
        code: "method_not_allowed",
        status: 405,
        meaning: "The path exists and does not have this method.",
        advice: "Use one of those in `Allow`.",
        details: &[("allowed", "Methods of the path, as in the header `Allow`.")],
        reasons: &[],
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"method_not_allowed\",\n    \"message\": \"This method is not allowed here. Allowed: GET, HEAD, OPTIONS, POST.\",\n    \"details\": {\n      \"allowed\": [\"GET\", \"HEAD\", \"OPTIONS\", \"POST\"]\n    }\n  }\n}",
    },
    ErrorText {
        code: "conflict",
        status: 409,
        meaning: "The request is valid and contradicts the state things are in. Nothing was changed.",
        advice: "Read the thing, look at `details.reason`, and decide anew. Only `idempotency_key_in_use` passes by itself.",
        details: &[
            ("reason", "Which case it is."),
            ("name, key, deployment_id, status", "With some reasons: what it is about."),
        ],
        reasons: conflicts::REASONS,
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"conflict\",\n    \"message\": \"The name `my-app` is taken.\",\n    \"details\": {\n      \"reason\": \"name_taken\",\n      \"name\": \"my-app\"\n    }\n  }\n}",
    },
    ErrorText {
        code: "precondition_failed",
        status: 412,
        meaning: "The request carries `If-Match`, and the thing has another revision by now. Nothing was changed.",
        advice: "Read the thing again, make your change to what it is now, and send it with the new `ETag`.",
        details: &[("current_etag", "The entity tag it has now.")],
        reasons: &[],
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"precondition_failed\",\n    \"message\": \"It was changed meanwhile. Read it again and decide anew.\",\n    \"details\": {\n      \"current_etag\": \"\\\"7\\\"\"\n    }\n  }\n}",
    },
    ErrorText {
        code: "payload_too_large",
        status: 413,
        meaning: "The body is larger than this operation takes.",
        advice: "Send less; large sets of variables can be sent in several requests.",
        details: &[("limit_bytes", "How large it may be.")],
        reasons: &[],
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"payload_too_large\",\n    \"message\": \"The body may have at most 1048576 bytes.\",\n    \"details\": {\n      \"limit_bytes\": 1048576\n    }\n  }\n}",
    },
    ErrorText {
        code: "unsupported_media_type",
        status: 415,
        meaning: "The body is said to be something else than JSON.",
        advice: "Send JSON with `Content-Type: application/json`, or without a type at all.",
        details: &[("supported", "Media types that are read.")],
        reasons: &[],
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"unsupported_media_type\",\n    \"message\": \"The body must be JSON.\",\n    \"details\": {\n      \"supported\": [\"application/json\"]\n    }\n  }\n}",
    },
    ErrorText {
        code: "unprocessable",
        status: 422,
        meaning: "The `Idempotency-Key` was used for another request within the last 24 hours. The key belongs to the account, the method, the path and the body.",
        advice: "Use a new key for every new request, best a UUID.",
        details: &[("reason", "Which case it is.")],
        reasons: &[reason(
            "idempotency_key_reused",
            "The body or the query differs from that of the first request.",
            "Send the first request again as it was, or this one with a new key.",
        )],
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"unprocessable\",\n    \"message\": \"This Idempotency-Key was used for another request. Use a new one.\",\n    \"details\": {\n      \"reason\": \"idempotency_key_reused\"\n    }\n  }\n}",
    },
    ErrorText {
        code: "rate_limit_exceeded",
        status: 429,
        meaning: "The account, or the address of a request without a valid key, made as many requests as are answered in the window of an hour. Open event streams have a limit of their own for each key.",
        advice: "Wait as long as `Retry-After` says. Ask with `If-None-Match` (a 304 does not count), follow `/events/stream` instead of polling, or wait for a deployment with `?wait=`.",
        details: &[
            ("limit", "Requests in a window, or open streams."),
            ("window_seconds", "How long a window is."),
            ("retry_after_seconds", "As `Retry-After`."),
            ("reset_at", "When the next window begins."),
            ("violated_policies", "The policy of the header `RateLimit-Policy`, or `streams`."),
        ],
        reasons: &[],
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"rate_limit_exceeded\",\n    \"message\": \"Too many requests. Try again in 312 s.\",\n    \"details\": {\n      \"limit\": 1000,\n      \"window_seconds\": 3600,\n      \"retry_after_seconds\": 312,\n      \"reset_at\": \"2026-01-20T17:00:00Z\",\n      \"violated_policies\": [\"free\"]\n    }\n  }\n}",
    },
    ErrorText {
        code: "internal_error",
        status: 500,
        meaning: "A defect of the server. Running applications are not affected.",
        advice: "Look whether your change was made before you repeat it; with an `Idempotency-Key` you can repeat it in any case. Report the defect with the request id: the server's log has the cause under it.",
        details: &[("request_id", "As `X-Request-Id`.")],
        reasons: &[],
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"internal_error\",\n    \"message\": \"An unexpected error occurred.\",\n    \"details\": {\n      \"request_id\": \"req_3f8d0a6k2m9qhx4t\"\n    }\n  }\n}",
    },
    ErrorText {
        code: "service_unavailable",
        status: 503,
        meaning: "The server cannot do this now. Running applications are not affected.",
        advice: "Send it again after `Retry-After`.",
        details: &[("reason", "Which case it is.")],
        reasons: &[
            reason(
                "engine_unavailable",
                "Docker does not answer.",
                "Look at Docker on the server.",
            ),
            reason(
                "draining",
                "The server takes no new deployments, because it is about to be stopped.",
                "Wait until it is back.",
            ),
            reason(
                "maintenance",
                "The thing or the server is being changed, or the server's disk takes nothing.",
                "Send it again. When that does not help, look at the server's disk.",
            ),
            reason(
                "disk_full",
                "Nothing can be stored: the disk is full.",
                "Free some space on the server.",
            ),
            reason(
                "timeout",
                "The answer took too long.",
                "Send it again. Of a change, look first whether it was made.",
            ),
        ],
        field_codes: &[],
        example: "{\n  \"error\": {\n    \"code\": \"service_unavailable\",\n    \"message\": \"The server took too long to answer. Try again.\",\n    \"details\": {\n      \"reason\": \"timeout\"\n    }\n  }\n}",
    },
];
