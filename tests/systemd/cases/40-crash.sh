for signal in KILL ABRT; do
    step "SIG$signal of the daemon: connectors stay, systemd starts the next daemon, nobody is refused"
    remember
    pid=$(daemon)
    inside kill -"$signal" "$pid"
    until_true 'the next daemon runs' is_next "$pid"
    expect_same_connectors
    expect_nothing_lost front
    expect_no_refusal control metrics
done

step 'a connector dies while the daemon cannot see it: noticed and replaced'
remember
pid=$(daemon)
victim=${before%% *}
inside kill -STOP "$pid"
inside kill -KILL "$victim"
inside kill -KILL "$pid"
until_true 'the next daemon runs' is_next "$pid"
until_true 'both connectors are ready, one of them another' is_replaced "$victim"
connectors | grep -qw "$(awk '{ print $2 }' <<<"$before")" || fail 'the other connector was replaced as well'
kept_traffic
expect_nothing_lost front
