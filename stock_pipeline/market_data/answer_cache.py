"""Answers of live sources, kept on disk until they are in the store, so that a run that was killed does not ask for them again."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.layout import Layout
from stock_pipeline.market_data.sources.source import FRAMES, Answer, MarketData, Request, Source


@dataclass(frozen=True)
class Landing:
    """The cached answers of one night, under ``home``."""

    home: Path
    night: date

    @property
    def folder(self) -> Path:
        """The folder of the night's answers."""
        return Layout(self.home).answers / self.night.isoformat()

    def ask(self, source: Source, requests: Sequence[Request]) -> Iterator[Answer]:
        """The source's answers: first those in the cache, then those to the other requests, each cached as it arrives."""
        if source.is_archive:
            yield from source.fetch(requests)
            return
        missing = []
        for request in requests:
            landed = self._read(source.name, request)
            if landed is None:
                missing.append(request)
            else:
                yield Answer(landed)
        if not missing:
            return
        asked = {request.symbol: request for request in missing}
        for answer in source.fetch(missing):
            last = answer.data.bars.sort(SESSION).tail(1)
            # A stale answer is worth asking for again.
            if last.height and not answer.failures and last[SESSION][0] == asked[last[SYMBOL][0]].last:
                self._write(source.name, asked[last[SYMBOL][0]], answer.data)
            yield answer

    def clear(self, committed: date | None) -> None:
        """Delete the answers of nights that are in the store, and of nights before this one, whose requests will not be repeated."""
        root = Layout(self.home).answers
        for folder in root.iterdir() if root.is_dir() else ():
            if not folder.is_dir():
                continue  # not of our making
            if folder.name < self.night.isoformat() or (committed is not None and folder.name <= committed.isoformat()):
                shutil.rmtree(folder)
        with suppress(OSError):  # another night's answers are still there
            root.rmdir()

    def _place(self, source: str, request: Request) -> Path:
        # A hash, because a symbol may be any text and must never choose a path.
        text = "\0".join((source, request.symbol, request.first.isoformat(), request.last.isoformat(), str(request.about)))
        return self.folder / hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]

    def _write(self, source: str, request: Request, data: MarketData) -> None:
        place = self._place(source, request)
        self.folder.mkdir(parents=True, exist_ok=True)
        # A name of its own, because another run may be landing the same answer.
        unfinished = Path(tempfile.mkdtemp(prefix=".", dir=self.folder))
        for name in FRAMES:
            getattr(data, name).write_parquet(unfinished / f"{name}.parquet")
        try:
            unfinished.rename(place)  # all or nothing
        except OSError:
            shutil.rmtree(unfinished)
            if not place.is_dir():  # else another run has landed it meanwhile
                raise

    def _read(self, source: str, request: Request) -> MarketData | None:
        place = self._place(source, request)
        if not place.is_dir():
            return None
        return MarketData(*(pl.read_parquet(place / f"{name}.parquet", glob=False) for name in FRAMES))
