-- A table that is whole gets the name that says so.
RENAME TABLE ${target} TO ${whole}
