-- How far the four sources have been read.
INSERT INTO pm_ingest_watermarks_v1
SELECT arrayJoin(['clob', 'ctf_token', 'ctf_cash', 'negrisk']), 67339200, toDateTime('2026-01-31 23:59:00', 'UTC'), 1000, toDateTime('2026-02-01 00:05:00', 'UTC')
