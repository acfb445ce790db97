-- Put a rebuilt month, or one that is brought back, in place of the table's: at once, for every reader.
ALTER TABLE ${positions} REPLACE PARTITION ID '${partition}' FROM ${whole}
