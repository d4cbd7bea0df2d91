//! Keys of cloudflared's file that are not part of a tunnel's definition, and why each is left out.

/// Why a key at the top of the file is left out. What `cloudflared` itself reads only as a flag counts as unknown.
pub(super) fn why_left_out(key: &str, value: &str) -> String {
    for (keys, why) in FIXED {
        if keys.contains(&key) {
            return (*why).to_owned();
        }
    }
    if key == "grace-period" {
        return format!("it is one for all tunnels: write grace_period = {value:?} below [cloudflared] of adit.toml");
    }
    if ARGUMENTS.contains(&key) {
        return format!(
            "it is one for all tunnels: write extra_args = [{:?}, {value:?}] below [cloudflared] of adit.toml",
            format!("--{key}")
        );
    }
    "Adit does not know it, and gives cloudflared nothing that it does not know".to_owned()
}

const FIXED: &[(&[&str], &str)] = &[
    (
        &["metrics", "metrics-update-freq"],
        "Adit gives each connector a metrics address of its own, and serves all of them at one",
    ),
    (
        &["loglevel", "transport-loglevel", "logfile", "log-file", "log-directory", "output", "trace-output"],
        "Adit keeps what connectors write (`adit logs`)",
    ),
    (
        &["no-autoupdate", "autoupdate-freq", "is-autoupdated", "no-update-service"],
        "connectors under Adit never replace their own program",
    ),
    (&["pidfile"], "Adit knows its connectors without a file"),
    (&["origincert", "cred-file", "credentials-contents"], "Adit uses its own API token"),
    (&["token", "token-file"], "the token is read with --service"),
    (&["warp-routing"], "cloudflared ignores it since 2023.10: routes of private networks are kept at Cloudflare"),
    (&["config", "name", "n", "overwrite-dns", "f", "lb-pool"], "it is for making a tunnel, and this one exists"),
];

/// Flags that `extra_args` can carry.
const ARGUMENTS: &[&str] = &[
    "edge-ip-version",
    "edge-bind-address",
    "region",
    "retries",
    "post-quantum",
    "ha-connections",
    "tag",
    "label",
    "edge",
    "max-edge-addr-retries",
    "no-prechecks",
];
