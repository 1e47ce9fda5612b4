"""What results give of their runs beside frames: trained weights, the network of these as a module, the data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from actlab.data import Split
    from actlab.nn.model import DeepMLP


class Trained:
    """What ``store.Results`` adds to its frames; nothing of it is imported or read before it is asked for."""

    path: Path
    study: dict[str, Any]
    runs: pd.DataFrame
    steps: pd.DataFrame

    def weights(self, run: str | Mapping[str, Any] | pd.Series, step: int | None = None) -> dict[str, np.ndarray]:
        """Read a run's trained weights, which a study keeps by ``measure.keep_weights``, as arrays by name.

        Args:
            run: its name, how that begins, or its row of ``runs``.
            step: of ``keep_weights: records`` the step of a record; by default that of the run's last one.

        Returns:
            ``layers.0.weight`` [F, W], ``layers.0.bias`` [W], ... ``readout.weight`` [W, C], ``readout.bias`` [C], of
            the type that they were trained in: see ``actlab.nn.weights``.

        Raises:
            StoreError: there is no such run or record, or it is stored without its weights; says how they are had.
            DamageError: they are not what was written.

        >>> results.weights("3f2a")["layers.0.weight"].shape  # doctest: +SKIP
        (64, 64)
        """
        from actlab.engine import kept

        return kept.weights(self, run, step)

    def model(
        self, run: str | Mapping[str, Any] | pd.Series, step: int | None = None, *, trust: bool = False
    ) -> DeepMLP:
        """Build a run's trained network as a flax.nnx module in evaluation mode, of its kept weights.

        Functions of the user's are run for it only from the study's own ``sources/``, unaltered.

        Args:
            run, step: as of ``weights``.
            trust: whether such functions are run although they were altered, or lie elsewhere.

        Returns:
            ``network(x)`` are the outputs of standardised inputs x [B, F], such as those of ``data(run)``.

        Raises:
            StoreError, DamageError: see ``weights``.
            UntrustedError: a file of the user's was altered, or lies elsewhere; nothing was run.

        >>> results.model("3f2a")(results.data("3f2a")["test"].x)  # doctest: +SKIP
        """
        from actlab.engine import network

        return network.trained(self, run, step, trust)

    def data(self, run: str | Mapping[str, Any] | pd.Series, *, trust: bool = False) -> dict[str, Split]:
        """Load the rows that a run was trained and measured on, as it saw them: standardised, and of its own type.

        A file of data that the study names must still be there, and be what it was; rows that a function of the
        user's makes are made again, by the function in the study's own ``sources/``.

        Args:
            run: its name, how that begins, or its row of ``runs``.
            trust: as of ``model``.

        Returns:
            ``train``, ``validation``, ``test`` and ``probe``, the training rows that layers are measured on: x [N, F],
            and y, class indices [N] or standardised targets [N, 1].

        Raises:
            StoreError: there is no such run.
            StudyError: the data cannot be had, or are others now.
            UntrustedError: a file of the user's was altered, or lies elsewhere; nothing was run.

        >>> results.data("3f2a")["test"].x.shape  # doctest: +SKIP
        (360, 64)
        """
        from actlab.engine import run_data

        return run_data.of_run(self, run, trust)
