"""What takes too long, or has been told to stop: the typed errors that the body sees."""

import time

from anabranch.engine.failures import left_by
from anabranch.engine.nodes import Invocation, options_of
from anabranch.errors import Cancelled, QueueTimeout, RunStopping, StepTimeout


def translated(node: Invocation, error: BaseException, started: float) -> BaseException:
    """Signals and time-outs as the typed errors that the body sees."""
    if isinstance(error, RunStopping) or (
        node.cancelling and type(error).__name__ == "CancelledError"
    ):
        return Cancelled("the step was cancelled", node.name, "submit it again if it is needed")
    timeout = options_of(node).timeout
    if isinstance(error, TimeoutError) and timeout and time.perf_counter() - started >= timeout:
        return _timed_out(node, timeout, "and was stopped")
    return error if isinstance(error, Exception) else left_by(error, node.name)


def check_time(node: Invocation, started: float) -> None:
    """A sync inline step cannot be interrupted; that it overran is recorded all the same."""
    timeout, took = options_of(node).timeout, time.perf_counter() - started
    if timeout is not None and took > timeout:
        raise _timed_out(
            node, timeout, f"for {took:.3g} s: a sync inline step cannot be interrupted"
        )


def _timed_out(node: Invocation, timeout: float, how: str) -> StepTimeout:
    return StepTimeout(
        f"the step ran longer than its timeout of {timeout:g} s, {how}",
        node.name,
        "raise the timeout, or make the step faster, async or isolated",
    )


def queued_too_long(node: Invocation, seconds: float) -> QueueTimeout:
    """For a call that did not get to run in its `queue_timeout`."""
    return QueueTimeout(
        f"the step waited longer than its queue_timeout of {seconds:g} s for its turn",
        node.name,
        "raise the queue_timeout, or let more run at once: max_concurrency",
    )
