"""Dagster's web server behind the guard: ``python -m stock_pipeline.orchestration.web_server`` with the options of dagster-webserver."""

from typing import Final

from dagster_webserver import app as dagster_app
from dagster_webserver import cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware

from stock_pipeline.orchestration.web_guard import Guard

HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class GuardedWebserver(DagsterWebserver):  # type: ignore[type-arg]
    """Dagster's web server, with the guard in front of every route."""

    def build_middleware(self) -> list[Middleware]:
        """The guard, then the middleware of Dagster."""
        return [Middleware(Guard, hosts=HOSTS), *super().build_middleware()]


def main() -> None:
    """Serve as dagster-webserver does, which makes its application from the class of this name."""
    setattr(dagster_app, "DagsterWebserver", GuardedWebserver)  # noqa: B010  (which it does not export)
    cli.main()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
