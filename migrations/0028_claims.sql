-- Since when somebody else says that a host name is theirs, which nobody had shown to be whose. From then on its records
-- have to show it (`_orbitra-challenge`).
ALTER TABLE domains ADD COLUMN contested_at INTEGER;

-- Records that an authority looks for, written down before they are set: what a process that was cut off has left behind
-- is removed by the next.
CREATE TABLE challenge_records (
    id INTEGER PRIMARY KEY,
    -- The host name that a certificate was wanted for.
    hostname TEXT NOT NULL,
    zone TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    -- The provider's own identifier, once it was answered.
    provider_id TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    -- When it is removed, unless whoever set it does so.
    remove_at INTEGER NOT NULL
) STRICT;

-- When the authority wants a certificate to be renewed (RFC 9773): its window, the moment in it that was chosen, and when
-- it is asked again.
ALTER TABLE certificates ADD COLUMN renewal_from INTEGER;
ALTER TABLE certificates ADD COLUMN renewal_to INTEGER;
ALTER TABLE certificates ADD COLUMN renewal_at INTEGER;
ALTER TABLE certificates ADD COLUMN renewal_ask_at INTEGER;
