"""`python -m shadowproxy`."""

from shadowproxy.cli import main

if __name__ == "__main__":
    main()
