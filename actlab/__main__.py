"""The command `actlab`, as `python -m actlab`."""

from actlab.start import main

if __name__ == "__main__":
    main()
