//! Why a connector, the program that it is, or the host's uplink is as it is.

use super::{Code, NOTHING, code};

/// Reasons of connectors, also while nothing is wrong with them.
pub const CONNECTOR_REASONS: &[Code] = &[
    code("abort", "The daemon was told to stop at once.", NOTHING),
    code("adopted", "An earlier daemon started it, and it has not answered this one yet.", NOTHING),
    code("asked", "Adit told it to stop.", NOTHING),
    code(
        "bad-settings",
        "cloudflared refuses how it is configured.",
        "Correct what its last line names, in the tunnel's definition.",
    ),
    code("bad-token", "Its token is not in Cloudflare's form.", "`adit tunnel rotate` makes another secret."),
    code(
        "cannot-execute",
        "The program could not be executed.",
        "Look at the file's mode, its file system and the host's memory.",
    ),
    code(
        "cannot-hand-over",
        "Its token or configuration could not be handed to it.",
        "Look at the runtime directory: room and rights.",
    ),
    code("cannot-spawn", "No process could be made.", "Look at the host's limits of processes and memory; `adit doctor` does."),
    code("draining-first", "It waits until earlier processes have ended.", NOTHING),
    code("ended-meanwhile", "Its process ended while no daemon ran.", NOTHING),
    code("environment", "DNS or Cloudflare's edge could not be reached.", "Look at the host's network and resolver."),
    code("exit", "It ended by itself, with a failure.", "Its last lines say why: `adit logs TUNNEL`."),
    code(
        "exit-0",
        "It stopped although nobody asked, without a failure.",
        "Look who stops it; something else may manage cloudflared here.",
    ),
    code(
        "flapping",
        "Its connections come and go.",
        "Look at the network between the host and Cloudflare; QUIC needs UDP port 7844.",
    ),
    code(
        "grace-over",
        "It did not finish its requests in its grace period and was killed.",
        "A longer `grace_period`, if requests are long.",
    ),
    code("hung", "Its metrics server stopped answering.", "It is replaced; if that repeats, look at the host's load and memory."),
    code(
        "identity-unproved",
        "A process of an earlier daemon answers and cannot be proved to be ours.",
        "Stop it by hand when it is known what it is.",
    ),
    code("kill-again", "It is still there after it was killed.", "Look for a process that hangs in the kernel (state D)."),
    code("last-to-serve", "It is not wanted any more and goes on until another replica serves.", NOTHING),
    code(
        "lost-connections",
        "It lost its last connection to Cloudflare's edge; it tries again by itself.",
        "If it lasts, look at the network.",
    ),
    code(
        "never-answered",
        "Its metrics server never answered.",
        "Look at its lines (`adit logs TUNNEL`) and at the host's load.",
    ),
    code("no-answer-yet", "It was just started and has not answered yet.", NOTHING),
    code("no-configuration", "It is connected, and the edge has sent no configuration yet.", "If it lasts, look at `adit plan`."),
    code("no-output", "No file for its output could be opened.", "Look at the state directory: room and rights."),
    code(
        "no-uplink",
        "No connector of this host reaches Cloudflare's edge.",
        "Look at the host's network and its firewall (port 7844).",
    ),
    code(
        "not-connected",
        "It has no connection to Cloudflare's edge yet.",
        "If it lasts, look at the network; `adit diagnose` walks the way.",
    ),
    code("not-known-yet", "Whether it is wanted is not known yet.", NOTHING),
    code("not-ready", "It was not ready within its time.", "Its lines say why: `adit logs TUNNEL`."),
    code("not-wanted", "It is not wanted any more.", NOTHING),
    code("operator-stop", "An operator stopped the tunnel.", "`adit tunnel start` ends it."),
    code("out-of-memory", "The kernel killed it for want of memory.", "Give the host more, or the tunnel a `memory_limit`."),
    code("panic", "cloudflared panicked.", "Its last lines are in `adit logs TUNNEL`; another version may be better."),
    code("partly-connected", "Some of its connections are missing; requests get through.", "If it lasts, look at the network."),
    code("port-taken", "Its metrics port was taken; another one is used at once.", NOTHING),
    code("ready", "It is well.", NOTHING),
    code("refused", "cloudflared refuses its arguments.", "Look at `[cloudflared] extra_args` and `env`."),
    code(
        "registration-refused",
        "Cloudflare's edge refuses it.",
        "Its tunnel may be deleted or its secret changed, which Adit looks into; see `adit plan`.",
    ),
    code("replacement-failed", "Its successor did not get ready, so it stays.", "The sentence says why; it is tried again."),
    code("shutdown", "The daemon stops.", NOTHING),
    code("signal", "A signal that Adit did not send ended it.", "Look who sends it; the kernel's log, too."),
    code("starting", "Its process is being started.", NOTHING),
    code("superseded", "What is wanted changed while it started.", NOTHING),
    code("token-refused", "cloudflared cannot use its token.", "`adit tunnel rotate` makes another secret."),
    code(
        "transport-fallback",
        "It is connected over HTTP/2, as QUIC does not get through.",
        "Open UDP port 7844 in the firewall.",
    ),
    code("up", "Nothing shows that Cloudflare's edge cannot be reached.", NOTHING),
    code(
        "usage",
        "cloudflared does not know one of its arguments.",
        "Look at `[cloudflared] extra_args`; its version may be another.",
    ),
];

/// Reasons of the program that connectors are.
pub const PROGRAM_REASONS: &[Code] = &[
    code("binary-missing", "There is no cloudflared.", "Install it, or set `[cloudflared] binary`."),
    code("binary-not-executable", "The file is no executable program.", "Look at its mode and its file system (noexec)."),
    code("binary-silent", "It did not tell its version.", "Run `cloudflared version` by hand."),
    code("binary-too-old", "Its version is too old for Adit.", "Install another one; the sentence has the oldest that will do."),
    code("binary-unknown", "What it says is no version.", "Look which program it is."),
    code(
        "upgrade-rolled-back",
        "A connector failed with another version.",
        "Look at its lines; the next version is tried by itself.",
    ),
];
