"""What theory cannot say, as an error with its reason."""

from actlab.errors import ActlabError


class TheoryError(ActlabError, ValueError):
    """A question that theory has no answer to; the message names the reason."""
