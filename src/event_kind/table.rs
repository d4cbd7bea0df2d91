//! The table of kinds.

use super::{Field, Level, Reasons};

/// A row is: the variant, its word, the levels it can have, the fields it can name, where its reason comes from, and its meaning.
macro_rules! kinds {
    ($($name:ident $word:literal [$($level:ident)+] [$($field:ident)*] ($reasons:expr) $meaning:literal;)+) => {
        /// What kind of event something is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum EventKind {
            $(#[doc = $meaning] $name,)+
        }

        impl EventKind {
            /// All of them, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable word, such as `connector-exited`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// How loud it can be; more than one where that depends on the case.
            pub fn levels(self) -> &'static [Level] {
                match self {
                    $(Self::$name => &[$(Level::$level),+],)+
                }
            }

            /// What it can name as its subject.
            pub fn fields(self) -> &'static [Field] {
                match self {
                    $(Self::$name => &[$(Field::$field),*],)+
                }
            }

            /// Where the code of its reason comes from.
            pub fn reasons(self) -> Reasons {
                match self {
                    $(Self::$name => $reasons,)+
                }
            }

            /// What it means, in a sentence or two.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)+
                }
            }
        }
    };
}

use Reasons::{Check, Connector, Hold, Hook, None as Nothing, Pass, Program, Restart, Step, Verb, Words};

const FROM_SIGNAL: Reasons =
    Words(&[("SIGTERM", "systemd, or whoever stopped the daemon."), ("SIGINT", "Ctrl-C in a terminal.")]);
const UPLINK_END: Reasons = Words(&[
    ("edge-answers", "Cloudflare's edge answers again."),
    ("connected", "A connector got through by itself."),
    ("not-needed", "No connector needs the edge any more."),
]);
const BRAKE_END: Reasons = Words(&[
    ("recovered", "Half of the connectors or more are well again."),
    ("canary-ready", "The connector that was tried got through."),
    ("time-over", "The trouble lasts too long to wait for its end."),
]);
const ROTATION: Reasons = Words(&[
    ("operator", "An operator asked for it."),
    ("schedule", "The secret reached the age of `rotate_every`."),
    ("emergency", "An operator asked for it, and whoever else is connected is cut off."),
]);

kinds! {
    // The daemon.
    DaemonStarted "daemon-started" [Info] [] (Nothing)
        "The daemon runs and answers.";
    DaemonDied "daemon-died" [Error] [] (Nothing)
        "The daemon before this one did not end by itself: it crashed, or somebody, the kernel or systemd's watchdog killed it.";
    DaemonStopping "daemon-stopping" [Info] [] (FROM_SIGNAL)
        "The daemon was told to stop and drains every connector.";
    ConnectorsBoxed "connectors-boxed" [Info] [] (Nothing)
        "Connectors cannot open Adit's own files, nor each other's.";
    ConnectorsNotBoxed "connectors-not-boxed" [Info] [] (Nothing)
        "The kernel has no Landlock, so connectors are not kept from Adit's own files.";
    ConfigAccepted "config-accepted" [Info] [] (Nothing)
        "A configuration is in force.";
    ConfigRefused "config-refused" [Error] [] (Nothing)
        "The files are wrong and the configuration before them stays in force; the sentence has the problems. See `adit config check`.";
    StateNotWritten "state-not-written" [Error] [] (Nothing)
        "The state directory cannot be written. Look for a full or read-only disk; what is in force stays in force.";
    StateNotRead "state-not-read" [Error] [] (Nothing)
        "A part of the state directory cannot be read, and what it is about is left as it is.";
    AuditNotWritten "audit-not-written" [Error] [] (Nothing)
        "The audit log cannot be written; its entries are in the log meanwhile.";
    OperatorActed "operator-acted" [Info] [Tunnel] (Verb)
        "Somebody changed something over the control socket; `adit audit` has who, from where and how it ended.";
    CredentialRead "credential-read" [Info] [Account] (Nothing)
        "An API token was read, or another one was.";
    CredentialExpires "credential-expires" [Warn Error] [Account] (Nothing)
        "An API token stops working soon; an error within its last day. Put another one in its place.";
    CredentialFailed "credential-failed" [Error] [Account] (Nothing)
        "An API token cannot be read, or Cloudflare refuses it. Tunnels run on; nothing at Cloudflare is changed.";
    HookFailed "hook-failed" [Warn] [] (Hook)
        "A hook cannot be told of events; said once until it is well again. Never sent to hooks.";
    HookDropped "hook-dropped" [Warn] [] (Hook)
        "A hook is slower than events come, and some were left out; said once until it is well again. Never sent to hooks.";
    HookRecovered "hook-recovered" [Info] [] (Hook)
        "A hook is told of events again, with how many it missed. Never sent to hooks.";

    // Connectors.
    ConnectorStarting "connector-starting" [Info] [Tunnel Replica Generation] (Restart)
        "A connector's process is being started; with a reason where it is a restart.";
    ConnectorStarted "connector-started" [Info] [Tunnel Replica Generation] (Connector)
        "A connector's process runs.";
    ConnectorAdopted "connector-adopted" [Info] [Tunnel Replica Generation] (Connector)
        "A process of an earlier daemon was found, proved to be ours and goes on.";
    ConnectorQuarantined "connector-quarantined" [Warn] [Tunnel Replica Generation] (Connector)
        "A process of an earlier daemon answers but cannot be proved to be ours: it is watched and never signalled.";
    ConnectorAbandoned "connector-abandoned" [Warn] [Tunnel Replica Generation] (Connector)
        "A process of an earlier daemon cannot be proved to be ours and is left to itself.";
    ConnectorCannotStart "connector-cannot-start" [Warn] [Tunnel Replica Generation] (Connector)
        "No process could be started.";
    ConnectorReady "connector-ready" [Info] [Tunnel Replica Generation] (Connector)
        "A connector carries requests for the first time since its start.";
    ConnectorDegraded "connector-degraded" [Warn] [Tunnel Replica Generation] (Connector)
        "A connector lost some of its connections; requests still get through.";
    ConnectorLostConnections "connector-lost-connections" [Warn] [Tunnel Replica Generation] (Connector)
        "A connector lost its last connection and serves nobody.";
    ConnectorRecovered "connector-recovered" [Info] [Tunnel Replica Generation] (Connector)
        "What was amiss with a connector is over.";
    ConnectorHung "connector-hung" [Warn] [Tunnel Replica Generation] (Connector)
        "A connector's metrics server stopped answering; it is replaced.";
    ConnectorNeverAnswered "connector-never-answered" [Warn] [Tunnel Replica Generation] (Connector)
        "A connector never answered after its start and is given up.";
    ConnectorExited "connector-exited" [Info Warn] [Tunnel Replica Generation] (Connector)
        "A connector's process ended; a warning where nobody asked it to.";
    ConnectorBackingOff "connector-backing-off" [Warn] [Tunnel Replica Generation] (Connector)
        "A connector failed and starts again after a wait.";
    ConnectorHeld "connector-held" [Info] [Tunnel Replica Generation] (Connector)
        "A connector waits longer than its own pace asks for.";
    ConnectorBlocked "connector-blocked" [Error] [Tunnel Replica Generation] (Connector)
        "A connector failed in a way that only a change can cure; it is tried seldom, and at once when something changes.";
    ConnectorReplacing "connector-replacing" [Info] [Tunnel Replica Generation] (Restart)
        "A successor is started beside a connector that goes on.";
    ConnectorReplaced "connector-replaced" [Info] [Tunnel Replica Generation] (Restart)
        "The successor serves from here on, and the one before finishes its requests.";
    ConnectorReplacementFailed "connector-replacement-failed" [Warn] [Tunnel Replica Generation] (Connector)
        "The successor did not get ready: the connector that serves stays.";
    ConnectorSpared "connector-spared" [Info] [Tunnel Replica Generation] (Connector)
        "A connector is not wanted any more and goes on until another replica of its tunnel serves.";
    ConnectorDraining "connector-draining" [Info] [Tunnel Replica Generation] (Connector)
        "A connector finishes its requests and ends.";
    ConnectorKilled "connector-killed" [Warn] [Tunnel Replica Generation] (Connector)
        "A connector was killed; its open requests were cut.";
    ConnectorStopped "connector-stopped" [Info] [Tunnel Replica Generation] (Connector)
        "Nothing of a connector runs any more, as it was wanted.";
    ConnectorReading "connector-reading" [Reading] [Tunnel Replica Generation] (Connector)
        "What a connector reported, without a change worth telling.";
    ConnectorRegistrationRefused "connector-registration-refused" [Warn] [Tunnel Replica Generation]
        (Words(&[("registration-refused", "The edge refuses the connector: its tunnel may be deleted, or its secret changed.")]))
        "Cloudflare's edge does not register a connector.";
    ConnectorConfigurationRefused "connector-configuration-refused" [Warn] [Tunnel Replica Generation]
        (Words(&[("configuration-refused", "cloudflared cannot use the version that it was sent.")]))
        "A connector cannot use its configuration and keeps the one before.";
    ConnectorFellBack "connector-fell-back" [Warn] [Tunnel Replica Generation]
        (Words(&[("transport-fallback", "QUIC (UDP port 7844) does not get through; open it in the firewall.")]))
        "A connector goes over from QUIC to HTTP/2.";
    ConnectorFlapping "connector-flapping" [Warn] [Tunnel Replica Generation]
        (Words(&[("flapping", "Connections come and go within a minute or so.")]))
        "A connector registers connections again and again.";
    ConnectorLogUnavailable "connector-log-unavailable" [Warn] [Tunnel Replica Generation] (Connector)
        "A connector runs, and its output is lost to the log store.";
    ConnectorRemembered "connector-remembered" [Reading] [Tunnel Replica Generation] (Connector)
        "How often a connector was started again before this daemon.";
    ConnectorRenamed "connector-renamed" [Info] [Tunnel Replica Generation] (Connector)
        "A connector goes on under its tunnel's other name; its process is the same.";
    ConnectorForgotten "connector-forgotten" [Info] [Tunnel Replica Generation] (Connector)
        "A connector is no more.";

    // The program that connectors are.
    CloudflaredInUse "cloudflared-in-use" [Info] [] (Nothing)
        "Connectors are started as this version of cloudflared.";
    CloudflaredUnusable "cloudflared-unusable" [Warn] [] (Program)
        "The cloudflared that was found cannot be used; connectors stay with the one before, if there is one.";
    UpgradeFound "upgrade-found" [Info] [] (Nothing)
        "Another version of cloudflared was found.";
    UpgradeCanaryStarted "upgrade-canary-started" [Info] [Tunnel Replica] (Nothing)
        "One connector tries the other version first.";
    UpgradeCanaryPassed "upgrade-canary-passed" [Info] [Tunnel Replica] (Nothing)
        "The connector that tried it is well, and the others follow one after another.";
    UpgradePostponed "upgrade-postponed" [Warn] [Tunnel Replica] (Connector)
        "Nothing could be learnt from the connector that tried it; another try follows.";
    UpgradeConfirmed "upgrade-confirmed" [Info] [] (Nothing)
        "Every connector is the other version, and well.";
    UpgradeRolledBack "upgrade-rolled-back" [Error] [Tunnel Replica] (Connector)
        "A connector failed with the other version: those that are it become what they were.";

    // The host's uplink.
    UplinkLost "uplink-lost" [Error] [] (Words(&[("no-uplink", "No connector of this host reaches Cloudflare's edge.")]))
        "No connector has a connection and the edge does not answer; none is restarted for it. Look at the host's network.";
    UplinkBack "uplink-back" [Info] [] (UPLINK_END)
        "The edge can be reached again.";
    ClockStepped "clock-stepped" [Info] [] (Nothing)
        "The host's clock was set, or the host slept; connectors without a connection start anew.";
    BrakeOn "brake-on" [Warn] [] (Words(&[("common-cause", "Most connectors of the host have trouble at the same time.")]))
        "Most connectors stumbled at once, so that none that lives is replaced for it, except one at a time.";
    BrakeOff "brake-off" [Info] [] (BRAKE_END)
        "Every connector goes by its own rules again.";

    // Origins, and the way of visitors.
    OriginDown "origin-down" [Warn] [Tunnel] (Check)
        "An origin does not answer as it should: visitors get an error, and no connector is restarted for it.";
    OriginUp "origin-up" [Info] [Tunnel] (Check)
        "An origin that was down answers again.";
    ProbeFailed "probe-failed" [Warn] [Tunnel] (Check)
        "A request to the public hostname, as visitors make it, did not get through.";
    ProbeSucceeded "probe-succeeded" [Info] [Tunnel] (Check)
        "Visitors get through again.";
    RoutesChecked "routes-checked" [Reading] [] (Nothing)
        "Checks of routes began, ended, or found what was known already.";

    // Provisioning.
    AccountSeen "account-seen" [Reading] [Account] (Nothing)
        "What is known of an account changed.";
    PassFinished "pass-finished" [Reading] [Account] (Pass)
        "A comparison with Cloudflare has ended; whatever went wrong in it has an event of its own.";
    StepApplied "step-applied" [Info] [Account Tunnel] (Step)
        "A change at Cloudflare, or in what is on record of it, was made.";
    StepFailed "step-failed" [Warn Error] [Account Tunnel] (Step)
        "A change failed and is tried again; an error where nothing helps until somebody acts.";
    HoldBegan "hold-began" [Info Warn] [Account Tunnel] (Hold)
        "Something is left as it is from here on; a warning unless it ends by itself.";
    HoldEnded "hold-ended" [Info] [Account Tunnel] (Hold)
        "What was held goes on.";
    ConflictBegan "conflict-began" [Warn] [Account Tunnel] (Nothing)
        "Somebody else holds a name that is wanted. It is left alone until `adit route adopt` or `adit tunnel adopt`.";
    ConflictEnded "conflict-ended" [Info] [Account Tunnel] (Nothing)
        "A name that somebody else held is free, or not wanted any more.";
    EditFound "edit-found" [Warn] [Account Tunnel] (Nothing)
        "Somebody else changed a tunnel's configuration; the edit is kept in the state directory and written over.";
    EditOverwritten "edit-overwritten" [Warn] [Account Tunnel] (Nothing)
        "Somebody wrote a configuration between reading and writing it; what they wrote is lost.";
    TunnelGone "tunnel-gone" [Warn] [Account Tunnel] (Nothing)
        "A tunnel was deleted at Cloudflare behind Adit's back; it is made again with another secret.";
    RateLimited "rate-limited" [Warn] [Account] (Nothing)
        "Cloudflare's rate limit is reached, and nothing is asked for a while.";
    StateUnwritable "state-unwritable" [Error] [Account] (Nothing)
        "The state directory takes no more: what happened is known until the daemon ends. Make room on the disk.";
    ConnectionsCut "connections-cut" [Warn] [Account Tunnel] (Nothing)
        "Connectors of another host lost their connections, because their tunnel is being deleted.";
    RogueConnectorsFound "rogue-connectors-found" [Warn] [Account Tunnel] (Nothing)
        "Connectors that are no processes of this host are connected to a tunnel of ours: somebody else has its token.";
    RogueConnectorsGone "rogue-connectors-gone" [Info] [Account Tunnel] (Nothing)
        "No connector of anybody else is connected to the tunnel any more.";
    OrphanDeleted "orphan-deleted" [Info] [Account] (Nothing)
        "Something left over was deleted, because an operator chose it.";
    OrphanKept "orphan-kept" [Warn] [Account] (Nothing)
        "Something that an operator chose for deletion stays; the sentence says why.";
    RotationBegun "rotation-begun" [Info] [Account Tunnel] (ROTATION)
        "A tunnel gets another secret.";
    RotationPlaced "rotation-placed" [Info] [Account Tunnel] (Nothing)
        "Cloudflare has the new secret, and the tunnel's connectors are replaced.";
    RotationCutOff "rotation-cut-off" [Warn] [Account Tunnel] (Nothing)
        "Connectors that do not run here were cut off.";
    RotationFinished "rotation-finished" [Info] [Account Tunnel] (Nothing)
        "Nothing here holds the secret before any more.";
    RotationFailed "rotation-failed" [Warn] [Account Tunnel] (Nothing)
        "A tunnel's secret is not replaced; it is tried again.";
}
