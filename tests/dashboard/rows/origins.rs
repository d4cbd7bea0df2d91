//! Whether what the tunnels publish answers, looked at from this host and from outside.

use super::{greatest, not_always};
use crate::dashboard::panel::Panel;

const OF_ROUTE: &str = "{{tunnel}} {{route}} on {{instance}}";
const LABELS: &str = "job, instance, tunnel, route";

pub(super) fn panels() -> Vec<Panel> {
    vec![
        Panel::stat("Routes without an origin", 4, "Routes whose origin did not answer its last check; visitors of them get a 502.")
            .height(8)
            .query("sum(adit_origin_up{tunnel} == bool 0)", "")
            .steps("green", &[(1.0, "red")])
            .none("nothing is checked"),
        Panel::timeline(
            "Origins that did not always answer",
            10,
            "Routes whose origin did not answer a check at some time of the graph; empty when all of them answered throughout.",
        )
        .query(not_always("adit_origin_up{tunnel}", LABELS), OF_ROUTE)
        .words("answers", "does not answer")
        .none("all answered throughout"),
        Panel::timeline(
            "Probes from outside that did not always succeed",
            10,
            "Routes that could not be reached through their public hostname at some time of the graph; empty when all could throughout.",
        )
        .query(not_always("adit_probe_success{tunnel}", LABELS), OF_ROUTE)
        .words("reached", "not reached")
        .none("all were reached throughout"),
        Panel::lines("Duration of probes", 12, "How long a request through the public hostname took, for the 20 slowest routes.")
            .query(greatest("adit_probe_duration_seconds{tunnel}"), OF_ROUTE)
            .unit("s")
            .min(0.0),
        Panel::lines("Age of origin checks", 12, "How long ago the origin of a route was last checked, for the 20 longest; what is old is unknown.")
            .query(greatest("time() - adit_origin_check_timestamp_seconds{tunnel}"), OF_ROUTE)
            .unit("s")
            .min(0.0),
    ]
}
