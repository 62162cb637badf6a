-- Certificates for TLS: what the operator gave, what somebody uploaded for a domain.

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
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
