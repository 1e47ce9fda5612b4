"""Effects: run jobs on workers, keep their results, resume. Numbers go in, part files come out."""
