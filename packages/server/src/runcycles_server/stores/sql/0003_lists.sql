-- A page of reservations is a piece of one of these, however many there are. Each costs every
-- reserve a little, so there is one per order that can be asked for, and none per filter.

CREATE INDEX reservations_by_id     ON reservations (tenant, reservation_id);
CREATE INDEX reservations_by_expiry ON reservations (tenant, expires_at_ms);
CREATE INDEX reservations_by_amount ON reservations (tenant, reserved);
CREATE INDEX reservations_by_scope  ON reservations (tenant, scope_path, reservation_id);
CREATE INDEX reservations_by_status ON reservations (tenant, status, reservation_id);
