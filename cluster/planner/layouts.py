"""Which layouts of a model fit a node's GPUs, how fast is each by the roofline, and what are the others short of?"""

from cluster.planner.capacity import Option
from cluster.planner.efficiencies import calibration
from cluster.planner.remembered import Remembered
from cluster.planner.replica import EngineLimits
from cluster.planner.roofline import roofline
from models.catalogue import Entry
from models.fit import Fit, NoLayout, Wish, fit, layouts
from models.gpus import Gpu
from models.memory import GIB, Layout


def reckoned(entry: Entry, gpu: Gpu, most: int, wish: Wish) -> tuple[list[Option], list[tuple[str, str]]]:
    """Return each power of two of GPUs up to a node's that fits; pipelines only where tensor parallelism alone does not."""
    fits, unfit = _fits(entry, gpu, most, wish, pipelines=False)
    if not fits:
        fits, more = _fits(entry, gpu, most, wish, pipelines=True)
        unfit += more
    options = [
        Option(
            layout=one.layout.name,
            gpus=one.layout.gpus,
            times=Remembered(roofline(entry.name, entry.architecture, gpu, one, calibration())),
            limits=EngineLimits(max_batched_tokens=wish.batched_tokens),
        )
        for one in fits
    ]
    return options, unfit


def _fits(entry: Entry, gpu: Gpu, most: int, wish: Wish, *, pipelines: bool) -> tuple[list[Fit], list[tuple[str, str]]]:
    fits, unfit = [], []
    for layout in layouts(entry.architecture, 1 << (most.bit_length() - 1)):
        match layout:
            case NoLayout(impossible, because):
                if (impossible.pipeline > 1) == pipelines:
                    unfit.append((impossible.name, because))
            case Layout() if (layout.pipeline > 1) == pipelines:
                found = fit(entry.architecture, gpu, layout, wish)
                if found.fits:
                    fits.append(found)
                else:
                    unfit.append((layout.name, _short(found)))
            case Layout():
                pass
    return fits, unfit


def _short(found: Fit) -> str:
    return (
        f"{found.short_bytes / GIB:.1f} GiB a GPU are missing for one request of {found.wish.context:,} tokens beside "
        f"{found.weights.gib:.1f} GiB of weights"
    )
