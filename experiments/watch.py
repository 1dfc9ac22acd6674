"""`python -m experiments.watch RUN`: a live page of a run, at an address of this machine alone.

While the run is at work the page shows its phases, labels, best so far, front and workers, and loads itself again every
few seconds; once the run has ended it is the run's report. Nothing but the run's own files is read, and nothing is
written. Ctrl-C ends it.
"""

import argparse
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from nag_jax.reports.page import live, page
from nag_jax.reports.page.finished import read
from nag_jax.system import started
from nag_jax.system.errors import InputError

from . import command_line

LOOPBACK = "127.0.0.1"
_SECONDS = 3
"""After which a page of a run at work loads itself again."""


def main(arguments: list[str] | None = None) -> None:
    """Serves the page until it is interrupted; exits with 2 and one line where the input is wrong."""
    parser = argparse.ArgumentParser(
        prog=started.usage_of("experiments.watch"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="workdir of a run, as runs/nb201")
    parser.add_argument("--port", type=int, default=0, help="the port; by default a free one")
    given = parser.parse_args(arguments)
    try:
        page_of(given.run)
        with make_server(given.run, given.port) as server:
            print(f"watching {given.run} at http://{LOOPBACK}:{server.server_address[1]}/", flush=True)
            server.serve_forever(poll_interval=0.2)
    except InputError as error:
        command_line.fail(str(error))


def page_of(run: Path) -> tuple[str, bool]:
    """The page of a run, and whether the run is still at work.

    Raises:
        InputError: it isn't a run, or nothing has happened in it yet.
    """
    if (run / "results.json").is_file() and not _goes_on(run):
        return page.render([read(run)]), False
    return live.render(run), True


def _goes_on(run: Path) -> bool:
    """Whether a run that had ended was started again: it has events that are newer than its results."""
    events = run / live.NAME
    return events.is_file() and events.stat().st_mtime > (run / "results.json").stat().st_mtime + _SECONDS


def make_server(run: Path, port: int = 0) -> ThreadingHTTPServer:
    """The server of a run's page, on the loopback address.

    Raises:
        InputError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            # A name that somebody points here would let their page read this one.
            if self.headers.get("Host", "").partition(":")[0] not in (LOOPBACK, "localhost") or self.path != "/":
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            try:
                text, at_work = page_of(run)
            except InputError as error:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain=str(error))
                return
            content = text.encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            if at_work:
                self.send_header("Refresh", str(_SECONDS))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format, *arguments):
            """Nothing is logged: a page that loads itself again says nothing new."""

    try:
        return ThreadingHTTPServer((LOOPBACK, port), Handler)
    except (OSError, OverflowError) as error:
        raise InputError(f"port {port} can't be listened to ({error}): name another with --port") from error


if __name__ == "__main__":
    with command_line.ending("experiments.watch", goes_on=False):
        main()
