"""Does a document try to give a model orders? The classifier's alarm, moved to what documents look like.

The head that hears attacks was trained on what users write. A manual that says "use the original packaging" sounds to it like somebody
giving orders, so its flag is raised later here. Measured (docs/retrieval.md): at the users' threshold it flags 2.4% of PubMedQA's passages
and a tenth of a help centre's; at this one 0.25% and none, and still 94% of the published attacks planted in such passages.
"""

from typing import Final, Protocol

from router.classify.heads import Alarms
from router.contract import Alarm

FLAGGED_FROM: Final = 0.9
_FLAGS_NOW: Final = 0.478
"""The score from which the head flags what users write (`heads/card.json`); scores are moved so that a document's flag lies there too."""
_CLOSEST: Final = 1e-6


class Listens(Protocol):
    """The part of the classifier that judges any text which becomes part of a prompt."""

    def alarms(self, text: str) -> Alarms:
        """Judge a text."""
        ...


def document_alarms(text: str, heads: Listens) -> Alarms:
    """Judge a text that is no request: the alarm for attacks as above, the one for harm as it is."""
    heard = heads.alarms(text)
    return Alarms(attack=_moved(heard.attack), harm=heard.harm)


def _moved(alarm: Alarm) -> Alarm:
    """Return the alarm with its odds divided by what lies between the two thresholds."""
    score = min(max(alarm.score, _CLOSEST), 1 - _CLOSEST)
    odds = score / (1 - score) / (_odds(FLAGGED_FROM) / _odds(_FLAGS_NOW))
    return Alarm(score=round(odds / (1 + odds), 4), flag=alarm.score >= FLAGGED_FROM)


def _odds(probability: float) -> float:
    return probability / (1 - probability)
