step 'a Prometheus beside the machine scrapes it'
until_true 'both connectors are ready' ready
nsenter --net="/proc/$sandbox/ns/net" tests/systemd/scrape.sh "$overlay" || fail 'Prometheus does not see the tunnel'
expect_nothing_lost metrics
