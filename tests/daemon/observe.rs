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

    // What was only looked at was never applied: under "ask" it waits, also over a restart.
    host.write_configuration(&observing.replace("\"observe\"", "\"ask\""));
    assert_eq!(host.adit(&["config", "reload"]).await.code, Some(0));
    for _ in 0..2 {
        let waits = async |host: &Host| host.adit(&["status"]).await.stdout.contains("waits-for-apply");
        host.until("the configuration waits", waits).await;
        assert_eq!(host.adit(&["plan"]).await.code, Some(2));
        assert_eq!(host.snapshot(), before);
        assert_eq!(host.terminate().await, Some(0));
        host.start().await;
    }

    host.configure(WEB);
    let applied = host.adit(&["apply", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    host.until_all_serve().await;
}
