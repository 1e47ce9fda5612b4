"""Errors about a study's keys: each at the place of its value, with what else may be changed."""

from collections.abc import Iterator
from contextlib import contextmanager

from actlab import sources
from actlab.study.advice import also
from actlab.study.reading import Source, StudyError, of_key


def error_at_key(source: Source, key: str, why: str) -> StudyError:
    """Make the error about a key, with the place of its value."""
    return StudyError(f"{source.where(*of_key(source, key))}: {key}: {why}")


def error_together(source: Source, keys: tuple[str, ...], why: str, changed: str, value: int, old: int) -> StudyError:
    """Make the error about keys that do not go together: at the place of what was written last.

    Args:
        source: where the study's values come from.
        keys: the first is what the message is about.
        why: what is wrong.
        changed: the key that may be changed so that they do.
        value: to what.
        old: what it is.
    """
    fault = source.at_fault(*keys)
    return StudyError(f"{source.where(*fault)}: {keys[0]}: {why}; {also(source, fault, changed, value, old)}")


@contextmanager
def errors_about(source: Source, key: str) -> Iterator[None]:
    """Name the place of a key's value in whatever goes wrong with it.

    Raises:
        StudyError: in place of whatever goes wrong with it.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, ValueError) and not sources.blames_user(error):
            raise
        raise error_at_key(source, key, sources.failure(error)) from None
