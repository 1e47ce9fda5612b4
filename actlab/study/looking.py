"""What a plan has understood of each data set, once each, by the names that it goes by."""

import json
from collections.abc import Mapping
from typing import Any

from actlab import data
from actlab.study import identity, labels
from actlab.study.data_section import options_of
from actlab.study.sections import DataConfig


def look_at(
    loaded: Mapping[DataConfig, tuple[data.Data, str]], called: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], ...]:
    """Describe each data set once: copies under several names are one, and so are splits that look the same.

    Args:
        loaded: rows and checksum of each data section.
        called: what tables call each of them; by default as the study does.
    """

    def settings(config: DataConfig) -> str:
        return identity.canonical(identity.beyond_defaults(config, {config.name.name: loaded[config][1]}))

    def plain(config: DataConfig) -> dict[str, Any]:
        own = config.model_dump(mode="json", exclude={"name", "seed", "standardize", "target_loss", "copy"})
        return {**own, **config.name.options}

    values = [plain(config) for config in loaded]
    keys = dict.fromkeys(key for one in values for key in one)
    varying = {key for key in keys if any(one.get(key) != values[0].get(key) for one in values)}
    names_now = {config.name.name: (called or {}).get(config.name.name, config.name.name) for config in loaded}
    short, now = labels.told_apart(names_now.values()), labels.told_apart(names_now)
    names: dict[str, dict[str, None]] = {}
    for config in loaded:
        name = config.name.name
        both = (short[names_now[name]], *([now[name]] if names_now[name] != name else []))
        names.setdefault(settings(config), {}).update(dict.fromkeys(both))
    seen: dict[str, dict[str, Any]] = {}
    for config, (rows, checksum) in loaded.items():
        of_default = options_of(config.name.name)
        own = {key for key, value in config.name.options.items() if value != of_default[key]}
        told = {key: value for key, value in plain(config).items() if key in varying | own}
        about = {"names": list(names[settings(config)]), "settings": told, "content": checksum[:12]}
        one = seen.setdefault(json.dumps(about), about | data.described(rows))
        one["unsure"] = list(dict.fromkeys([*one["unsure"], *rows.notes]))
    return tuple(seen.values())
