//! `adit apply --prune`: the plan exactly as it was shown, and besides what tunnels left behind that are gone from the files.

use crate::host::Host;

const TWO: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]
[tunnels.old]\ningress = [{ hostname = \"old.example.com\", service = \"ORIGIN\" }]";
const ONE: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";
const OTHER: &str = "[tunnels.web]\ningress = [{ hostname = \"new.example.com\", service = \"ORIGIN\" }]";

#[tokio::test]
async fn a_plan_that_waits_and_what_was_left_over_before_go_in_one_apply() {
    let host = Host::serving(TWO).await;
    host.configure(ONE);
    let reloaded = host.adit(&["config", "reload"]).await;
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    host.until("the tunnel left and nobody is connected to it", async |host| {
        host.connectors().len() == 1 && host.adit(&["gc"]).await.stdout.contains("1 can be deleted")
    })
    .await;
    assert_eq!(host.snapshot().records_named("old.example.com").len(), 1);

    host.write_configuration(&host.configuration(OTHER).replace("[daemon]\n", "[daemon]\napply = \"ask\"\n"));
    let pruned = host.adit(&["apply", "--prune", "--yes"]).await;
    assert_eq!(pruned.code, Some(0), "{pruned:?}");
    let there = host.snapshot();
    assert_eq!(there.records_named("new.example.com").len(), 1);
    assert!(there.records_named("old.example.com").is_empty());
    assert_eq!(there.tunnels.values().filter(|tunnel| !tunnel.deleted).count(), 1);
}
