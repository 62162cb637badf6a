-- Certificates for TLS: what the operator gave, what somebody uploaded for a domain, what an authority signed.

CREATE TABLE certificates (
    id TEXT PRIMARY KEY,
    -- The one name it is served for, `www.example.org` or `*.example.org`; it may cover more.
    hostname TEXT NOT NULL UNIQUE,
    origin TEXT NOT NULL,
    -- The chain as PEM, the host's own certificate first.
    chain TEXT NOT NULL,
    -- The private key as PKCS#8, PKCS#1 or SEC1, sealed for this row.
    sealed BLOB NOT NULL,
    issuer TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- Days before its end at which people were last told that it runs out.
    warned INTEGER
) STRICT, WITHOUT ROWID;

-- Host names of projects beside those under the base domain.
CREATE TABLE domains (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    -- As the DNS has it, in lower case; may start with `*.`. One owner each.
    hostname TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    redirect_to TEXT,
    redirect_code INTEGER NOT NULL,
    -- What the DNS said, as a JSON array.
    found TEXT NOT NULL DEFAULT '[]',
    checked_at INTEGER,
    -- When the DNS is asked again.
    look_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- When it led here for the first time.
    verified_at INTEGER,
    revision INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX domains_by_project ON domains (project_id);
CREATE INDEX domains_by_look ON domains (look_at);

-- Names that a certificate could not be had for, until it could.
CREATE TABLE certificate_orders (
    hostname TEXT PRIMARY KEY,
    -- In a row.
    failures INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    -- What was the matter, for people.
    error TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was signed in the last week, against the authority's limits.
CREATE TABLE certificate_issues (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    registered TEXT NOT NULL,
    hostname TEXT NOT NULL,
    issued_at INTEGER NOT NULL
) STRICT;
CREATE INDEX certificate_issues_by_domain ON certificate_issues (registered, issued_at);
