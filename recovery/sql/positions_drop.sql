-- Drop a month of the positions.
ALTER TABLE ${positions} DROP PARTITION ID '${partition}'
