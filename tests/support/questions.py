"""Many questions to one image while both cores are busy: every answer must be whole."""

import contextlib
import multiprocessing
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

ASKERS = 2


def _burn() -> None:
    while True:
        sum(range(100_000))


@contextlib.contextmanager
def busy_cores():
    burners = [
        multiprocessing.Process(target=_burn, daemon=True) for _ in range(os.cpu_count() or 2)
    ]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()


def count_answers(mounted, questions: int) -> Counter[int]:
    """Ask for the list of packages so often; return how often each number of lines came back."""
    with busy_cores(), ThreadPoolExecutor(ASKERS) as pool:
        texts = pool.map(lambda _: mounted.read("rpm", "--query", "--all"), range(questions))
        return Counter(len(text.splitlines()) for text in texts)
