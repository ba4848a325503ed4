import signal
import threading

import pytest

from reidctl.training.interrupt import Interrupt


def test_the_first_interrupt_is_noted_and_the_second_one_interrupts() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        assert not interrupt.wanted
        signal.raise_signal(signal.SIGINT)
        assert interrupt.wanted
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_is_changed_outside_the_main_thread() -> None:
    found = []

    def enter() -> None:
        with Interrupt() as interrupt:
            found.append(interrupt.wanted)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [False]
