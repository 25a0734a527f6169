"""The deep scan's own process: reads questions on stdin, answers on stdout, one at a time; ends with its parent or its stdin.

Started by `serving.deep.scanner` as `python -m serving.deep.worker`. It has no keys, no socket and no file to write.
"""

import argparse
import sys
from typing import Any, BinaryIO

from serving.deep.reader import stay_off_the_network
from serving.deep.wire import encode_findings
from serving.frames import encode, only_for_frames, read_frame
from serving.processes import die_with_parent


def main() -> None:
    """Load, say so, and answer until the other side closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    die_with_parent(parser.parse_args().parent)
    stay_off_the_network()
    answers = only_for_frames()
    answer_all(sys.stdin.buffer, answers)


def answer_all(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer every question. A text that can't be read fails its own question and no other."""
    # Loaded after the network is shut, so that nothing in them can call home while it is imported.
    from serving.deep.findings import findings_in
    from serving.deep.forest import Forest
    from serving.deep.reader import Reader

    reader, forest = Reader(), Forest.load()
    findings_in(reader.read("Ada Moore moved to Leeds in May; mail ada@moore.example"), forest)
    _say(answers, encode({"ready": True}))
    while (question := read_frame(questions)) is not None:
        _say(answers, _answer(question, lambda text: findings_in(reader.read(text), forest)))


def _answer(question: Any, scan: Any) -> bytes:
    """Whatever the libraries raise becomes the answer's failure: the asker keeps the text. Its type alone is told, never its words."""
    try:
        return encode_findings([scan(text) for text in question["texts"]])
    except Exception as error:  # noqa: BLE001
        return encode({"failed": type(error).__name__})


def _say(answers: BinaryIO, frame: bytes) -> None:
    answers.write(frame)
    answers.flush()


if __name__ == "__main__":
    main()
