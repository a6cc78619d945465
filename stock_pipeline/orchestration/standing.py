"""How stages stand before they are executed: what they have reached, and what has changed since they looked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from stock_pipeline.orchestration.stage import Stage
from stock_pipeline.storage import Stores
from stock_pipeline.storage.audit import Progress, Seen, Watermark


@dataclass(frozen=True)
class Standing:
    """How a stage stands before its execution."""

    seen: Seen  # the last writes to the stores
    held: Watermark | None
    market_session: date | None
    changed: date | None  # the earliest session of its upstream rows that have changed since it looked
    progress: Progress


def standings(stages: Sequence[Stage], stores: Stores) -> dict[str, Standing]:
    """How each stage stands, by name. A standing that others' writes have outdated does no harm: the next execution sees them as news."""
    with stores.shared_readers():
        return {
            stage.name: Standing(
                seen=stores.seen(),
                held=stores.watermark(stage.store, stage.name),
                market_session=stores.market_session(),
                changed=stores.changed_from(stage.news, stage.store, stage.name),
                progress=stores.progress_of(stage.store, stage.name, stage.tables),
            )
            for stage in stages
        }
