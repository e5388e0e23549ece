import threading
import time
from collections.abc import Iterator
from itertools import chain, islice

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from assessments.kobo.client import KoboClient, Page, prefetch
from assessments.kobo.errors import KoboRejected, KoboUnavailable
from tests.assessments.kobo.kobo_listing import ASSET, DATA_PATH, Listing, answer_json


def _ids(pages: Iterator[Page]) -> list[list[int]]:
    return [[row["_id"] for row in page.rows] for page in pages]


def _sizes(pages: Iterator[Page]) -> list[tuple[int, int, int]]:
    return [(len(page.rows), page.count, page.asked) for page in pages]


def test_walk_whole_listing_ends_on_the_short_page(client: KoboClient, listing: Listing) -> None:
    assert _sizes(client.iter_pages(ASSET, page_size=60)) == [(60, 130, 60), (60, 70, 60), (10, 10, 60)]
    assert listing.asked == [{"limit": 60, "$gt": 0}, {"limit": 60, "$gt": 60}, {"limit": 60, "$gt": 120}]


def test_walk_server_capping_lower_than_asked_skips_nothing(client: KoboClient, listing: Listing) -> None:
    listing.cap = 40

    assert _sizes(client.iter_pages(ASSET)) == [(40, 130, 1000), (40, 90, 1000), (40, 50, 1000), (10, 10, 1000)]


def test_walk_listing_that_fills_its_last_page_ends_on_an_empty_one(client: KoboClient, listing: Listing) -> None:
    assert _sizes(client.iter_pages(ASSET, page_size=65)) == [(65, 130, 65), (65, 65, 65)]
    assert len(listing.asked) == 3


def test_walk_between_two_ids_takes_the_upper_one_only(client: KoboClient, listing: Listing) -> None:
    pages = client.iter_pages(ASSET, after_id=10, up_to_id=14, page_size=2)

    assert _ids(pages) == [[11, 12], [13, 14]]
    assert listing.asked[0] == {"limit": 2, "$gt": 10, "$lte": 14}


def test_walk_empty_listing_gives_no_page(client: KoboClient, listing: Listing) -> None:
    listing.ids = []

    assert list(client.iter_pages(ASSET)) == []


def test_walk_rows_deleted_meanwhile_do_not_shift_the_rest(client: KoboClient, listing: Listing) -> None:
    pages = client.iter_pages(ASSET, page_size=50)
    first = next(pages)
    listing.ids = [kobo_id for kobo_id in listing.ids if kobo_id > 30]

    assert [row["_id"] for row in first.rows] + list(chain.from_iterable(_ids(pages))) == list(range(1, 131))


def test_walk_sends_sort_and_fields_as_json(client: KoboClient, httpserver: HTTPServer, listing: Listing) -> None:
    list(client.iter_pages(ASSET, fields=["_id", "_uuid"], page_size=200))

    assert dict(httpserver.log[0][0].args) == {
        "query": '{"_id":{"$gt":0}}',
        "sort": '{"_id":1}',
        "limit": "200",
        "fields": '["_id","_uuid"]',
    }


@pytest.mark.parametrize("status", [502, 504])
def test_walk_page_too_heavy_is_halved_from_the_same_id(client: KoboClient, listing: Listing, status: int) -> None:
    listing.fault = lambda asked: Response("<html>", status) if asked["limit"] > 60 and asked["$gt"] else None
    pages = list(client.iter_pages(ASSET, page_size=100))

    assert list(chain.from_iterable(_ids(iter(pages)))) == list(range(1, 131))
    assert [page.asked for page in pages] == [100, 50]


def test_walk_query_out_of_time_is_halved(client: KoboClient, listing: Listing) -> None:
    listing.fault = lambda asked: answer_json(["Unsupported query"], 400) if asked["limit"] > 60 else None

    assert [page.asked for page in client.iter_pages(ASSET, page_size=100)] == [50, 50, 50]


def test_walk_gateway_down_gives_up_at_fifty(client: KoboClient, listing: Listing) -> None:
    listing.fault = lambda asked: Response("<html>", 504)
    with pytest.raises(KoboUnavailable) as caught:
        list(client.iter_pages(ASSET, page_size=150))

    assert (caught.value.code, caught.value.params["status"]) == ("server_unavailable", 504)
    assert [asked["limit"] for asked in listing.asked] == [150] * 5 + [75] * 5 + [50] * 5


def test_walk_maintenance_is_not_halved(client: KoboClient, listing: Listing) -> None:
    listing.fault = lambda asked: Response("<html>", 503)
    with pytest.raises(KoboUnavailable):
        list(client.iter_pages(ASSET, page_size=150))

    assert {asked["limit"] for asked in listing.asked} == {150}


def test_walk_project_lost_on_the_way_hands_out_what_came_before(client: KoboClient, listing: Listing) -> None:
    listing.fault = lambda asked: Response("Resource not found (404)", 404) if asked["$gt"] else None
    pages = client.iter_pages(ASSET, page_size=100)

    assert len(next(pages).rows) == 100
    with pytest.raises(KoboRejected) as caught:
        next(pages)
    assert (caught.value.code, caught.value.params["asset_uid"]) == ("no_project", ASSET)


def _serve_rows(httpserver: HTTPServer, rows: list[object], count: int) -> None:
    httpserver.expect_request(DATA_PATH).respond_with_json({"count": count, "results": rows})


@pytest.mark.parametrize("rows", [[{"_id": 4}, {"_id": 5}], [{"_id": 9}, {"_id": 8}], [{"_id": 9}, {"_id": 9}]])
def test_walk_rows_that_do_not_rise_stop_it(httpserver: HTTPServer, client: KoboClient, rows: list[object]) -> None:
    _serve_rows(httpserver, rows, 50)
    with pytest.raises(KoboUnavailable) as caught:
        list(client.iter_pages(ASSET, after_id=5))

    assert repr(caught.value) == (
        f"KoboUnavailable('paging_broken', host='{client.host}', asset_uid='{ASSET}', after_id=5)"
    )


def test_walk_same_page_for_ever_stops_after_the_first(httpserver: HTTPServer, client: KoboClient) -> None:
    _serve_rows(httpserver, [{"_id": 1}, {"_id": 2}], 50)
    pages = client.iter_pages(ASSET)

    assert _ids(islice(pages, 1)) == [[1, 2]]
    with pytest.raises(KoboUnavailable, match="out of order after row 2"):
        next(pages)


def test_walk_rows_without_usable_id_stay_in_their_page(httpserver: HTTPServer, client: KoboClient) -> None:
    rows = ["text", {"_id": 2}, {"_id": "3"}, {}, None, {"_id": True}, {"_id": 2**70}, {"_id": 4}]
    _serve_rows(httpserver, rows, len(rows))

    assert [page.rows for page in client.iter_pages(ASSET)] == [rows]


def test_walk_page_without_any_usable_id_is_handed_out_once(httpserver: HTTPServer, client: KoboClient) -> None:
    _serve_rows(httpserver, [{"_id": None}], 50)
    pages = client.iter_pages(ASSET)

    assert next(pages).rows == [{"_id": None}]
    with pytest.raises(KoboUnavailable, match="out of order"):
        next(pages)


@pytest.mark.parametrize("body", [{"detail": "x"}, {"count": None, "results": []}, {"count": 1, "results": {}}])
def test_walk_listing_of_unknown_shape_is_told(httpserver: HTTPServer, client: KoboClient, body: object) -> None:
    httpserver.expect_request(DATA_PATH).respond_with_json(body)
    with pytest.raises(KoboUnavailable) as caught:
        list(client.iter_pages(ASSET))

    assert caught.value.code == "bad_answer"


def test_rows_by_id_comes_in_chunks_without_the_missing(client: KoboClient, listing: Listing) -> None:
    lists = list(client.rows_by_id(ASSET, [9, 3, 500, 7, 3, 130], chunk=2))

    assert lists == [[{"_id": 3}, {"_id": 7}], [{"_id": 9}, {"_id": 130}]]
    assert [asked["$in"] for asked in listing.asked] == [[3, 7], [9, 130], [500]]


def test_rows_by_id_server_capping_lower_than_the_chunk_skips_nothing(client: KoboClient, listing: Listing) -> None:
    listing.cap = 3

    assert list(chain.from_iterable(client.rows_by_id(ASSET, range(1, 9)))) == [
        {"_id": kobo_id} for kobo_id in range(1, 9)
    ]


def test_rows_by_id_of_nothing_asks_nothing(client: KoboClient, listing: Listing) -> None:
    assert list(client.rows_by_id(ASSET, [])) == []
    assert listing.asked == []


def _prefetchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kobo-prefetch"]


@pytest.mark.parametrize("depth", [1, 3])
def test_prefetch_gives_the_same_items_and_no_thread_stays(depth: int) -> None:
    assert list(prefetch(iter(range(20)), depth)) == list(range(20))
    assert _prefetchers() == []


def test_prefetch_walk_over_http_is_the_walk(client: KoboClient, listing: Listing) -> None:
    assert _sizes(prefetch(client.iter_pages(ASSET, page_size=60))) == [(60, 130, 60), (60, 70, 60), (10, 10, 60)]


@pytest.mark.parametrize(("depth", "ahead"), [(1, 2), (2, 3)])
def test_prefetch_fetches_while_the_consumer_works_and_no_further(depth: int, ahead: int) -> None:
    fetched: list[int] = []
    items = prefetch((fetched.append(number) or number for number in range(10)), depth)
    next(items)
    _wait_for(lambda: len(fetched) >= ahead)
    time.sleep(0.05)

    assert len(fetched) == ahead
    items.close()


def test_prefetch_error_comes_after_the_items_before_it() -> None:
    def fail_after_two() -> Iterator[int]:
        yield from (1, 2)
        raise KoboUnavailable("timed_out", host="kf.example.org")

    taken = []
    with pytest.raises(KoboUnavailable, match="did not answer in time"):
        taken.extend(prefetch(fail_after_two()))

    assert _prefetchers() == []


def test_prefetch_error_does_not_swallow_earlier_items() -> None:
    def fail_after_two() -> Iterator[int]:
        yield from (1, 2)
        raise KoboRejected("bad_token")

    items = prefetch(fail_after_two(), 5)

    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(KoboRejected):
        next(items)


def test_prefetch_closed_early_ends_thread_and_source() -> None:
    closed = []

    def count_for_ever() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    items = prefetch(count_for_ever())
    next(items)
    items.close()

    assert (_prefetchers(), closed) == ([], [True])


def test_prefetch_closed_inside_a_request_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assessments.kobo.client.JOIN_SECONDS", 0.05)
    release = threading.Event()

    def hang_on_the_second() -> Iterator[int]:
        yield 1
        release.wait(10)
        yield 2

    items = prefetch(hang_on_the_second())
    next(items)
    started = time.monotonic()
    items.close()

    assert time.monotonic() - started < 2
    release.set()
    _wait_for(lambda: not _prefetchers())
    assert _prefetchers() == []


def test_prefetch_never_started_starts_no_thread() -> None:
    prefetch(iter([1])).close()

    assert _prefetchers() == []


def _wait_for(condition: object) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
