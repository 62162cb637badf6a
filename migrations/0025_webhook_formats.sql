-- What a webhook is sent: an event as it is, a message for a chat, or a mail.
ALTER TABLE webhooks ADD COLUMN format TEXT NOT NULL DEFAULT 'orbitra';
-- What is sent where it is not the event itself: written with the event, from what was there then.
ALTER TABLE webhook_deliveries ADD COLUMN body TEXT;
