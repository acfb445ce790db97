-- What is made from now on, the live updater stores.
DROP VIEW rehearsal.made_fills
