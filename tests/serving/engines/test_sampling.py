"""The chooser's tokens follow OpenAI's parameters, and a seed means the same whatever else runs."""

import threading

import torch

from serving.engines.transformers_engine.sampling import Chooser, Sampling

SCORES = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
NO_IDS = torch.zeros((1, 0), dtype=torch.long)


def draws(sampling: Sampling, times: int = 200) -> list[int]:
    chooser = Chooser(sampling, rows=1, first_row=0, device=torch.device("cpu"))
    return [int(chooser(NO_IDS, SCORES).argmax()) for _ in range(times)]


def test_temperature_zero_takes_the_likeliest() -> None:
    assert set(draws(Sampling(temperature=0))) == {0}


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    assert set(draws(Sampling(top_p=0.4, seed=1))) == {0}
    assert set(draws(Sampling(top_p=0.75, seed=1))) == {0, 1}
    assert set(draws(Sampling(top_p=1.0, seed=1), 500)) == {0, 1, 2, 3}


def test_top_k_keeps_so_many() -> None:
    assert set(draws(Sampling(top_k=3, seed=1), 500)) == {0, 1, 2}


def test_sampling_follows_the_probabilities() -> None:
    drawn = draws(Sampling(seed=3), 4000)
    assert abs(drawn.count(0) / 4000 - 0.5) < 0.04


def test_bias_moves_and_bans() -> None:
    assert set(draws(Sampling(temperature=0, logit_bias={3: 100.0}))) == {3}
    assert 0 not in draws(Sampling(seed=1, logit_bias={0: -100.0}))


def test_penalties_count_what_was_chosen() -> None:
    assert draws(Sampling(temperature=0, presence_penalty=2.0), 4) == [0, 1, 2, 0]
    assert draws(Sampling(temperature=0, frequency_penalty=2.0), 4)[:2] == [0, 1]


def test_seeds_repeat_and_rows_differ() -> None:
    assert draws(Sampling(seed=7)) == draws(Sampling(seed=7))
    assert draws(Sampling(seed=7)) != draws(Sampling(seed=8))
    assert draws(Sampling()) != draws(Sampling())
    chooser = Chooser(Sampling(seed=7), rows=2, first_row=0, device=torch.device("cpu"))
    both = [chooser(NO_IDS, SCORES.repeat(2, 1)).argmax(dim=-1).tolist() for _ in range(50)]
    assert [row[0] for row in both] == draws(Sampling(seed=7), 50)
    assert [row[0] for row in both] != [row[1] for row in both]


def test_seed_holds_while_others_sample() -> None:
    alone = draws(Sampling(seed=7), 500)
    done = threading.Event()

    def disturb() -> None:
        while not done.is_set():
            draws(Sampling(), 10)

    other = threading.Thread(target=disturb)
    other.start()
    try:
        assert draws(Sampling(seed=7), 500) == alone
    finally:
        done.set()
        other.join()


def test_scores_are_before_temperature_and_bias() -> None:
    chooser = Chooser(
        Sampling(temperature=0, logit_bias={3: 100.0}, top_logprobs=2), rows=1, first_row=0, device=torch.device("cpu")
    )
    chooser(NO_IDS, SCORES)
    score = chooser.chosen[0]
    assert score is not None
    assert abs(score.logprob - float(SCORES[0, 3])) < 1e-5
    assert [token for token, _ in score.top] == [0, 1]
