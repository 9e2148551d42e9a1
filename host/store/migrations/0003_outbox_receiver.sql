-- Each receiver of events has a queue of its own.
ALTER TABLE outbox ADD COLUMN receiver TEXT;
CREATE INDEX outbox_receiver ON outbox (receiver, state, created_at, id);
