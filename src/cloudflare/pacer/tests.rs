use proptest::prelude::*;

use super::*;

fn start() -> Instant {
    Instant::now()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Sends requests as fast as the pacer lets them go, from `now` on, and returns when each one went.
fn send(pacer: &mut Pacer, now: &mut Instant, count: usize) -> Vec<Instant> {
    (0..count)
        .map(|_| {
            loop {
                match pacer.take(*now) {
                    Turn::Now => break *now,
                    Turn::At(next) | Turn::Blocked(next) => {
                        assert!(next > *now, "a turn that is refused lies ahead");
                        *now = next;
                    }
                }
            }
        })
        .collect()
}

/// The most requests in any window of `length` (both ends included).
fn most_in_any_window(sent: &[Instant], length: Duration) -> usize {
    (0..sent.len()).map(|first| sent[first..].iter().take_while(|&&at| at - sent[first] <= length).count()).max().unwrap_or(0)
}

#[test]
fn a_busy_credential_settles_at_its_budget() {
    let mut now = start();
    let sent = send(&mut Pacer::new(3.0), &mut now, 930);
    let lasted = sent[929] - sent[0];
    assert!((seconds(299)..=seconds(301)).contains(&lasted), "30 at once, then 900 at 3/s: {lasted:?}");
}

#[test]
fn a_quiet_credential_may_burst_and_then_waits() {
    let now = start();
    let mut pacer = Pacer::new(3.0);
    for _ in 0..BURST_MAX {
        assert_eq!(pacer.take(now), Turn::Now);
    }
    let Turn::At(next) = pacer.take(now) else { panic!("the burst is used up") };
    assert!(next - now <= Duration::from_millis(334));
}

#[test]
fn no_budget_up_to_four_a_second_passes_cloudflares_window() {
    for per_second in [0.5, 3.0, 3.9, 3.95, 3.999, 4.0] {
        let mut now = start();
        let sent = send(&mut Pacer::new(per_second), &mut now, 3_000);
        assert!(most_in_any_window(&sent, WINDOW) <= 1_200, "{per_second}/s");
    }
}

#[test]
fn a_block_lets_nothing_through_and_leaves_no_burst() {
    let now = start();
    let mut pacer = Pacer::new(3.0);
    let until = pacer.block(seconds(300), now);
    assert_eq!(until, now + seconds(300));
    assert_eq!(pacer.take(now + seconds(299)), Turn::Blocked(until));
    assert_eq!(pacer.budget(now).blocked_until, Some(until));
    assert_eq!(pacer.take(until), Turn::Now);
    assert!(matches!(pacer.take(until), Turn::At(_)));
    assert_eq!(pacer.budget(until).blocked_until, None);
}

#[test]
fn a_block_is_never_shortened() {
    let now = start();
    let mut pacer = Pacer::new(3.0);
    let until = pacer.block(seconds(300), now);
    assert_eq!(pacer.block(seconds(1), now + seconds(1)), until);
    assert_eq!(pacer.block(seconds(300), now + seconds(1)), until + seconds(1));
}

#[test]
fn what_is_left_of_a_scarce_quota_is_spread_until_its_reset() {
    let now = start();
    let mut pacer = Pacer::new(3.0);
    let limit = |remaining, quota, resets| RateLimit { remaining, quota, resets_in: seconds(resets) };
    pacer.observe(&[limit(50, 1_200, 100), limit(40, 100, 60)], now);
    assert_eq!(pacer.budget(now).remaining, Some(40), "the lowest of all items");
    assert_eq!(pacer.take(now), Turn::At(now + seconds(2)), "50 of 1,200 is under a tenth: 100 s / 50");
    assert_eq!(pacer.take(now + seconds(2)), Turn::Now);
    assert_eq!(pacer.take(now + seconds(2)), Turn::At(now + seconds(4)));
    assert_eq!(pacer.take(now + seconds(100)), Turn::Now, "the reset ends it");
    pacer.observe(&[limit(5, 100, 60)], now + seconds(100));
    pacer.observe(&[limit(90, 100, 60)], now + seconds(101));
    assert_eq!(pacer.take(now + seconds(101)), Turn::Now, "a better word ends it");
}

#[test]
fn nothing_left_blocks_until_the_reset_instead_of_waiting_inside_a_call() {
    let now = start();
    let mut pacer = Pacer::new(3.0);
    pacer.observe(&[RateLimit { remaining: 0, quota: 1_200, resets_in: seconds(120) }], now);
    assert_eq!(pacer.take(now), Turn::Blocked(now + seconds(120)));
    assert_eq!(pacer.take(now + seconds(120)), Turn::Now);
}

#[test]
fn an_answer_without_limits_changes_nothing() {
    let now = start();
    let mut pacer = Pacer::new(3.0);
    pacer.observe(&[RateLimit { remaining: 0, quota: 1_200, resets_in: seconds(120) }], now);
    pacer.observe(&[], now);
    assert!(matches!(pacer.take(now), Turn::Blocked(_)));
}

proptest! {
    #[test]
    fn no_window_ever_sees_more_than_its_share(
        per_second in 0.05_f64..3.99,
        pauses in prop::collection::vec((0_u64..20_000, 1_usize..40), 1..40),
        window in 1_u64..400,
    ) {
        let mut pacer = Pacer::new(per_second);
        let mut now = start();
        let mut sent = Vec::new();
        for (pause, count) in pauses {
            now += Duration::from_millis(pause);
            sent.extend(send(&mut pacer, &mut now, count));
        }
        let burst = (1_200.0 - per_second * 300.0).clamp(1.0, BURST_MAX as f64);
        let share = (per_second * window as f64 + burst).floor() as usize;
        prop_assert!(most_in_any_window(&sent, seconds(window)) <= share);
        prop_assert!(most_in_any_window(&sent, WINDOW) <= 1_200);
    }

    #[test]
    fn whatever_happens_a_refused_turn_comes_and_a_block_holds(
        events in prop::collection::vec((0_u64..30_000, 0_u8..4, 0_u64..400, 0_u64..200), 1..60),
    ) {
        let mut pacer = Pacer::new(3.0);
        let mut now = start();
        let mut blocked_until = now;
        for (pause, event, amount, resets) in events {
            now += Duration::from_millis(pause);
            match event {
                0 => blocked_until = blocked_until.max(pacer.block(seconds(amount), now)),
                1 => pacer.observe(&[RateLimit { remaining: amount, quota: 1_200, resets_in: seconds(resets) }], now),
                _ => prop_assert!(send(&mut pacer, &mut now, 1)[0] >= blocked_until),
            }
        }
    }
}

#[test]
fn a_daemon_that_crashes_again_and_again_stays_within_the_budget() {
    let mut now = start();
    let (mut kept, mut sent): (Option<(Spent, Instant)>, Vec<Instant>) = (None, Vec::new());
    for life in 0..20 {
        let mut pacer = Pacer::new(3.0);
        if let Some((spent, at)) = kept {
            let since = now - at;
            let left = |span: Duration| span.saturating_sub(since);
            pacer.resume(Spent { ahead: left(spent.ahead), blocked: left(spent.blocked) }, now);
        }
        // It lives for three seconds, asks as fast as it may, and is killed without a word.
        let end = now + seconds(3);
        loop {
            match pacer.take(now) {
                Turn::Now => {
                    kept = pacer.due_to_keep(now).map(|spent| (spent, now)).or(kept);
                    sent.push(now);
                }
                Turn::At(next) if next < end => now = next,
                Turn::At(_) => break,
                Turn::Blocked(_) => panic!("life {life} is blocked"),
            }
        }
        now = end;
    }
    assert!(sent.len() <= 30 + 20 * 3 * 3, "{} requests in a minute", sent.len());
    assert!(sent.len() >= 60, "and it does not starve: {}", sent.len());
    assert!(most_in_any_window(&sent, WINDOW) <= 1_200);
}

#[test]
fn a_block_is_obeyed_by_the_next_daemon() {
    let now = start();
    let mut pacer = Pacer::new(3.0);
    pacer.block(seconds(120), now);
    let spent = pacer.due_to_keep(now).expect("a block is written down at once");
    let mut next = Pacer::new(3.0);
    next.resume(spent, now);
    assert!(matches!(next.take(now + seconds(119)), Turn::Blocked(_)));
    assert_eq!(next.take(now + seconds(120)), Turn::Now);
    assert!(matches!(next.take(now + seconds(120)), Turn::At(_)), "and there is no burst behind it");
}

#[test]
fn what_is_spent_is_written_down_once_for_many_requests() {
    let mut now = start();
    let mut pacer = Pacer::new(3.0);
    let mut written = 0;
    for _ in 0..110 {
        now = *send(&mut pacer, &mut now, 1).last().unwrap();
        written += usize::from(pacer.due_to_keep(now).is_some());
    }
    assert_eq!(written, 10, "every eleventh");
}

proptest! {
    #[test]
    fn nothing_that_is_kept_holds_a_daemon_up_for_ever(ahead in any::<u32>(), blocked in any::<u32>()) {
        let now = start();
        let mut pacer = Pacer::new(3.0);
        pacer.resume(Spent { ahead: seconds(u64::from(ahead)), blocked: seconds(u64::from(blocked)) }, now);
        match pacer.take(now) {
            Turn::Now => {}
            Turn::At(next) => prop_assert!(next <= now + seconds(5)),
            Turn::Blocked(until) => prop_assert!(until <= now + seconds(2 * 24 * 3_600)),
        }
    }

    #[test]
    fn no_lives_however_short_pass_cloudflares_window(
        per_second in 0.1_f64..4.0,
        lives in prop::collection::vec((0_u64..20_000, 1_usize..60), 1..60),
    ) {
        let (mut now, mut kept, mut sent): (_, Option<(Spent, Instant)>, _) = (start(), None, Vec::new());
        for (pause, count) in lives {
            now += Duration::from_millis(pause);
            let mut pacer = Pacer::new(per_second);
            if let Some((spent, at)) = kept {
                let left = |span: Duration| span.saturating_sub(now - at);
                pacer.resume(Spent { ahead: left(spent.ahead), blocked: left(spent.blocked) }, now);
            }
            for _ in 0..count {
                sent.extend(send(&mut pacer, &mut now, 1));
                kept = pacer.due_to_keep(now).map(|spent| (spent, now)).or(kept);
            }
        }
        prop_assert!(most_in_any_window(&sent, WINDOW) <= 1_200);
    }
}
