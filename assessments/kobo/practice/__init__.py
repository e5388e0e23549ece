"""A practice KoboToolbox: answers the part of API v2 and OpenRosa that DTM Ops uses as recordings of a real one do.

Standard library only; state in one SQLite file. Used by the tests, the demo and by people who practise. It imports
nothing of the rest of the project, so that a test against it says something about both.
"""
