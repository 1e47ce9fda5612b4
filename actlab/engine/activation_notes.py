"""What a manifest says of a study's activations: reading it runs no function, and figures and reports need these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actlab import activations
from actlab.activations.twins import twins
from actlab.study.plan import Plan


def activation_notes(plan: Plan, before: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Note of each activation its family, order and look, and what else is known of it.

    Args:
        plan: the study's.
        before: what was noted when runs of these functions were trained already; empty where some are to be now.

    Returns:
        {label: notes}; of a function of the user's with its formula, where it states one, and ``same_as``, the
        functions of this study or the catalogue that compute the same values (see ``activations.twins``).
    """
    notes: dict[str, dict[str, Any]] = {}
    for label, one in plan.records.items():
        more = {"formula": one.formula, "same_as": before.get(label, {}).get("same_as")} if not one.order else {}
        if not one.order and not before:
            others = {name: other for name, other in plan.records.items() if name != label}
            more["same_as"] = twins(one, activations.CATALOGUE.records | others)
        more |= {"unknown_death": plan.unknown_death.get(label), "started": plan.started.get(label)}
        about = {"family": one.family, "order": one.order, "look": one.look}
        notes[label] = about | {name: value for name, value in more.items() if value}
    return notes
