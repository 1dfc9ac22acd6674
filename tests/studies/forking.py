"""Forks servers of the arguments, so that imports are paid for once: each line on stdin names the folder of its pipes.

The server reads `requests` there and writes `replies`; its process id is printed.
"""

import os
import signal
import sys

import nag_jax.studies.serving
import nag_jax.studies.tools  # noqa: F401
from experiments import runs, serve  # noqa: F401

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for folder in iter(sys.stdin.readline, ""):
    pid = os.fork()
    if not pid:
        os.dup2(os.open(f"{folder.strip()}/requests", os.O_RDONLY), 0)
        os.dup2(os.open(f"{folder.strip()}/replies", os.O_WRONLY), 1)
        sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115
        serve.start(sys.argv[1:])
    print(pid, flush=True)
