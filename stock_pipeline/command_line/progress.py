"""A progress bar while stages are executed; where there is no terminal, a line for each that ends."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from stock_pipeline.command_line.tables import console, outcome_of
from stock_pipeline.orchestration.progress import Began, Ended, Event, Listener, Noted, Stopped


class RunWatcher:
    """A progress bar over the stages of a run; where there is no terminal, a line for each that ends."""

    def __init__(self, stages: int, listener: Listener | None = None, quiet: bool = False) -> None:
        self.ended: list[Ended] = []
        self.stopped: list[Stopped] = []
        self.notes: dict[str, str] = {}
        self._listener = listener
        self._quiet = quiet
        self._progress = Progress(
            TextColumn("[bold]{task.fields[asset]:<32}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task("run", total=stages, asset="starting", note="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show one event, and pass it on."""
        if self._listener is not None:
            self._listener(event)
        if isinstance(event, Began):
            self._progress.update(self._task, asset=event.asset, note="")
        elif isinstance(event, Noted):
            self.notes[event.asset] = event.note
            self._progress.update(self._task, asset=event.asset, note=event.note)
        elif isinstance(event, Stopped):
            self.stopped.append(event)
        else:
            self.ended.append(event)
            self._progress.advance(self._task)
            if not self._quiet and not console.is_terminal:
                console.print(f"{event.asset}: {outcome_of(event)}, {event.rows:,} rows, {event.seconds:.1f} s", highlight=False)
