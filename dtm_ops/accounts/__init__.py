"""Who may log in: the user model, the sign-in, the language of the reader, hashed API tokens.

Rights do not live here: see locations.UnitScope.
"""
