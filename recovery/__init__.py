"""Acts on the data: proves, executes and records a recovery. Knows no pytest and no HTML."""
