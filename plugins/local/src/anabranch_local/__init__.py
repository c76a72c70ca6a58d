"""The backend of this machine: drivers in the calling process, artifacts in a folder, runs in a SQLite file."""
