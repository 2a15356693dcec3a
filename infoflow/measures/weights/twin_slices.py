r"""What log|c₁₁| looks like in a layer of independent random weights, in closed form.

The twin has the layer's number of slices n and its own standard deviation s, the root mean
square of its N weights that are not zero (t = N/n of them a slice). Because s comes from the
same kernel, every statistic here is free of scale.

Mean. By the delta method, with L = log|w| and X = (w²/s² − 1)/2 (the influence of log s),
n·Var(mean L − log s) = Var L + (Var X − 2 Cov(L, X))/t:

- Gaussian: Var L = π²/8, Var X = Cov(L, X) = 1/2, so π²/8 − 1/(2t);
- uniform: Var L = 1, Var X = 1/5, Cov(L, X) = 1/3, so 1 − 7/(15t).

Spread. Var(log of the sample standard deviation of L) = (κ + 2)/(4n), where the excess kurtosis κ
of L is ψ‴(½)/16 / (π²/8)² = 4 for the Gaussian and 6 for the uniform (−L is exponential then);
its mean is −(κ + 2)/(4n) off log of the true one.

Share of outliers. Tukey's low fence is F = 2.5 q₁ − 1.5 q₃ (there are no high outliers), the share
p = P(L < F); since quartiles are estimated, the influence of a value l is
1{l < F} − p + f(F)·(2.5 (¼ − 1{l ≤ q₁})/f(q₁) − 1.5 (¾ − 1{l ≤ q₃})/f(q₃)), whose variance
is n·Var of the share.

Few slices. All three are skewed, so a plain standard score passes −4 (or 4) more often than a
normal one. `Score.scaled` divides the heavy side by a factor, fitted to the quantile at
3.2e-5 of 3·10⁴ (n = 4096) to 1.5·10⁶ (n = 16) draws at eleven n from 4 to 4096 and t from 1 to
49, that makes ±4 as rare as for a normal variable, or rarer; 5 % is the fit's error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

EULER = float(np.euler_gamma)
FEWEST_SLICES = 4
"""Below this many slices there are no quartiles to speak of."""


@dataclass(frozen=True)
class Score:
    """A distance from the twin.

    ``plain`` is in standard errors. ``scaled`` is what the report shows: the same, with the
    side of the distribution that has the heavier tail drawn in, so that beyond ±4 lie at most
    1 in 10,000 random layers.
    """

    plain: float
    low_factor: float = 1.0
    high_factor: float = 1.0

    @property
    def scaled(self) -> float:
        """The calibrated score."""
        return self.plain / (self.low_factor if self.plain < 0 else self.high_factor)


@dataclass(frozen=True)
class SliceTwin:
    """Moments and quantiles of log|w| for independent weights of standard deviation one.

    Args:
        family: ``normal`` or ``uniform``.
        mean: Of log|w|.
        spread: Its standard deviation.
        kurtosis: Its excess kurtosis.
        quartiles: Its quartiles.
        outlier_share: P(log|w| below Tukey's low fence), at infinitely many slices.
        share_bias: n times the excess of the expected share at n slices (fitted, ± 0.02).
        share_variance: n times the variance of the share, of the influence function above.
        mean_own: 2 Cov(L, X) − Var X: what the own scale takes from n·t times the variance.
        mean_bias: N times E[mean L − log s] over ``mean``: a quarter of the variance of w²/s².
        mean_skew: Of the fitted low factor 1 + (a + b/t)/√n of the mean: (a, b).
    """

    family: str
    mean: float
    spread: float
    kurtosis: float
    quartiles: tuple[float, float, float]
    outlier_share: float
    share_bias: float
    share_variance: float
    mean_own: float
    mean_bias: float
    mean_skew: tuple[float, float]

    def expected_share(self, slices: int) -> float:
        """Expected share of outliers among so many slices."""
        return self.outlier_share + self.share_bias / slices

    def mean_score(self, mean: float, log_scale: float, slices: int, weights: int) -> Score:
        """Score of the mean of log|c₁₁|, for the own scale of so many weights."""
        t = weights / slices
        variance = (self.spread**2 - self.mean_own / t) / slices
        expected = log_scale + self.mean + self.mean_bias / weights
        a, b = self.mean_skew
        return Score(
            (mean - expected) / math.sqrt(variance), low_factor=1 + (a + b / t) / math.sqrt(slices)
        )

    def spread_score(self, spread: float, slices: int) -> Score:
        """Score of the sample standard deviation of log|c₁₁|, on a logarithmic scale."""
        variance = (self.kurtosis + 2) / (4 * slices)
        plain = (math.log(spread / self.spread) + variance) / math.sqrt(variance)
        factor = 1.07 + 1 / slices
        return Score(plain, factor, factor)

    def share_score(self, share: float, slices: int) -> Score:
        """Score of the share of Tukey outliers."""
        error = math.sqrt(self.share_variance / slices)
        plain = (share - self.expected_share(slices)) / error
        return Score(plain, high_factor=1 + 3 / math.sqrt(slices))


GAUSSIAN = SliceTwin(
    family="normal",
    mean=-(EULER + math.log(2)) / 2,
    spread=math.pi / math.sqrt(8),
    kurtosis=4.0,
    # log of the 5/8, 3/4 and 7/8 quantiles of N(0, 1).
    quartiles=(-1.1436953362, -0.3937987996, 0.1400657053),
    outlier_share=0.0370499666,
    share_bias=0.17,
    share_variance=0.0410343447,
    mean_own=0.5,
    mean_bias=0.5,
    mean_skew=(1.1, 0.35),
)

UNIFORM = SliceTwin(
    family="uniform",
    mean=math.log(3) / 2 - 1,
    spread=1.0,
    kurtosis=6.0,
    quartiles=tuple(math.log(math.sqrt(3) * q) for q in (0.25, 0.5, 0.75)),  # type: ignore[arg-type]
    outlier_share=0.25**2.5 / 0.75**1.5,
    share_bias=0.18,
    share_variance=0.0527421521,
    mean_own=7 / 15,
    mean_bias=0.2,
    mean_skew=(1.4, 0.45),
)

TWINS = {"normal": GAUSSIAN, "uniform": UNIFORM}
