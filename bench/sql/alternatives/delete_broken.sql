-- Remove every broken row, as the engineers did it by hand: orphans as well.
ALTER TABLE ${table} DELETE
WHERE condition_id = ''
SETTINGS mutations_sync = 2
