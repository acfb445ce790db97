-- What became known of how conditions ended.
SELECT *
FROM default.pm_condition_resolutions
WHERE insert_time >= {begin:DateTime('UTC')} AND insert_time < {until:DateTime('UTC')}
