"""The floor of a durable step: N commits of one small row to SQLite in WAL mode, one after another."""

import json
import sqlite3
import sys
import time

count = int(sys.argv[1])
synchronous = sys.argv[2] if len(sys.argv) > 2 else "NORMAL"
db = sqlite3.connect("floor.db", isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute(f"PRAGMA synchronous = {synchronous}")
db.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, body TEXT)")
started = time.perf_counter()
for number in range(count):
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO rows VALUES (?, ?)", (number, "x" * 400))
    db.execute("COMMIT")
print(json.dumps({"each_ms": (time.perf_counter() - started) / count * 1e3}))
