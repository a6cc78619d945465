"""A progress bar while stages are executed; where there is no terminal, a line for each that ends."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from stock_pipeline.command_line.tables import outcome_of
from stock_pipeline.command_line.terminal import say, terminal
from stock_pipeline.command_line.text import plain
from stock_pipeline.orchestration.progress import Blocked, Event, Finished, Listener, Progressed, Started

BAR_WIDTH = 12  # leaves room for a note at 80 columns


class RunWatcher:
    """A progress bar over the stages of a run; where there is no terminal, a line for each that ends."""

    def __init__(self, stages: int, listener: Listener | None = None, quiet: bool = False) -> None:
        self.ended: list[Finished] = []
        self.stopped: list[Blocked] = []
        self.notes: dict[str, str] = {}
        self._listener = listener
        self._console = terminal()
        self._quiet = quiet
        self._progress = Progress(
            TextColumn("{task.fields[asset]:<30}", style="bold", markup=False),
            BarColumn(BAR_WIDTH),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._progress.add_task("run", total=stages, asset="starting", note="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Pass one event to the listener, then show it."""
        if self._listener is not None:
            self._listener(event)
        if isinstance(event, Started):
            self._progress.update(self._task, asset=plain(event.asset), note="")
        elif isinstance(event, Progressed):
            self.notes[event.asset] = event.note
            self._progress.update(self._task, asset=plain(event.asset), note=plain(event.note))
        elif isinstance(event, Blocked):
            self.stopped.append(event)
        else:
            self.ended.append(event)
            self._progress.advance(self._task)
            if not self._quiet and not self._console.is_terminal:
                say(f"{event.asset}: {outcome_of(event)}, {event.rows:,} rows, {event.seconds:.1f} s")
