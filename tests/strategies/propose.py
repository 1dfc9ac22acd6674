"""A command in a language model's place: it changes one edge of the best cell so far, or of any where there is none."""

import json
import random
import sys

CELL = "|{0-1}~0|+|{0-2}~0|{1-2}~1|+|{0-3}~0|{1-3}~1|{2-3}~2|"
EDGES = ["0-1", "0-2", "1-2", "0-3", "1-3", "2-3"]

told = json.loads(sys.stdin.readline())
rng = random.Random(told["seed"] + len(told["refused"]))
good = [trial for trial in told["trials"] if trial["value"] is not None]
known = {trial["architecture"] for trial in told["trials"]} | set(told["pending"])
cells = []
for i in range(told["n"] + 8):
    cell = {edge: rng.choice(told["space"]["nodes"][edge]) for edge in EDGES}
    if good and i % 2:
        best = max(good, key=lambda trial: trial["value"])["architecture"]
        parts = [part.partition("~")[0] for part in best.replace("+", "").split("|") if part]
        edge = rng.choice(EDGES)
        cell = {**dict(zip(EDGES, parts, strict=True)), edge: cell[edge]}
    cells.append(CELL.format_map(cell))
print("Here they are:")
print(json.dumps([cell for cell in dict.fromkeys(cells) if cell not in known]))
