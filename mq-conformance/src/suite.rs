//! The list of all cases. `tests/tidy.rs` sees to it that none is missing.

/// Makes one test of every case, named `operation::promise`, for one engine.
///
/// Takes the path of an async function without arguments that brings a fresh
/// [`Fixture`](crate::Fixture).
///
/// ```text
/// async fn fixture() -> MyFixture { … }
/// mq_conformance::suite!(fixture);
/// ```
#[macro_export]
macro_rules! suite {
    ($fixture:path) => {
        $crate::tests_of! {
            $fixture;
            enqueue {
                answers_with_the_ids_it_was_given_in_order,
                an_empty_batch_is_answered_with_nothing,
                a_batch_of_the_largest_size_is_stored,
                a_larger_batch_is_refused_and_nothing_of_it_stored,
                one_call_may_fill_many_queues,
                jobs_of_one_call_become_visible_together,
                the_same_id_again_is_not_stored_again,
                a_job_is_no_duplicate_of_itself,
                an_id_that_is_known_counts_before_its_key,
                the_same_id_twice_in_one_call_is_stored_once,
                the_same_id_again_changes_nothing_wherever_the_job_is,
                the_same_key_answers_with_the_job_that_is_there,
                a_key_is_free_a_day_after_its_job_ended,
                a_key_is_free_a_day_after_whatever_became_of_its_job,
                a_key_is_held_as_long_as_its_job_exists,
                concurrent_calls_with_one_key_store_one_job,
                one_key_twice_in_one_call_stores_one_job,
                one_key_in_two_queues_is_two_keys,
                a_time_in_the_past_means_at_once,
                a_delay_counts_from_the_stores_clock,
                ten_years_are_the_farthest_and_more_is_refused_with_the_whole_call,
                a_job_that_has_ended_leaves_no_trace_of_its_id,
            }
            claim {
                gives_jobs_in_the_order_they_were_enqueued,
                gives_high_before_normal_before_low,
                a_later_urgent_job_goes_before_earlier_normal_ones,
                empties_the_first_queue_before_the_second,
                respects_the_limit_of_each_queue,
                gives_at_most_a_full_batch,
                a_limit_of_zero_takes_nothing,
                says_whether_more_is_ready_and_when_the_next_is_due,
                a_job_is_due_at_its_time_and_not_a_millisecond_before,
                never_gives_a_job_to_two_workers,
                a_repeat_gives_the_same_jobs_and_takes_nothing_new,
                a_repeat_of_an_empty_claim_stays_empty,
                a_repeat_of_a_claim_during_a_pause_stays_empty,
                a_repeat_takes_nothing_from_a_queue_that_was_lost_before,
                a_late_duplicate_of_an_old_claim_takes_nothing,
                a_repeat_does_not_give_what_was_finished_meanwhile,
                numbers_are_each_workers_own,
                a_stranger_is_told_and_gets_nothing,
                a_lost_queue_does_not_keep_the_others,
                finishes_come_first_and_are_answered_in_order,
                without_queues_it_only_finishes,
                too_many_finishes_are_refused_and_nothing_happens,
                a_queue_named_twice_is_refused_and_nothing_happens,
                promotes_what_is_due_on_the_way,
                an_earlier_claim_again_gives_what_it_still_holds,
            }
            finish {
                each_transition_leads_to_its_state,
                only_failures_count_as_retrying,
                a_repeat_changes_nothing,
                of_two_ends_of_one_job_the_first_counts,
                a_claim_that_was_taken_over_is_fenced,
                a_claim_of_an_earlier_attempt_cannot_end_the_next,
                nobody_ends_the_job_of_another,
                parts_of_a_claim_may_end_in_any_order,
                one_call_may_mix_everything_and_answers_in_order,
                one_call_may_end_many_claims_each_with_a_past,
                a_full_batch_is_fine_a_larger_one_refused_an_empty_one_nothing,
                a_full_batch_of_retries_with_histories_is_fine,
                release_goes_to_the_front_of_its_priority,
                jobs_released_together_keep_their_order,
                a_history_is_kept_byte_for_byte_until_it_is_replaced,
                a_job_with_everything_ends_without_a_trace,
                a_job_that_was_to_be_cancelled_may_still_end_well,
                a_retry_in_the_past_is_due_at_once,
            }
            extend {
                a_worker_that_beats_keeps_its_jobs,
                a_beat_says_how_long_the_lease_is,
                a_worker_that_was_reaped_is_told,
                a_stranger_is_told,
                many_beats_are_answered_in_order,
                cancellations_reach_the_worker_until_the_job_ends,
                news_about_a_worker_is_kept_until_there_is_more,
                a_beat_names_the_claims_that_hold_jobs_if_it_is_to,
            }
            join_leave {
                joining_again_renews_the_lease,
                joining_again_keeps_the_claims_and_their_numbers,
                a_worker_may_be_on_many_queues,
                leaving_lets_others_have_the_jobs_at_once,
                a_worker_that_left_may_not_touch_its_jobs_even_before_the_sweep,
                leaving_with_empty_hands_leaves_nothing,
                a_late_join_does_not_lift_the_fence,
                a_late_join_does_not_bring_back_who_has_left,
                so_many_that_are_gone_are_remembered_and_no_more,
            }
            wait {
                ends_when_the_time_is_up,
                wakes_when_a_job_is_enqueued,
                wakes_when_the_job_was_there_first,
                names_the_queue_that_has_work,
                wakes_when_a_job_is_scheduled_so_that_timers_can_be_set,
                wakes_when_a_finish_leaves_work,
                wakes_when_a_pause_ends,
                wakes_when_an_operator_makes_work,
                wakes_when_promote_finds_due_jobs,
                a_burst_wakes_as_many_workers_as_it_has_work_for,
                a_dropped_wait_takes_no_wake_up_along,
                a_lost_wake_up_is_made_up_for_by_a_sweep,
                a_paused_queue_does_not_wake_again_and_again,
            }
            promote {
                moves_what_is_due_and_nothing_else,
                an_unknown_queue_has_nothing_to_promote,
                twenty_thousand_due_jobs_come_in_bounded_portions,
                claims_alone_also_drain_a_flood_of_due_jobs,
                a_flood_of_retries_does_not_hold_up_schedules,
                the_limit_counts_retries_and_schedules_together,
                scheduled_jobs_and_retries_come_in_turn,
                a_promoted_job_keeps_its_priority,
                jobs_become_ready_in_the_order_they_were_due,
                many_promoters_at_once_promote_each_job_once,
            }
            reap {
                takes_over_only_when_the_lease_has_ended,
                the_reaper_holds_what_it_took_and_ends_it,
                the_dead_worker_is_fenced_from_everything,
                a_worker_that_renewed_in_time_is_left_alone,
                when_the_reaper_dies_too_the_next_one_takes_over,
                takes_at_most_the_limit_and_says_that_more_is_left,
                says_that_more_is_left_exactly_if_it_is,
                a_repeat_of_a_sweep_that_found_nothing_takes_nothing,
                a_repeat_gives_the_same_jobs_and_takes_nothing_new,
                after_a_gap_without_sweeps_workers_may_report_first,
                after_a_gap_of_most_of_a_lease_nobody_who_lives_is_gone,
                the_first_sweep_ever_also_finds_the_dead_in_time,
                a_stranger_may_not_reap_and_is_told,
                a_worker_without_jobs_just_disappears,
                a_worker_being_reaped_cannot_come_back,
                a_finish_that_is_late_but_before_the_sweep_counts,
                many_reapers_take_each_job_once,
                a_dead_worker_is_found_within_a_lease_and_a_sweep,
                after_forty_days_without_anybody_everything_is_there,
            }
            prune {
                removes_kept_jobs_when_their_time_is_up,
                keeps_the_newest_dead_letters,
                removes_dead_letters_by_age,
                works_in_portions,
                a_portion_is_at_least_one,
                a_portion_counts_done_and_cancelled_jobs_together,
                leaves_everything_else_alone,
                forgets_the_keys_of_jobs_long_gone_and_no_others,
                a_key_is_not_forgotten_before_its_job,
                a_key_outlives_the_pruning_of_its_job_by_a_day_at_most,
                a_key_is_free_once_its_day_is_over_and_its_kept_job_gone,
                an_unknown_queue_has_nothing_to_prune,
            }
            retry {
                gives_attempts_back_and_keeps_the_past,
                gives_attempts_back_to_a_job_that_put_itself_off,
                a_history_that_cannot_be_read_does_not_stop_it,
                a_pace_staggers_the_jobs,
                the_first_of_a_row_waits_as_well,
                a_pace_without_a_step_means_at_once,
                a_thousand_dead_letters_come_back_at_once,
                a_revived_job_can_die_and_be_revived_again,
            }
            run_now {
                makes_it_ready_and_leaves_the_past_alone,
                keeps_the_priority,
                works_for_a_full_batch_and_only_for_those_named,
            }
            delete {
                a_deleted_job_never_runs,
                leaves_nothing_of_a_job_with_everything,
                works_for_a_full_batch,
                a_job_is_either_deleted_or_run,
                a_request_to_cancel_goes_with_the_job,
            }
            cancel {
                a_waiting_job_is_kept_for_its_retention,
                a_job_that_is_kept_says_when_it_was_cancelled,
                a_running_job_is_marked_until_it_ends_for_good,
                a_request_outlives_the_worker_that_ran_the_job,
                a_request_is_done_with_when_the_job_ends_while_it_waits,
                works_for_a_full_batch,
                a_cancelled_job_is_not_run_as_well,
            }
            discard {
                a_discarded_job_keeps_what_it_has_and_says_who_did_it,
                it_can_be_retried_with_its_priority,
                a_history_that_cannot_be_read_does_not_stop_it,
                its_key_holds_as_that_of_any_dead_letter,
                a_request_to_cancel_is_over,
                works_for_a_full_batch_and_only_for_those_named,
                a_job_is_either_discarded_or_run,
            }
            transfer {
                a_job_arrives_as_it_was,
                a_moved_job_runs_there_and_nowhere_else,
                a_moved_job_has_its_whole_life_before_it,
                a_moved_job_has_its_key_unless_another_has_it,
                there_and_back_again,
                several_jobs_keep_their_order,
                works_for_a_full_batch,
                to_the_same_queue_loses_nothing,
                a_job_is_either_moved_or_taken,
            }
            import {
                a_job_arrives_as_it_was,
                ready_jobs_come_behind_those_there_in_the_order_given,
                a_job_that_is_there_is_left_alone_wherever_it_is,
                a_repeat_changes_nothing,
                the_same_job_twice_in_one_call_is_stored_once,
                a_job_that_runs_is_refused,
                a_job_is_due_at_the_time_it_brought,
                a_moved_job_has_its_whole_life_before_it,
                its_key_comes_along_unless_another_job_has_it,
                a_key_is_free_a_day_after_its_job_ended_here,
                a_kept_job_holds_its_key_and_goes_when_its_time_is_up,
                a_request_to_cancel_comes_along,
                a_record_that_cannot_be_read_is_kept_as_it_is,
                one_call_may_fill_many_queues,
                a_full_batch_is_fine_a_larger_one_refused_an_empty_one_nothing,
                a_batch_of_large_jobs_goes_through,
                wakes_an_idle_worker,
                a_paused_queue_takes_jobs_and_keeps_them,
            }
            verbs {
                cancel_in_every_state,
                cancel_in_every_state_with_a_retention,
                delete_in_every_state,
                discard_in_every_state,
                retry_in_every_state,
                run_now_in_every_state,
                transfer_in_every_state,
                a_batch_is_answered_in_order_whatever_is_in_it,
                an_empty_or_unknown_request_does_nothing,
                a_verb_on_one_queue_does_not_touch_another,
                a_verb_that_meets_a_finish_comes_before_it_or_after_it,
            }
            pause {
                nobody_claims_until_it_ends,
                running_jobs_end_as_ever,
                enqueueing_and_the_operators_verbs_go_on,
                the_dead_are_found_all_the_same,
                it_says_since_when_and_twice_is_once,
                a_queue_that_is_paused_before_its_first_job_is_listed,
                other_queues_are_not_affected,
            }
            list {
                ready_jobs_come_in_the_order_they_will_run,
                scheduled_jobs_and_retries_come_by_due_time,
                what_has_ended_comes_latest_first,
                each_job_is_shown_with_all_there_is,
                paging_visits_everything_once,
                an_empty_or_unknown_queue_has_no_pages,
                a_page_has_at_most_a_full_batch,
                a_page_has_at_least_one_job,
                a_cursor_that_nobody_made_does_no_harm,
            }
            get {
                answers_in_order_and_with_none_for_what_is_not_there,
                names_the_worker_that_runs_the_job,
                a_full_batch_and_an_empty_one,
            }
            stats {
                sizes_are_those_of_the_places,
                an_unknown_queue_is_all_zeros,
                totals_count_what_happened,
                the_last_full_minute_is_counted,
                the_oldest_ready_job_is_the_next_to_run,
                of_several_ready_lists_the_first_one_counts_as_oldest,
                housekeepers_are_not_counted_as_workers,
                workers_are_shown_with_what_they_hold,
                a_worker_that_is_fenced_out_is_shown_and_not_counted,
                workers_come_in_the_order_in_which_they_started,
                queues_are_all_there_ever_were_sorted,
            }
            audit {
                a_store_with_everything_in_it_is_in_order,
                an_unknown_queue_is_in_order,
                a_repair_of_a_sound_store_changes_nothing,
                traffic_is_not_mistaken_for_damage,
            }
            names {
                two_queues_never_mix_whatever_they_are_called,
                two_keys_never_mix_whatever_they_are_called,
                a_claim_over_hostile_queues_takes_from_each,
            }
            payload {
                every_byte_survives_a_whole_life,
                every_byte_survives_waiting_for_its_time,
                a_record_that_cannot_be_read_is_kept_as_it_is,
                a_batch_of_large_payloads_goes_through,
            }
            store {
                ping_tells_the_stores_time,
                a_detached_handle_sees_the_same_store,
                a_detached_handle_works_in_a_runtime_of_its_own,
                every_handle_calls_the_store_by_the_same_name,
                durability_and_warnings_are_known_from_the_start,
            }
        }
    };
}

/// One module per operation, one test per case.
#[doc(hidden)]
#[macro_export]
macro_rules! tests_of {
    ($fixture:path; $($operation:ident { $($case:ident,)* })*) => {
        $crate::tests_of! { @all $fixture; $($operation { $($case)* })* }
    };
    (@all $fixture:path; ) => {};
    (@all $fixture:path; $operation:ident { $($case:ident)* } $($rest:tt)*) => {
        mod $operation {
            use super::*;
            $(
                #[test]
                fn $case() {
                    $crate::run($fixture, $crate::$operation::$case);
                }
            )*
        }
        $crate::tests_of! { @all $fixture; $($rest)* }
    };
}
