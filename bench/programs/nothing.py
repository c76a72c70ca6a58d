"""The floor of a whole process: Python starts and ends."""
