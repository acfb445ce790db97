-- Say that the holder of the lock is alive.
ALTER TABLE ${lock} MODIFY COMMENT ${holder}
