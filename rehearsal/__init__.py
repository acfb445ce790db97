"""The rehearsal: makes the incident, runs the real recovery on it, and compares the end with the truth."""
