"""Whole-number splits that meet their totals exactly. Pure arithmetic, the same on every machine."""

import hashlib
import math
from collections.abc import Sequence

_ROUNDS = 60
_TOLERANCE = 1e-6


def draw(key: str) -> float:
    """Return a number from 0 up to 1 that depends on the key alone."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=7).digest(), "big") / 2**56


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Split a total in proportion to the weights by largest remainder; all weights 0 counts as all equal."""
    whole = sum(weights)
    shares = [total * weight / whole for weight in weights] if whole > 0 else [total / len(weights)] * len(weights)
    return _round_row(total, shares)


def split_table(rows: Sequence[int], columns: Sequence[int], weights: Sequence[Sequence[float]]) -> list[list[int]]:
    """Fill a table of whole numbers that meets every row sum and every column sum exactly.

    ``weights`` (all above 0) say what is more or less likely; they are first fitted to both margins, then rounded row
    by row so that no column drifts by more than a few. Margins that do not have the same sum raise ``ValueError``.
    """
    if sum(rows) != sum(columns):
        raise ValueError(f"rows add up to {sum(rows)}, columns to {sum(columns)}")
    fitted = _fit(rows, columns, weights)
    # The largest row comes last and takes what rounding left over.
    order = sorted(range(len(rows)), key=lambda row: (rows[row], row))
    table: list[list[int]] = [[] for _ in rows]
    wanted = [0.0] * len(columns)
    given = [0] * len(columns)
    for row in order[:-1]:
        wanted = [before + share for before, share in zip(wanted, fitted[row], strict=True)]
        table[row] = _round_row(rows[row], [want - got for want, got in zip(wanted, given, strict=True)])
        given = [before + count for before, count in zip(given, table[row], strict=True)]
    table[order[-1]] = [margin - got for margin, got in zip(columns, given, strict=True)]
    if min(table[order[-1]]) < 0:
        raise ValueError("the last row is too small to take what rounding left over")
    return table


def _fit(rows: Sequence[int], columns: Sequence[int], weights: Sequence[Sequence[float]]) -> list[list[float]]:
    """Fit the weights to both margins (iterative proportional fitting), rows last."""
    table = [list(row) for row in weights]
    for _ in range(_ROUNDS):
        sums = [sum(row[column] for row in table) for column in range(len(columns))]
        factors = [margin / found if found else 0.0 for margin, found in zip(columns, sums, strict=True)]
        table = [[cell * factor for cell, factor in zip(row, factors, strict=True)] for row in table]
        table = [_scale(row, total) for row, total in zip(table, rows, strict=True)]
    return table


def _scale(row: Sequence[float], total: int) -> list[float]:
    found = sum(row)
    return [cell * total / found for cell in row] if found else [0.0] * len(row)


def _round_row(total: int, shares: Sequence[float]) -> list[int]:
    """Round shares to whole numbers of that sum, none below 0, by largest remainder."""
    counts = [max(math.floor(share + _TOLERANCE), 0) for share in shares]
    while sum(counts) < total:
        short = max(range(len(counts)), key=lambda index: (shares[index] - counts[index], -index))
        counts[short] += 1
    while sum(counts) > total:
        over = max((index for index in range(len(counts)) if counts[index]), key=lambda i: (counts[i] - shares[i], -i))
        counts[over] -= 1
    return counts
