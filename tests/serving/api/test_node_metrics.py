import threading
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from serving.api.node_metrics import server


def test_it_answers_for_metrics_and_nothing_else() -> None:
    with server(0, "127.0.0.1") as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{listening.server_port}"
        try:
            with urlopen(f"{address}/metrics", timeout=10) as answer:
                text = answer.read()
            with pytest.raises(HTTPError) as refused:
                urlopen(f"{address}/", timeout=10)
            refused.value.close()
        finally:
            listening.shutdown()
            thread.join()

    assert b"lane_requests_total" in text
