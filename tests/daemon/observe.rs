//! `[daemon] apply = "observe"`: a first run against an account that writes nothing.

use crate::host::Host;

const WEB: &str = "[tunnels.web]\ningress = [{ hostname = \"app.example.com\", service = \"ORIGIN\" }]";

#[tokio::test]
async fn a_host_that_only_observes_says_so_and_writes_nothing_until_the_key_changes() {
    let host = Host::prepare().await;
    let before = host.snapshot();
    let observing = host.configuration(WEB).replace("[daemon]\n", "[daemon]\napply = \"observe\"\n");
    host.write_configuration(&observing);
    host.start().await;

    let planned = host.adit(&["plan"]).await;
    assert_eq!(planned.code, Some(2), "{planned:?}");
    assert!(planned.stdout.contains("API calls") && planned.stdout.contains("observe-only"), "{planned:?}");
    let refused = host.adit(&["apply", "--yes"]).await;
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.contains("apply = \"observe\""), "{refused:?}");
    for writing in [&["apply", "--prune", "--yes"][..], &["gc", "--plan", "0123456789abcdef", "--yes"]] {
        let refused = host.adit(writing).await;
        assert_eq!(refused.code, Some(5), "{refused:?}");
        assert!(refused.stderr.contains("apply = \"observe\""), "{refused:?}");
    }
    host.until("the status has it", async |host| host.adit(&["status"]).await.stdout.contains("observe-only")).await;
    assert_eq!(host.snapshot(), before);

    host.configure(WEB);
    let applied = host.adit(&["apply", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    host.until_all_serve().await;
}
