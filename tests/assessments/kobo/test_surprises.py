"""The 40 surprises of the recordings' README, and the tests that show what we make of each."""

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
CLIENT = "assessments/kobo/test_kobo_client.py"
PAGING = "assessments/kobo/test_kobo_paging.py"
RECORDED = "assessments/kobo/test_kobo_recordings.py"
DEPLOYED = "assessments/kobo/test_kobo_deployment_recordings.py"
MAPPING = "assessments/kobo/test_kobo_mapping.py"
VALIDATION = "assessments/kobo/test_kobo_validation.py"
FILES = "assessments/kobo/test_kobo_attachments.py"
HOOKS = "assessments/kobo/test_kobo_hooks.py"
CALLS = "assessments/kobo/practice/test_client_calls.py"
CONTRACT = "assessments/kobo/practice/test_contract.py::test_practice_kobo_replaying_the_recordings_answers_as_recorded"
SYNC = "assessments/services/test_kobo_sync.py"
PASSES = "assessments/services/test_kobo_passes.py"
FAULTS = "assessments/services/test_kobo_sync_faults.py"
ODD = "assessments/services/test_kobo_sync_odd_rows.py"
NAMED = "assessments/services/test_kobo_surprises.py"
LISTS = "assessments/services/test_assignment_lists.py"
VERSIONS = "assessments/services/test_kobo_versions.py"

SHOWN: dict[int, tuple[str, ...]] = {
    1: (
        f"{RECORDED}::test_recorded_edit_keeps_id_and_root_and_moves_uuid_and_fingerprint",
        f"{SYNC}::test_edited_row_gets_a_revision_and_keeps_the_old_one",
    ),
    2: (f"{NAMED}::test_surprise_02_deleted_form_that_is_posted_again_is_another_row_of_the_same_uuid",),
    3: (
        f"{SYNC}::test_row_listed_twice_under_two_ids_is_two_rows",
        f"{PASSES}::test_row_that_kobo_lists_twice_is_flagged_on_both_sides_once",
    ),
    4: (f"{PASSES}::test_quick_run_reads_what_is_new_edited_and_judged",),
    5: (
        f"{PASSES}::test_sweep_sees_a_status_that_was_taken_away",
        f"{SYNC}::test_deleted_row_is_marked_and_kept",
    ),
    6: (
        f"{PASSES}::test_revision_tells_who_edited_where_the_history_is_readable",
        f"{PASSES}::test_run_goes_on_where_the_history_is_not_readable",
        CONTRACT,
    ),
    7: (f"{SYNC}::test_late_row_below_the_highest_id_is_found",),
    8: (f"{NAMED}::test_surprise_08_bounds_of_time_are_whole_seconds_without_a_zone", CONTRACT),
    9: (f"{NAMED}::test_surprise_09_kobos_own_counter_is_not_believed",),
    10: (f"{PAGING}::test_walk_rows_deleted_meanwhile_do_not_shift_the_rest",),
    11: (
        f"{RECORDED}::test_recorded_capped_page_and_missing_slash",
        f"{PAGING}::test_walk_server_capping_lower_than_asked_skips_nothing",
    ),
    12: (f"{CALLS}::test_surprises_12_13_14_of_paging_are_never_asked_for",),
    13: (f"{CALLS}::test_surprises_12_13_14_of_paging_are_never_asked_for", CONTRACT),
    14: (
        f"{CALLS}::test_surprises_12_13_14_of_paging_are_never_asked_for",
        f"{PAGING}::test_walk_sends_sort_and_fields_as_json",
        f"{RECORDED}::test_every_recorded_refusal_is_classified",
    ),
    15: (
        f"{RECORDED}::test_recorded_capped_page_and_missing_slash",
        f"{CLIENT}::test_whoami_sends_the_token_and_asks_for_json",
    ),
    16: (
        f"{NAMED}::test_surprise_16_ids_are_asked_for_as_numbers",
        f"{MAPPING}::test_read_figures_of_a_whole_number_in_any_writing_is_the_number",
    ),
    17: (
        f"{ODD}::test_normal_weather_is_no_reason_to_refuse",
        f"{FILES}::test_place_of_a_file_counts_the_instances_that_are_listed",
    ),
    18: (f"{MAPPING}::test_read_figures_of_villages_keeps_their_units_and_leaves_out_blank_and_unlisted_ones",),
    19: (f"{NAMED}::test_surprise_19_status_is_asked_for_by_name_and_nothing_inside_a_repeat",),
    20: (f"{ODD}::test_row_that_cannot_be_read_is_kept_and_counted",),
    21: (f"{NAMED}::test_surprise_21_place_of_the_phone_is_kept_as_the_form_has_it",),
    22: (
        f"{FILES}::test_answer_that_names_a_photo_that_never_came_is_found",
        f"{RECORDED}::test_recorded_photo_deletion_marks_the_photo_and_no_answer",
    ),
    23: (
        f"{DEPLOYED}::test_recorded_import_makes_a_project",
        f"{SYNC}::test_version_of_the_form_is_learnt_once",
    ),
    24: (
        f"{DEPLOYED}::test_recorded_failure_of_a_stale_version_stays_a_failure_of_the_server",
        f"{DEPLOYED}::test_recorded_second_post_of_a_deployment_is_read_back_as_done",
        f"{LISTS}::test_changed_plan_replaces_the_file_and_deploys_no_new_version",
    ),
    25: (f"{MAPPING}::test_read_figures_after_a_question_was_renamed_keeps_the_series",),
    26: (f"{VERSIONS}::test_deployed_version_and_those_of_submissions_are_read_once",),
    27: (f"{DEPLOYED}::test_recorded_name_that_is_taken_is_deleted_and_sent_again",),
    28: (
        f"{RECORDED}::test_every_recorded_refusal_is_classified",
        f"{CLIENT}::test_whoami_without_user_is_a_bad_token",
    ),
    29: (f"{RECORDED}::test_every_recorded_refusal_is_classified",),
    30: (
        f"{SYNC}::test_row_that_the_token_may_not_see_any_more_is_an_alarm",
        f"{FAULTS}::test_lost_right_is_an_alarm_and_no_deletion",
    ),
    31: (f"{CALLS}::test_surprise_31_the_call_that_replaces_everybodys_rights_is_never_made",),
    32: (f"{VALIDATION}::test_statuses_are_set_and_taken_away_with_one_call_for_each_kind",),
    33: (f"{VALIDATION}::test_surprise_33_a_status_that_kobo_does_not_know_is_never_sent",),
    34: (
        f"{VALIDATION}::test_surprise_34_one_missing_id_does_not_keep_the_others_back",
        f"{CALLS}::test_surprise_34_rows_are_never_edited_or_deleted_by_us",
    ),
    35: (
        f"{NAMED}::test_surprise_35_status_that_survives_an_edit_is_no_approval_of_the_edit",
        f"{SYNC}::test_approved_form_that_is_edited_keeps_what_was_approved",
    ),
    36: (f"{CALLS}::test_surprise_36_we_send_no_submissions", CONTRACT),
    37: (f"{CALLS}::test_surprise_36_we_send_no_submissions", CONTRACT),
    38: (
        f"{HOOKS}::test_notice_is_for_new_forms_only",
        f"{HOOKS}::test_notice_is_sent_again_after_what_a_proxy_answers_and_nothing_else",
    ),
    39: (f"{HOOKS}::test_service_that_cannot_be_reached_is_stored_and_fails_when_told_and_the_form_is_there",),
    40: (f"{CALLS}::test_surprise_40_the_removed_api_is_never_asked",),
}


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("number", range(1, 41), ids="surprise_{:02}".format)
def test_surprise_is_shown_by_tests_that_are_there(number: int) -> None:
    missing = [named for named in SHOWN[number] if named.partition("::")[2] not in names_in(named.partition("::")[0])]

    assert (SHOWN[number] != (), missing) == (True, [])
