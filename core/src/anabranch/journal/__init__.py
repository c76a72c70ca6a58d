"""The append-only record of what happened in a run: its events, their fold into a state, and where they are kept."""
