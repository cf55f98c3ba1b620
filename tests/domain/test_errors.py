from collections.abc import Iterator

import pytest

from aggregator.domain import errors
from aggregator.domain.errors import AggregatorError, SourceError


def _below(kind: type[AggregatorError]) -> Iterator[type[AggregatorError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _below(child)


OURS = [kind for kind in _below(AggregatorError) if kind.__module__ == errors.__name__]


def test_every_class_has_a_code_of_its_own() -> None:
    assert len({kind.code for kind in OURS}) == len(OURS)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    assert [kind.__name__ for kind in OURS if f"─ {kind.__name__} " not in f"{errors.__doc__} ".replace("\n", " ")] == [
        AggregatorError.__name__
    ]


@pytest.mark.parametrize(
    ("error", "strain"),
    [
        (errors.UnreachableError("x"), 1),
        (errors.BrokenOffError("x"), 0.25),
        (errors.ForbiddenAddressError("x"), 1),
        (errors.SlowConnectError("x"), 0.25),
        (errors.SlowFirstByteError("x"), 0.25),
        (errors.SlowTotalError("x"), 0.25),
        (errors.WireTooLargeError("x"), 1),
        (errors.RedirectError("x"), 1),
        (errors.StatusError("x", status=403), 1),
        (errors.StatusError("x", status=404), 1),
        (errors.StatusError("x", status=429), 0.25),
        (errors.StatusError("x", status=500), 0.25),
        (errors.StatusError("x", status=503), 0.25),
        (errors.StatusError("x", status=522), 0.25),
        (errors.StatusError("x", status=999), 1),
        (errors.StatusError("x"), 1),
        (errors.RobotCheckError("x", status=200), 1),
        (errors.UnreadableError("x"), 0.5),
        (errors.NoFeedError("x"), 0.5),
    ],
)
def test_what_passes_by_itself_weighs_less(error: SourceError, strain: float) -> None:
    assert error.failure_weight == strain


def test_only_what_a_person_must_mend_is_permanent() -> None:
    permanent = {kind for kind in OURS if issubclass(kind, SourceError) and kind.permanent}
    assert permanent == {errors.GoneError, errors.SignInError, errors.AccountError}
