import pytest

from reidctl.cli.reranking import chosen_reranking, evaluation_device
from reidctl.config import Rerank
from reidctl.errors import ConfigError

OWN = Rerank(k1=9, k2=4, lambda_value=0.5)


@pytest.mark.parametrize(
    ("own", "asked", "given", "wanted"),
    [
        (None, False, (None, None, None), None),
        (None, True, (None, None, None), Rerank()),
        (None, True, (7, None, 0.0), Rerank(k1=7, lambda_value=0.0)),
        (OWN, False, (None, None, None), OWN),
        (OWN, True, (None, None, None), OWN),
        (OWN, False, (None, 2, None), Rerank(k1=9, k2=2, lambda_value=0.5)),
    ],
)
def test_options_are_laid_over_what_the_model_was_trained_with(
    own: Rerank | None, asked: bool, given: tuple, wanted: Rerank | None
) -> None:
    assert chosen_reranking(own, asked, *given) == wanted


def test_parameters_without_re_ranking_are_refused() -> None:
    with pytest.raises(ConfigError, match="--k1, --k2 and --lambda are parameters of re-ranking"):
        chosen_reranking(None, False, None, None, 0.1)


@pytest.mark.parametrize(
    ("device", "wanted"), [("cuda", "cuda"), ("cuda:1", "cuda:1"), ("auto", "cpu"), ("CPU", "cpu"), ("GPU.0", "cpu")]
)
def test_distances_are_computed_on_the_gpu_that_is_named(device: str, wanted: str) -> None:
    assert evaluation_device(device) == wanted
