import numpy as np

from loadtest.benchmarks import quality


def test_every_photograph_has_a_truth_of_its_size() -> None:
    assert len(quality.PHOTOGRAPHS) == 28
    for photograph in quality.PHOTOGRAPHS[:2]:
        alpha = quality.truth(photograph.stem)
        assert 0 < alpha.mean() < 1


def test_a_cutout_is_good_when_its_edge_is_close_and_nothing_is_missing() -> None:
    true = np.zeros((200, 200))
    true[50:150, 50:150] = 1
    assert quality.is_good(true, true)
    assert not quality.is_good(np.roll(true, 4, axis=0), true)
    holed = true.copy()
    holed[90:110, 90:110] = 0
    assert not quality.is_good(holed, true)
