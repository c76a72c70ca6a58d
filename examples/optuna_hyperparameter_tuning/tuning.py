"""Hyperparameter search with Optuna: it says what to try next, Anabranch runs the trials and keeps what came of them.

The body of the pipeline holds an ordinary Optuna study. It *asks* for a few trials, submits them as steps that run side
by side, and *tells* the study how they ended; the next ones depend on that. The search stops when a round has brought
nothing, so how many trials there are is decided by their losses. Some learning rates are too bold and their training
diverges: that is an exception of a step, which the body catches and tells as a failed trial.

    pip install optuna
    python examples/optuna_hyperparameter_tuning/tuning.py
    anabranch run examples/optuna_hyperparameter_tuning/tuning.py -p rounds=10 -p width=8

Stop it in the middle with Ctrl-C, or kill it; `anabranch resume latest` goes on. The study itself is stored nowhere and
need not be: the body is executed again, the sampler has its seed, and every finished trial answers from the journal at
once. So the study asks and is told the same again, up to the first trial that had not ended.
"""

import math
import random
import time

import optuna

from anabranch import Artifact, StepFuture, log_metadata, pipeline, step

optuna.logging.set_verbosity(optuna.logging.WARNING)

Point = tuple[float, float, int]
Parameters = dict[str, float]

SPACE: dict[str, optuna.distributions.BaseDistribution] = {
    "rate": optuna.distributions.FloatDistribution(1e-3, 100.0, log=True),
    "momentum": optuna.distributions.FloatDistribution(0.0, 0.95),
    "decay": optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True),
}


class Diverged(Exception):
    """The loss of a training grew beyond all bounds."""


@step
def make_points(count: int, seed: int) -> list[Point]:
    """Two clouds of points that overlap."""
    drawn = random.Random(seed)
    return [
        (drawn.gauss(2.0 * kind, 1.0), drawn.gauss(-1.0 * kind, 1.0), kind)
        for kind in (0, 1)
        for _ in range(count // 2)
    ]


@step
def split(points: list[Point], seed: int) -> tuple[list[Point], list[Point]]:
    """For training, and for judging what was trained."""
    shuffled = random.Random(seed).sample(points, len(points))
    return shuffled[len(points) // 4 :], shuffled[: len(points) // 4]


@step
def train(parameters: Parameters, training: list[Point], judging: list[Point]) -> float:
    """Trains a logistic regression by gradient descent; returns its loss. Raises `Diverged`."""
    time.sleep(0.1)  # a real training would take longer
    weights, moving = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    for _ in range(40):
        slope = gradient(weights, training, parameters["decay"])
        for i in range(3):
            moving[i] = parameters["momentum"] * moving[i] - parameters["rate"] * slope[i]
            weights[i] += moving[i]
        if max(map(abs, weights)) > 30:
            raise Diverged(f"weights of {max(map(abs, weights)):.0f}")
    loss = sum(surprise(weights, point) for point in judging) / len(judging)
    log_metadata(loss=loss, **parameters)
    return loss


@step
def report(best: Parameters, loss: float, trials: int, failed: int) -> str:
    """The outcome in words."""
    told = ", ".join(f"{name} {value:.4g}" for name, value in sorted(best.items()))
    text = f"loss {loss:.4f} with {told}\n  ({trials} trials, {failed} of them diverged)"
    print(text)
    return text


@pipeline
def tuning(rounds: int = 8, width: int = 4, patience: int = 2, seed: int = 7) -> Artifact[str]:
    """Rounds of `width` trials at once, until `patience` of them have brought nothing."""
    training, judging = split(make_points(200, seed), seed)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=width)
    )
    best, idle = math.inf, 0
    while idle < patience and len(study.trials) < rounds * width:
        trials = [study.ask(SPACE) for _ in range(width)]
        futures = [train.submit(trial.params, training, judging) for trial in trials]
        for trial, future in zip(trials, futures, strict=True):
            tell(study, trial, future)
        improved = study.best_value < best - 1e-3
        best, idle = study.best_value, 0 if improved else idle + 1
    failed = study.get_trials(states=[optuna.trial.TrialState.FAIL])
    return report(study.best_params, study.best_value, len(study.trials), len(failed))


def tell(study: optuna.Study, trial: optuna.Trial, future: StepFuture[float]) -> None:
    """The study learns how a trial ended: by its loss, or as failed."""
    try:
        study.tell(trial, future.load())
    except Diverged:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)


def gradient(weights: list[float], points: list[Point], decay: float) -> list[float]:
    """Of the mean loss over the points."""
    total = [decay * weight for weight in weights]
    for x, y, kind in points:
        error = (likelihood(weights, x, y) - kind) / len(points)
        total = [total[0] + error, total[1] + error * x, total[2] + error * y]
    return total


def likelihood(weights: list[float], x: float, y: float) -> float:
    """That a point is of the second kind."""
    score = weights[0] + weights[1] * x + weights[2] * y
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, score))))


def surprise(weights: list[float], point: Point) -> float:
    """How little a point was expected, in nats."""
    x, y, kind = point
    chance = likelihood(weights, x, y)
    return -math.log(max(1e-9, chance if kind else 1 - chance))


if __name__ == "__main__":
    tuning()
