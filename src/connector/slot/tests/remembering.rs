//! What a slot hands on to the next daemon, in time that the test counts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use rand::{SeedableRng, rngs::SmallRng};

use crate::{
    backoff::Backoff,
    connector::{
        Command, FailedReplacement, Fleet, Generation, Past, Reason, RestartReason, Settings, Slot, SlotId, SlotMemory, State,
        Waiting,
        testing::{exited, launch, start_of_time},
    },
};

fn slot(seed: u64) -> Slot {
    let id = SlotId::new("web".parse().unwrap(), 0);
    Slot::new(id, Settings::default(), Generation(0), SmallRng::seed_from_u64(seed))
}

/// Lets every process that is started end at once, until `end`. Gives how many were started.
fn fail_until(slot: &mut Slot, now: &mut Instant, end: Instant) -> usize {
    let (mut fleet, mut starts) = (Fleet::new(*now, SmallRng::seed_from_u64(7)), 0);
    let id = slot.id().clone();
    loop {
        while let Some(command) = slot.next_command() {
            if let Command::Spawn { generation, .. } = command {
                starts += 1;
                slot.handle_spawned(generation, 1, "127.0.0.1:1".parse().unwrap(), *now);
                slot.handle_exit(generation, &exited(1, "it fails"), *now);
            }
        }
        while slot.next_notice().is_some() {}
        match slot.poll_timeout().filter(|at| *at <= end) {
            Some(at) => *now = at.max(*now),
            None => {
                *now = end;
                return starts;
            }
        }
        slot.handle_timeout(*now, &mut fleet.gate(&id));
    }
}

#[test]
fn a_launch_that_changed_ends_a_wait_and_the_same_one_does_not() {
    let now = start_of_time();
    let reason = Reason::new("refused", "it is refused");
    let until = now + Duration::from_secs(200);
    let waiting = Waiting { until, blocked: true, restart: Some(RestartReason::Exit), reason };
    let memory = SlotMemory { launch: Some(launch().facts().fingerprint), waiting: Some(waiting), ..SlotMemory::default() };
    let mut changed = launch();
    changed.protocol = "http2".to_owned();
    for (launch, state) in [(launch(), State::Blocked), (changed, State::Starting)] {
        let mut slot = slot(1);
        slot.resume(memory.clone(), Past::default(), now);
        assert_eq!((slot.state(), slot.poll_timeout()), (State::Blocked, Some(until)));
        slot.handle_wanted(&Arc::new(launch), None, now);
        assert_eq!(slot.state(), state);
    }
}

#[test]
fn a_process_that_ended_in_a_series_of_failures_while_nobody_watched_is_one_more() {
    let now = start_of_time();
    let mut backoff = Backoff::new();
    let mut rng = SmallRng::seed_from_u64(1);
    for _ in 0..5 {
        backoff.fail(&mut rng);
    }
    let memory = SlotMemory { backoff, ran: true, ..SlotMemory::default() };
    let mut slot = slot(1);
    slot.resume(memory, Past::default(), now);
    assert_eq!((slot.state(), &*slot.reason().code), (State::BackingOff, "ended-meanwhile"));
    assert_eq!(slot.memory().backoff.failures(), 6);
}

#[test]
fn what_an_operator_stopped_remembers_no_failure() {
    let now = start_of_time();
    let mut slot = slot(1);
    slot.handle_wanted(&Arc::new(launch()), None, now);
    fail_until(&mut slot, &mut now.clone(), now + Duration::from_secs(10));
    assert!(!slot.memory().is_empty());
    let stop = crate::connector::Stop { by: "ada".into(), at: jiff::Timestamp::UNIX_EPOCH };
    slot.handle_wanted(&Arc::new(launch()), Some(&stop), now);
    assert!(slot.memory().is_empty());
}

fn any_memory(now: Instant) -> impl Strategy<Value = SlotMemory> {
    let reason = || Reason::new("exit", "it failed");
    let waiting = prop::option::of((0u64..100_000, any::<bool>()).prop_map(move |(seconds, blocked)| Waiting {
        until: now + Duration::from_secs(seconds),
        blocked,
        restart: Some(RestartReason::Exit),
        reason: reason(),
    }));
    let failed = prop::option::of((0u64..100_000).prop_map(move |seconds| FailedReplacement {
        retry_at: now + Duration::from_secs(seconds),
        restart: RestartReason::Config,
        reason: reason(),
    }));
    (0u32..50, any::<bool>(), waiting, failed).prop_map(|(failures, ran, waiting, failed_replacement)| {
        let (mut backoff, mut rng) = (Backoff::new(), SmallRng::seed_from_u64(1));
        for _ in 0..failures {
            backoff.fail(&mut rng);
        }
        SlotMemory { backoff, launch: Some(launch().facts().fingerprint), ran, waiting, failed_replacement }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_stale_a_memory_is_it_never_waits_for_longer_than_its_own_retry(memory in any_memory(start_of_time()), seed: u64) {
        let now = start_of_time() + Duration::from_secs(3600);
        let mut slot = slot(seed);
        let blocked = memory.waiting.as_ref().is_some_and(|waiting| waiting.blocked);
        slot.resume(memory, Past::default(), now);
        slot.handle_wanted(&Arc::new(launch()), None, now);
        let longest = if blocked { Settings::default().blocked_retry } else { Backoff::WAIT_MAX };
        if let Some(at) = slot.poll_timeout() {
            prop_assert!(at <= now + longest, "it waits for {:?}", at - now);
        }
    }

    #[test]
    fn a_memory_that_is_taken_up_and_handed_on_is_the_same(memory in any_memory(start_of_time()), seed: u64) {
        let now = start_of_time();
        let mut first = slot(seed);
        first.resume(memory, Past::default(), now);
        let once = first.memory();
        let mut second = slot(seed);
        second.resume(once.clone(), Past::default(), now);
        prop_assert_eq!(second.memory().waiting, once.waiting.clone());
        if once.waiting.is_some() {
            prop_assert_eq!(second.memory(), once);
        }
    }

    #[test]
    fn a_daemon_that_is_killed_at_any_moment_starts_a_failing_connector_no_more_often(
        seed: u64,
        kills in prop::collection::vec(1u64..60_000, 0..60),
    ) {
        let start = start_of_time();
        let end = start + Duration::from_secs(600);
        let wanted = Arc::new(launch());
        let undisturbed = {
            let (mut slot, mut now) = (slot(seed), start);
            slot.handle_wanted(&wanted, None, now);
            fail_until(&mut slot, &mut now, end)
        };
        let (mut current, mut now, mut starts) = (slot(seed), start, 0);
        current.handle_wanted(&wanted, None, now);
        for millis in kills {
            let until = (now + Duration::from_millis(millis)).min(end);
            starts += fail_until(&mut current, &mut now, until);
            let memory = current.memory();
            current = slot(seed ^ millis);
            current.resume(memory, Past::default(), now);
            current.handle_wanted(&wanted, None, now);
        }
        starts += fail_until(&mut current, &mut now, end);
        // Their waits differ by chance: from half of the step to all of it.
        prop_assert!(starts <= 2 * undisturbed + 2, "{starts} starts instead of {undisturbed}");
    }
}
