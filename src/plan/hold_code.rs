//! Why something is held: the table of codes.

use std::fmt;

use serde::Serialize;

/// A row is: the variant, its word, how it ends, and what it says.
macro_rules! codes {
    ($($name:ident $word:literal $end:ident $meaning:literal;)+) => {
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
    StateSealed "state-sealed" Other "The state belongs to another machine, or cannot be read as a whole.";
    AccountChanged "account-changed" Other "The credential sees another account than the one that everything was made in.";
    AccountUnknown "account-unknown" Other "No account could be found, or more than one.";
    NoCredential "no-credential" Other "There is no usable credential.";
    Unread "unread" Other "Cloudflare could not be read.";
    RecordUnreadable "record-unreadable" Other "What is on record cannot be read.";
    OtherAccount "other-account" Other "The tunnel belongs to another account than the configuration says.";
    BeingDeleted "being-deleted" Other "A tunnel of that name is still being deleted.";
    SourceChanged "source-changed" Other "The configuration moved between remote and local, which Cloudflare cannot change in place.";
    Unproven "unproven" Other "A known object is in no list, and its absence is not proven.";
    Edited "edited" Other "Somebody else edited it, and the configuration says to report that only.";
    NoZone "no-zone" Other "No zone of the account has the hostname.";
    TwoAccounts "two-accounts" Other "Zones of two accounts have the hostname.";
    NotReady "not-ready" Other "The tunnel that takes over a hostname does not serve yet.";
    NeedsConfirmation "needs-confirmation" Other "So much would be deleted or made again that an operator has to confirm it.";
    WaitsForApply "waits-for-apply" Other "The configuration waits for `adit apply`.";
    GracePeriod "grace-period" Itself "A hostname went over to another tunnel, and this one keeps rule and connectors for a while.";
    Draining "draining" Itself "A tunnel that is to be deleted waits for its connectors on this host to finish their requests.";
    NotApplied "not-applied" Other "Cloudflare took a configuration that the ready connectors do not run.";
    WantedTwice "wanted-twice" Other "Two tunnels want one private route: the virtual network that one names is the default one.";
    NoVirtualNetwork "no-virtual-network" Other "The account has no default virtual network.";
    RoutesOfOthers "routes-of-others" Other "Routes that are not ours lead to a tunnel that is to be deleted.";
    NotAdopted "not-adopted" Other "The configuration shares the tunnel with others, or says so otherwise than when it was adopted.";
    RotationFailed "rotation-failed" Other "The change of a tunnel's secret failed, and is tried again later.";
    RotationSlow "rotation-slow" Other "Connectors do not get ready with a tunnel's new secret.";
    AccessMissing "access-missing" Other "No Access application covers a hostname that demands one.";
    BalancerMissing "balancer-missing" Other "The load balancer that may be joined is not there.";
    PoolInUse "pool-in-use" Other "Something that is not ours uses a pool or monitor of ours.";
    RunsElsewhere "runs-elsewhere" Other "Connectors of a tunnel run elsewhere, while its origin is this host's.";
    ObserveOnly "observe-only" Other "The configuration says that Adit looks and writes nothing.";
    AccountTwice "account-twice" Other "Two accounts of the configuration are one at Cloudflare, so that each would undo what the other does.";
    RoutesLeft "routes-left" Other "A tunnel cannot be deleted, because private routes that Adit does not know lead to it.";
    StillConnected "still-connected" Other "A tunnel cannot be deleted, because connectors elsewhere connect again as often as they are cut off.";
    NotDeleted "not-deleted" Other "Cloudflare took a deletion and shows the tunnel as live all the same.";
}
