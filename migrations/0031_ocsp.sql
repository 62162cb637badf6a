-- What the responder of a certificate's authority says of it (OCSP).

-- The newest answer by which it is good, as it is shown to visitors, and until when it holds.
ALTER TABLE certificates ADD COLUMN ocsp BLOB;
ALTER TABLE certificates ADD COLUMN ocsp_until INTEGER;
-- When it was so that was answered last: an older answer does not take the place of a newer one.
ALTER TABLE certificates ADD COLUMN ocsp_from INTEGER;
-- When the responder is asked again; NULL is now.
ALTER TABLE certificates ADD COLUMN ocsp_ask_at INTEGER;
ALTER TABLE certificates ADD COLUMN ocsp_failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE certificates ADD COLUMN ocsp_error TEXT;
ALTER TABLE certificates ADD COLUMN revoked_at INTEGER;
