"""Rows as a year of work leaves them: seed.py DATABASE USER PROJECTS DEPLOYMENTS"""
import sqlite3
import sys
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def body(number):
    digits = ""
    for _ in range(16):
        digits += ALPHABET[number % 32]
        number //= 32
    return digits


path, user, projects, deployments = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
db = sqlite3.connect(path)
team = db.execute("SELECT team_id FROM users WHERE id = ?", (user,)).fetchone()[0]
now = int(time.time() * 1000)
source = '{"git_url":null,"branch":null,"root_dir":"/"}'
build = (
    '{"builder":"auto","dockerfile":"Dockerfile","install_command":null,"build_command":null,'
    '"start_command":null,"output_dir":null,"timeout_seconds":1800}'
)
runtime = (
    '{"port":null,"instances":1,"cpu_millis":1000,"memory_mb":512,"healthcheck":{"path":"/",'
    '"expect":"200-399","interval_seconds":5,"timeout_seconds":5,"grace_seconds":60}}'
)
by = '{"type":"user","id":"%s","name":"Bench","user_id":"%s"}' % (user, user)
for p in range(projects):
    db.execute(
        "INSERT INTO projects (id, team_id, name, region, source, build, runtime, auto_deploy,"
        " preview_deployments, keep_images, network_index, created_at, updated_at)"
        " VALUES (?,?,?,?,?,?,?,1,0,5,?,?,?)",
        ("prj_" + body(p + 1), team, f"bench-{p}", "local", source, build, runtime, p, now, now),
    )
for d in range(deployments):
    project = d % projects
    db.execute(
        "INSERT INTO deployments (id, project_id, state, target, trigger, promote, git_url, root_dir,"
        " clear_cache, hostname, run_state, created_by, created_at, started_at, finished_at, live_at)"
        " VALUES (?,?,'ready','production','api',1,'https://example.com/r.git','/',0,?,'stopped',?,?,?,?,?)",
        ("dep_" + body(d + 1), "prj_" + body(project + 1), f"bench-{project}-dep{body(d + 1)[:8]}.localhost", by, now, now, now, now),
    )
db.commit()
