//! What health finds by itself; of holds, connectors and the program it takes over the code.

use super::{Code, code};

/// Codes of health's own findings.
pub const FINDINGS: &[Code] = &[
    code(
        "common-cause",
        "Most connectors have trouble at the same time, so none that lives is replaced for it.",
        "Look at what they share: the network, the host's load.",
    ),
    code("config-refused", "The configuration's files are wrong and not in force.", "`adit config check` has every problem."),
    code(
        "conflict",
        "Somebody else holds a name that is wanted.",
        "`adit route adopt` or `adit tunnel adopt`, or choose another name.",
    ),
    code(
        "credential-refused",
        "Cloudflare refuses the API token, or it lacks a permission.",
        "`adit credential check` names the permission.",
    ),
    code(
        "definition-unreadable",
        "The definition of a tunnel made over the socket cannot be read.",
        "Restore its file in the state directory; its connectors run on.",
    ),
    code("plan-waiting", "A plan waits for an operator.", "Read `adit plan`, then `adit apply`."),
    code(
        "replacement-failed",
        "A connector should be replaced, and its successor does not get ready.",
        "The sentence says why; the connector serves on.",
    ),
    code("state-unreadable", "A part of the state directory cannot be read.", "Restore it; what it is about is left as it is."),
    code("sync-failed", "The last comparison with Cloudflare failed.", "If it lasts, look at the sentence and at `adit events`."),
    code("tunnel-degraded", "Some connectors of a tunnel do not serve.", "`adit status TUNNEL` has each one's reason."),
    code(
        "tunnel-down",
        "No connector of a tunnel serves.",
        "`adit status TUNNEL` has each one's reason, `adit logs TUNNEL` their lines.",
    ),
    code(
        "tunnel-pending",
        "A tunnel has no connector, as it is still to be made at Cloudflare.",
        "`adit plan` says what it waits for.",
    ),
];
