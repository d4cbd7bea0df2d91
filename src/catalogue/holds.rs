//! Why something is held at Cloudflare, and what ends that.

use super::Code;
use crate::plan::HoldCode;

/// What a hold's code means.
pub fn of_hold(code: HoldCode) -> Code {
    let (meaning, action) = match code {
        HoldCode::StateSealed => {
            ("The state belongs to another machine, or cannot be read as a whole.", "`adit identity` says which, and what to do.")
        }
        HoldCode::AccountChanged => (
            "The credential sees another account than the one that everything was made in.",
            "Put back the token of that account.",
        ),
        HoldCode::AccountUnknown => ("No account could be found, or more than one.", "Set `account_id`."),
        HoldCode::NoCredential => ("There is no usable credential.", "`adit credential check` says what is wrong with it."),
        HoldCode::Unread => ("Cloudflare could not be read.", "If it lasts, look at the sentence; nothing is changed meanwhile."),
        HoldCode::RecordUnreadable => {
            ("What is on record of a tunnel cannot be read.", "Restore its file in the state directory.")
        }
        HoldCode::OtherAccount => (
            "The tunnel belongs to another account than the configuration says.",
            "Set the account back, or give the tunnel another name.",
        ),
        HoldCode::BeingDeleted => ("A tunnel of that name is still being deleted.", "It goes on when that is done."),
        HoldCode::SourceChanged => (
            "The tunnel moved between remote and local configuration.",
            "Cloudflare cannot do that in place; the tunnel is replaced.",
        ),
        HoldCode::Unproven => {
            ("A known object is in no list, and that proves nothing.", "It goes on once it is found, or proved to be gone.")
        }
        HoldCode::Edited => {
            ("Somebody else edited it, and `on_drift = \"report\"`.", "Undo the edit, or take it over into the configuration.")
        }
        HoldCode::NoZone => ("No zone of the account has the hostname.", "Add the zone at Cloudflare, or correct the hostname."),
        HoldCode::TwoAccounts => ("Zones of two accounts have the hostname.", "Remove one of the zones."),
        HoldCode::NotReady => ("The tunnel that takes over a hostname does not serve yet.", "It moves when that serves."),
        HoldCode::NeedsConfirmation => {
            ("So much would be deleted or made again that somebody has to confirm it.", "Read `adit plan`, then `adit apply`.")
        }
        HoldCode::WaitsForApply => ("The configuration waits, as `apply = \"ask\"`.", "Read `adit plan`, then `adit apply`."),
        HoldCode::GracePeriod => {
            ("A hostname went over to another tunnel, and this one keeps it for a while.", "It ends by itself.")
        }
        HoldCode::Draining => ("A tunnel waits for its connectors here to finish their requests.", "It ends by itself."),
        HoldCode::NotApplied => {
            ("Cloudflare took a configuration that the ready connectors do not run.", "Look at their lines: `adit logs TUNNEL`.")
        }
        HoldCode::WantedTwice => ("Two tunnels want one private route.", "Take it out of one of them."),
        HoldCode::NoVirtualNetwork => ("The account has no default virtual network.", "Make one at Cloudflare, or name one."),
        HoldCode::RoutesOfOthers => {
            ("Routes that are not ours lead to a tunnel that is to be deleted.", "Remove them, or keep the tunnel.")
        }
        HoldCode::NotAdopted => {
            ("The tunnel is shared with others, or was when it was adopted.", "`adit tunnel adopt` again, as it is meant.")
        }
        HoldCode::RotationFailed => {
            ("The change of a tunnel's secret failed.", "It is tried again; the sentence says why it failed.")
        }
        HoldCode::RotationSlow => {
            ("Connectors do not get ready with the new secret.", "Look at their lines: `adit logs TUNNEL`.")
        }
        HoldCode::AccessMissing => {
            ("No Access application covers a hostname that demands one.", "Make one at Cloudflare, or drop `access`.")
        }
        HoldCode::BalancerMissing => ("The load balancer that may be joined is not there.", "Correct `join`, or leave it out."),
        HoldCode::PoolInUse => {
            ("Something that is not ours uses a pool or monitor of ours.", "Take it out there, or keep the tunnel.")
        }
        HoldCode::RunsElsewhere => (
            "Connectors of the tunnel run elsewhere, while its origin is this host's.",
            "Stop those, or give that host a tunnel of its own.",
        ),
        HoldCode::ObserveOnly => {
            ("`apply = \"observe\"`: Adit looks and writes nothing.", "Set `apply` otherwise to let it act.")
        }
        HoldCode::AccountTwice => ("Two accounts of the configuration are one at Cloudflare.", "Keep one of them."),
        HoldCode::RoutesLeft => {
            ("A tunnel cannot be deleted, as private routes lead to it that Adit does not know.", "Remove them at Cloudflare.")
        }
        HoldCode::StillConnected => {
            ("A tunnel cannot be deleted, as connectors elsewhere connect again and again.", "Stop them where they run.")
        }
        HoldCode::NotDeleted => {
            ("Cloudflare took a deletion and shows the tunnel as live.", "It is looked at again; tell Cloudflare if it lasts.")
        }
    };
    Code { word: code.as_str(), meaning, action }
}
