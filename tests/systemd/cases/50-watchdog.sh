step 'SIGSTOP: the watchdog ends the daemon, connectors stay'
remember
pid=$(daemon)
inside kill -STOP "$pid"
until_within 60 'the watchdog acts' is_next "$pid"
expect_same_connectors
expect_nothing_lost front
expect_no_refusal control metrics
