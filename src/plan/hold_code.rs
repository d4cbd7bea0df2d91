//! Why something is held: the table of codes.

use std::fmt;

use serde::Serialize;

/// A row is: the variant, its word, how it ends, what it means, and what to do.
macro_rules! codes {
    ($($name:ident $word:literal $end:ident $meaning:literal $action:literal;)+) => {
        /// Why something is held.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum HoldCode {
            $(#[doc = $meaning] #[serde(rename = $word)] $name,)+
        }

        impl HoldCode {
            /// All of them, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as text.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)+
                }
            }

            /// What to do, in one sentence.
            pub fn action(self) -> &'static str {
                match self {
                    $(Self::$name => $action,)+
                }
            }

            fn end(self) -> End {
                match self {
                    $(Self::$name => End::$end,)+
                }
            }
        }
    };
}

/// How a hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is part of a planned change, and time ends it.
    Itself,
    /// Somebody has to look at it, or something has to change elsewhere.
    Other,
}

impl HoldCode {
    /// Whether it is part of a planned change and ends by itself: nobody has to look at it.
    pub fn ends_by_itself(self) -> bool {
        self.end() == End::Itself
    }
}

impl fmt::Display for HoldCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

codes! {
    StateSealed "state-sealed" Other
        "The state belongs to another machine, or cannot be read as a whole."
        "`adit identity` says which, and what to do.";
    AccountChanged "account-changed" Other
        "The credential sees another account than the one that everything was made in."
        "Put back the token of that account.";
    AccountUnknown "account-unknown" Other
        "No account could be found, or more than one."
        "Set `account_id`; `adit credential check` says what the token sees.";
    NoCredential "no-credential" Other
        "There is no usable credential."
        "`adit credential check` says what is wrong with it.";
    Unread "unread" Other
        "Cloudflare could not be read."
        "If it lasts, look at the sentence, and try `adit credential check`; nothing is changed meanwhile.";
    RecordUnreadable "record-unreadable" Other
        "What is on record of a tunnel cannot be read."
        "Restore its file in the state directory.";
    OtherAccount "other-account" Other
        "The tunnel belongs to another account than the configuration says."
        "Set the account back, or give the tunnel another name.";
    BeingDeleted "being-deleted" Other
        "A tunnel of that name is still being deleted."
        "It goes on when that is done.";
    SourceChanged "source-changed" Other
        "The tunnel moved between remote and local configuration."
        "Cloudflare cannot do that in place; the tunnel is replaced.";
    Unproven "unproven" Other
        "A known object is in no list, and that proves nothing."
        "It goes on once it is found, or proved to be gone.";
    Edited "edited" Other
        "Somebody else edited it, and `on_drift = \"report\"`."
        "Undo the edit, or take it over into the configuration.";
    NoZone "no-zone" Other
        "No zone of the account has the hostname."
        "Add the zone to the account, give the token the right to see it, or correct the hostname.";
    TwoAccounts "two-accounts" Other
        "Zones of two accounts have the hostname."
        "Write into the configuration which account the hostname is of, or remove one of the zones.";
    NotReady "not-ready" Other
        "The tunnel that takes over a hostname does not serve yet."
        "It moves when that serves.";
    NeedsConfirmation "needs-confirmation" Other
        "So much would be deleted or made again that somebody has to confirm it."
        "Read `adit plan`, then `adit apply`.";
    WaitsForApply "waits-for-apply" Other
        "The configuration waits, as `apply = \"ask\"`."
        "Read `adit plan`, then `adit apply`.";
    GracePeriod "grace-period" Itself
        "A hostname went over to another tunnel, and this one keeps it for a while."
        "It ends by itself.";
    Draining "draining" Itself
        "A tunnel waits for its connectors here to finish their requests."
        "It ends by itself.";
    NotApplied "not-applied" Other
        "Cloudflare took a configuration that the ready connectors do not run."
        "Look at their lines: `adit logs TUNNEL`.";
    WantedTwice "wanted-twice" Other
        "Two tunnels want one private route."
        "Take it out of one of them.";
    NoVirtualNetwork "no-virtual-network" Other
        "The account has no default virtual network."
        "Make one at Cloudflare, or name one.";
    RoutesOfOthers "routes-of-others" Other
        "Routes that are not ours lead to a tunnel that is to be deleted."
        "Remove them, or keep the tunnel.";
    NotAdopted "not-adopted" Other
        "The tunnel is shared with others, or was when it was adopted."
        "`adit tunnel adopt` again, as it is meant.";
    RotationFailed "rotation-failed" Other
        "The change of a tunnel's secret failed."
        "It is tried again; the sentence says why it failed.";
    RotationSlow "rotation-slow" Other
        "Connectors do not get ready with the new secret."
        "Look at their lines: `adit logs TUNNEL`.";
    AccessMissing "access-missing" Other
        "No Access application covers a hostname that demands one."
        "Make one at Cloudflare, or drop `access`.";
    BalancerMissing "balancer-missing" Other
        "The load balancer that may be joined is not there."
        "Correct `join`, or leave it out.";
    PoolInUse "pool-in-use" Other
        "Something that is not ours uses a pool or monitor of ours."
        "Take it out there, or keep the tunnel.";
    RunsElsewhere "runs-elsewhere" Other
        "Connectors of the tunnel run elsewhere, while its origin is this host's."
        "Stop those, or give that host a tunnel of its own.";
    ObserveOnly "observe-only" Other
        "`apply = \"observe\"`: Adit looks and writes nothing."
        "Set `apply` otherwise to let it act.";
    AccountTwice "account-twice" Other
        "Two accounts of the configuration are one at Cloudflare."
        "Keep one of them.";
    RoutesLeft "routes-left" Other
        "A tunnel cannot be deleted, as private routes lead to it that Adit does not know."
        "Remove them at Cloudflare.";
    StillConnected "still-connected" Other
        "A tunnel cannot be deleted, as connectors elsewhere connect again and again."
        "Stop them where they run.";
    NotDeleted "not-deleted" Other
        "Cloudflare took a deletion and shows the tunnel as live."
        "It is looked at again; tell Cloudflare if it lasts.";
}
