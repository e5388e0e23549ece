from tests.practice import *  # noqa: F403  fixtures are found by name
