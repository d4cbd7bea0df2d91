//! What can go wrong: every class, what it may cost and what it needs of the host.

use std::collections::BTreeSet;

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident = $name:literal in $class:ident;)*) => {
        /// One way in which things go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Fault { $($(#[$doc])* $fault,)* }

        impl Fault {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$fault,)*];

            /// Its name, for options and the report.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$fault => $name,)* }
            }

            /// Where it strikes.
            pub(crate) fn class(self) -> Class {
                match self { $(Self::$fault => Class::$class,)* }
            }
        }
    };
}

/// Where something goes wrong. In one squall there is at most one fault of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Process,
    Daemon,
    Api,
    Disk,
    Clock,
    Network,
    Descriptors,
}

faults! {
    /// kill -9 of one connector of every second tunnel at once.
    ConnectorsKilled = "connectors-killed" in Process;
    /// SIGSTOP of connectors, until they are replaced.
    ConnectorsStopped = "connectors-stopped" in Process;
    /// Connectors whose metrics server stops answering while they serve.
    ConnectorsHung = "connectors-hung" in Process;
    /// Connectors exit with all kinds of codes, and those of one tunnel crash at their start.
    ExitStorm = "exit-storm" in Process;
    /// Connectors of a tunnel grow, and one after another is killed by itself, as the kernel does it.
    OutOfMemory = "out-of-memory" in Process;
    /// Connectors write a lot.
    LogFlood = "log-flood" in Process;
    /// Connectors of one tunnel do not heed SIGTERM, and the tunnel is restarted.
    TermIgnored = "term-ignored" in Process;

    /// kill -9 of the daemon, and another one.
    DaemonKilled = "daemon-killed" in Daemon;
    /// The daemon stops, and is killed as by a watchdog.
    DaemonHung = "daemon-hung" in Daemon;
    /// SIGSTOP and SIGCONT of the daemon.
    DaemonPaused = "daemon-paused" in Daemon;
    /// SIGTERM, and another one: everything is drained and starts again.
    DaemonStopped = "daemon-stopped" in Daemon;
    /// The daemon is told to detach, and another one comes.
    DaemonReplaced = "daemon-replaced" in Daemon;
    /// Good files and SIGHUP, again and again.
    Reloads = "reloads" in Daemon;
    /// Files with a mistake and SIGHUP, and a daemon that has to start with them.
    BadFiles = "bad-files" in Daemon;
    /// The daemon and every connector stand still and go on, as a host that slept.
    Suspended = "suspended" in Daemon;

    /// Every call fails with 5xx, some with a page of HTML.
    ApiDown = "api-down" in Api;
    /// 429 with `Retry-After`.
    ApiThrottles = "api-throttles" in Api;
    /// No answer ever, or after seconds.
    ApiHangs = "api-hangs" in Api;
    /// Connections close before or after the call happened: writes whose answer is lost.
    ApiDrops = "api-drops" in Api;
    /// Lists that are cut short or empty, and writes that are said to be done.
    ApiLies = "api-lies" in Api;
    /// Answers that are no JSON, of another shape, cut off, or never end.
    ApiGarbage = "api-garbage" in Api;
    /// The API token is switched off.
    TokenRefused = "token-refused" in Api;
    /// Somebody deletes records and edits configurations of ours.
    Edits = "edits" in Api;

    /// The state directory is full.
    StateFull = "state-full" in Disk;
    /// The state directory is read-only.
    StateReadOnly = "state-read-only" in Disk;
    /// Whoever writes to the state directory waits.
    StateHangs = "state-hangs" in Disk;
    /// The runtime directory is full.
    RuntimeFull = "runtime-full" in Disk;
    /// Both directories are full.
    BothFull = "both-full" in Disk;

    /// The daemon's wall clock goes forward by hours, or years.
    ClockForward = "clock-forward" in Clock;
    /// The daemon's wall clock goes back by hours, or years.
    ClockBack = "clock-back" in Clock;

    /// The edge refuses connections, and those that stand break.
    EdgeDown = "edge-down" in Network;
    /// Every packet to and from the edge is lost.
    EdgeSilent = "edge-silent" in Network;
    /// Registrations at the edge are refused.
    EdgeRefuses = "edge-refuses" in Network;
    /// "quic" gets nothing through.
    UdpBlocked = "udp-blocked" in Network;
    /// Names are not resolved: by whoever starts, and for the checks of routes.
    DnsDead = "dns-dead" in Network;
    /// The network interface is down.
    UplinkAway = "uplink-away" in Network;
    /// Some packets are lost.
    PacketLoss = "packet-loss" in Network;
    /// The origins refuse connections.
    OriginDown = "origin-down" in Network;

    /// The daemon may open no more than a few descriptors more.
    DescriptorsOut = "descriptors-out" in Descriptors;
}

impl Fault {
    /// Whether a visitor of any tunnel may lose a request by it. By all others none may but those on connectors that were felled.
    pub(crate) fn cuts_off(self) -> bool {
        match self {
            Self::DaemonStopped
            | Self::Suspended
            | Self::Edits
            | Self::EdgeDown
            | Self::EdgeSilent
            | Self::EdgeRefuses
            | Self::UdpBlocked
            | Self::UplinkAway
            | Self::PacketLoss
            | Self::OriginDown => true,
            Self::ConnectorsKilled
            | Self::ConnectorsStopped
            | Self::ConnectorsHung
            | Self::ExitStorm
            | Self::OutOfMemory
            | Self::LogFlood
            | Self::TermIgnored
            | Self::DaemonKilled
            | Self::DaemonHung
            | Self::DaemonPaused
            | Self::DaemonReplaced
            | Self::Reloads
            | Self::BadFiles
            | Self::ApiDown
            | Self::ApiThrottles
            | Self::ApiHangs
            | Self::ApiDrops
            | Self::ApiLies
            | Self::ApiGarbage
            | Self::TokenRefused
            | Self::StateFull
            | Self::StateReadOnly
            | Self::StateHangs
            | Self::RuntimeFull
            | Self::BothFull
            | Self::ClockForward
            | Self::ClockBack
            | Self::DnsDead
            | Self::DescriptorsOut => false,
        }
    }

    /// Whether a new connector can help against it, so that one for each that runs may be started (and again when it is over).
    pub(crate) fn may_restart_all(self) -> bool {
        self == Self::DaemonStopped
            || self == Self::Suspended
            || (self.class() == Class::Network && self != Self::OriginDown)
            || self.class() == Class::Clock
    }

    /// Whether the daemon's life ends with it.
    pub(crate) fn ends_daemon(self) -> bool {
        matches!(self, Self::DaemonKilled | Self::DaemonHung | Self::DaemonStopped | Self::DaemonReplaced | Self::BadFiles)
    }

    /// Whether a daemon that starts may give up, to be started again by systemd.
    pub(crate) fn may_fail_start(self) -> bool {
        self.class() == Class::Disk || self.class() == Class::Descriptors
    }

    /// The fault of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.name() == name)
    }
}

/// Which of these faults strike together next: at most one of each class, and no more than `most`. What is chosen is taken from the deck.
pub(crate) fn deal(deck: &mut Vec<Fault>, most: usize, may: impl Fn(Fault) -> bool) -> Vec<Fault> {
    let (mut dealt, mut classes) = (Vec::new(), BTreeSet::new());
    deck.retain(|fault| {
        let takes = dealt.len() < most && may(*fault) && classes.insert(fault.class());
        if takes {
            dealt.push(*fault);
        }
        !takes
    });
    dealt
}
