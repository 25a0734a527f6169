"""Where is context looked up in the cluster? One Serve deployment at the head, beside the indexes, asked by every ingress replica.

It exists only where the bundle names indexes. It opens an index when it is first asked for it, and again when another version of it is in
force; the embedding model is loaded with the first index that is there, so a home without indexes pays next to nothing.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol

from pydantic import TypeAdapter

from router.contract import Chunk, RetrievalPlan
from router.errors import RetrievalUnavailable
from serving.retrieval.embedder import Embedder, MiniLm
from serving.retrieval.files import read_manifest
from serving.retrieval.opened import OpenIndex
from serving.retrieval.search import Reader, Search
from serving.settings import Settings

log = logging.getLogger(__name__)

DEADLINE_SECONDS: Final = 10.0
CONTEXT_TOKENS: Final = 2400
"""What the passages of a deep look-up may take of a prompt, as `router.context.packing` counts: most of ten passages of usual size."""
_CHUNKS: Final = TypeAdapter(tuple[Chunk, ...])


class Shelf:
    """The indexes of one home, opened as they are asked for."""

    def __init__(self, indexes: Path, embedder: Embedder) -> None:
        self._indexes, self._embedder = indexes, embedder
        self._open: dict[str, tuple[str, Search]] = {}

    def look_up(self, query: str, plan: RetrievalPlan, org: str) -> tuple[Chunk, ...]:
        """Return the nearest chunks that `org` may see at the plan's clearance, best first. Raises `RetrievalUnavailable`."""
        reader = Reader(org, plan.clearance)
        (found,) = self._search(plan.index).ask([query], reader, plan.depth, plan.top_k, CONTEXT_TOKENS)
        return tuple(one.passage.chunk(plan.index, one.score) for one in found)

    def warm(self, name: str) -> None:
        """Open an index and ask it something, so that nobody waits for the model. Raises `RetrievalUnavailable`."""
        search = self._search(name)
        for _ in self._embedder.embed(["warm"]):  # Also where nothing is everybody's, and so nothing would be asked.
            search.ask(["warm"], Reader(None), "deep", 1)

    def _search(self, name: str) -> Search:
        manifest = read_manifest(self._indexes, name)
        version, search = self._open.get(name, ("", None))
        if search is None or version != manifest.version:
            search = Search(OpenIndex(self._indexes, name, self._embedder), self._embedder)
            self._open[name] = (manifest.version, search)
        return search


class RetrievalReplica:
    """The deployment. One question at a time on one thread: a look-up takes milliseconds, and the engine needs the cores."""

    def __init__(self, settings: Settings, names: tuple[str, ...]) -> None:
        self._shelf = Shelf(settings.indexes, MiniLm(settings.models, threads=1))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="retrieval")
        self._warming = asyncio.get_running_loop().create_task(self._warm(names))

    async def retrieve(self, query: str, plan: str, org: str) -> bytes:
        """Return the chunks as JSON. `plan` is a `RetrievalPlan` as JSON. Raises `RetrievalUnavailable`."""
        wanted = RetrievalPlan.model_validate_json(plan)
        loop = asyncio.get_running_loop()
        return _CHUNKS.dump_json(await loop.run_in_executor(self._thread, self._shelf.look_up, query, wanted, org))

    async def _warm(self, names: tuple[str, ...]) -> None:
        for name in names:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._shelf.warm, name)
            except RetrievalUnavailable as error:
                log.warning("%s", error)


class Remote(Protocol):
    """The part of a deployment's handle that is used."""

    @property
    def retrieve(self) -> Any:
        """Has `remote(query, plan, org)`, whose result is awaited."""
        ...


class RetrievalClient:
    """Implements `router.ports.Retriever` by asking the deployment, within a deadline."""

    def __init__(self, handle: Remote, seconds: float = DEADLINE_SECONDS) -> None:
        self._handle: Any = handle
        self._seconds = seconds

    async def retrieve(self, query: str, plan: RetrievalPlan, org: str) -> tuple[Chunk, ...]:
        """Return the nearest chunks that `org` may see at the plan's clearance, best first. Raises `RetrievalUnavailable`.

        Whatever the cluster raises on the way is one, too: no answer may be given as if there had been nothing to find.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return _CHUNKS.validate_json(await self._handle.retrieve.remote(query, plan.model_dump_json(), org))
        except TimeoutError as error:
            raise RetrievalUnavailable(f"index {plan.index} did not answer within {self._seconds:g} s") from error
        except Exception as error:
            raised = getattr(error, "cause", error)  # Ray hands the replica's own error on inside its own.
            because = str(raised) if isinstance(raised, RetrievalUnavailable) else type(raised).__name__
            raise RetrievalUnavailable(f"index {plan.index} did not answer ({because})") from error
