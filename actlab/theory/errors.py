"""What theory says of a question that has no answer."""

from actlab.errors import ActlabError


class TheoryError(ActlabError, ValueError):
    """A question that theory has no answer to; the message says why."""
