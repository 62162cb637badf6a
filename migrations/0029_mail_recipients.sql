-- Addresses that webhooks of a team send mail to, with their consent. An address of somebody with an account needs no row.
CREATE TABLE mail_recipients (
    team_id TEXT NOT NULL,
    -- In lower case.
    address TEXT NOT NULL,
    -- The account that wanted it last.
    asked_by TEXT NOT NULL,
    asked_at INTEGER,
    -- The newest link, by the hash of its token. It stays when it was used, so that its page can say so.
    token_hash BLOB UNIQUE,
    expires_at INTEGER,
    confirmed_at INTEGER,
    declined_at INTEGER,
    PRIMARY KEY (team_id, address)
) STRICT, WITHOUT ROWID;
-- Mails that asked an address, for as long as they count.
CREATE TABLE mail_questions (
    address TEXT NOT NULL,
    team_id TEXT NOT NULL,
    asked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX mail_questions_by_address ON mail_questions (address, asked_at);
CREATE INDEX mail_questions_by_team ON mail_questions (team_id, asked_at);
