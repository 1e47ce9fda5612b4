"""A study's results: its frames, and of its runs the trained weights, the network of these as a module, the data.

Nothing but the frames is imported or read before it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from actlab.engine import prediction_files
from actlab.engine.frames import with_final
from actlab.later import pd
from actlab.study.settings import of_manifest
from actlab.where import matches, parse

if TYPE_CHECKING:
    import numpy as np

    from actlab.data import Split
    from actlab.engine.earlier import Why
    from actlab.nn.model import DeepMLP


@dataclass(frozen=True)
class Results:
    """A study as it was read from the disk.

    Attributes:
        path: the study's folder.
        study: the resolved study, as plain data.
        manifest: versions, platform, timings, checksums.
        runs: one row per run.
        steps: one row per run and record.
        layers: one row per run, record and kept hidden layer.
        histograms: one row per run, record, kept hidden layer and bin that is not empty; empty where none were asked.
        predictions: what theory predicts of the networks as they are drawn, one row per cell, measure and hidden layer;
            empty where the study has none yet.
        lacking: {measure: runs} of what the study asks for and runs were stored before it was measured; NaN there.
        notes: what else a reader should know, a line each: of parts that the manifest does not list, say.
        damage: what is damaged and left out, a line each; empty unless that was asked for.
        untrained: a line where planned runs are not stored.
        left_out: the stored runs that the study does not ask for any more, which are in no frame, and why.
        is_part: ``where`` has chosen some of the runs.
    """

    path: Path
    study: dict[str, Any]
    manifest: dict[str, Any]
    runs: pd.DataFrame = field(repr=False)
    steps: pd.DataFrame = field(repr=False)
    layers: pd.DataFrame = field(repr=False)
    histograms: pd.DataFrame = field(repr=False, default_factory=lambda: pd.DataFrame())
    lacking: dict[str, int] = field(repr=False, default_factory=dict)
    notes: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    untrained: tuple[str, ...] = ()
    left_out: Mapping[str, Why] = field(repr=False, default_factory=dict)
    predictions: pd.DataFrame = field(repr=False, default_factory=lambda: pd.DataFrame())
    is_part: bool = False

    def final(self) -> pd.DataFrame:
        """Return ``runs`` with each measure of ``steps`` at the last record (of layers their mean); NaN if diverged."""
        return with_final(self.runs, self.steps)

    def where(self, conditions: str | Sequence[str]) -> Self:
        """Return the same study with those runs alone of which some conditions hold, in every frame.

        Args:
            conditions: as ``"activation=relu,depth=10.."``, on the columns of ``final()`` and the keys of the YAML
                (see ``actlab.where``).

        Raises:
            WhereError: one cannot be read, or names a key or value that this study does not have.

        >>> load("results/depth").where("activation=relu,depth=10..").layers  # doctest: +SKIP
        """
        keys = {one.key: one.column for one in of_manifest(self.manifest) if one.key}
        runs = self.runs[matches(self.final(), parse(conditions), keys)].reset_index(drop=True)
        steps, layers, histograms = (
            frame[frame["run"].isin(runs["run"])].reset_index(drop=True)
            for frame in (self.steps, self.layers, self.histograms)
        )
        predictions = prediction_files.of_frame(self.predictions, runs)
        return replace(
            self,
            runs=runs,
            steps=steps,
            layers=layers,
            histograms=histograms,
            predictions=predictions,
            is_part=True,
        )

    def weights(self, run: str | Mapping[str, Any] | pd.Series, step: int | None = None) -> dict[str, np.ndarray]:
        """Read a run's trained weights, which a study keeps by ``measure.keep_weights``, as arrays by name.

        Args:
            run: its name, how that begins, or its row of ``runs``.
            step: of ``keep_weights: records`` the step of a record; by default that of the run's last one.

        Returns:
            ``layers.0.weight`` [F, W], ``layers.0.bias`` [W], ... ``readout.weight`` [W, C], ``readout.bias`` [C], of
            the type that they were trained in: see ``actlab.nn.weights``.

        Raises:
            StoreError: there is no such run or record, ``step`` is no whole number, or the run is stored without its
                weights; says how they are had.
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
