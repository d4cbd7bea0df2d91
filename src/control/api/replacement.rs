//! Connectors that a change replaces or stops, and what that would cut.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A connector that is replaced or stopped by a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replaced {
    /// Its tunnel.
    pub tunnel: String,
    /// Which of the tunnel's replicas, counted from 0.
    pub replica: u8,
    /// Its process.
    pub pid: u32,
    /// Why, as a stable word: `config`, `rotate`, `operator`, or `unwanted` for one that is stopped.
    pub why: String,
    /// How many requests it carries at this moment; unknown when it does not tell.
    pub open_requests: Option<u64>,
    /// Those that are open for longer than this from then on are cut, in milliseconds.
    pub cut_after_millis: u64,
}

/// A connector that is started by a change, beside those that run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// Its tunnel.
    pub tunnel: String,
    /// Which of the tunnel's replicas, counted from 0.
    pub replica: u8,
}

/// What a restart of a tunnel would do: the answer to `GET /v1/tunnels/{name}/restart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestartPlan {
    /// The tunnel's name.
    pub tunnel: String,
    /// The connectors that would be replaced, one after another, each when its successor has been ready for a while.
    pub replaces: Vec<Replaced>,
}

impl Started {
    /// The connector and what becomes of it, in one line without a full stop.
    pub fn sentence(&self) -> String {
        format!("connector {}/{} is started", self.tunnel, self.replica)
    }
}

impl Replaced {
    /// The connector and what becomes of its requests, in one line without a full stop.
    pub fn sentence(&self) -> String {
        let Self { tunnel, replica, pid, why, open_requests, cut_after_millis } = self;
        let fate = if why == "unwanted" { "is stopped".to_owned() } else { format!("is replaced ({why})") };
        let limit = match cut_after_millis {
            millis if millis % 1_000 == 0 => format!("{} s", millis / 1_000),
            millis => format!("{millis} ms"),
        };
        let open = match open_requests {
            Some(0) => "no request is open".to_owned(),
            Some(1) => format!("1 request is open, cut if it takes longer than {limit}"),
            Some(count) => format!("{count} requests are open, cut if they take longer than {limit}"),
            None => format!("how many requests are open is not known, those that take longer than {limit} are cut"),
        };
        format!("connector {tunnel}/{replica} (process {pid}) {fate}: {open}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_what_would_be_cut() {
        let replaced = |why: &str, open_requests| Replaced {
            tunnel: "web".to_owned(),
            replica: 1,
            pid: 42,
            why: why.to_owned(),
            open_requests,
            cut_after_millis: 30_000,
        };
        assert_eq!(
            replaced("config", Some(3)).sentence(),
            "connector web/1 (process 42) is replaced (config): 3 requests are open, cut if they take longer than 30 s"
        );
        assert_eq!(replaced("unwanted", Some(0)).sentence(), "connector web/1 (process 42) is stopped: no request is open");
        assert!(replaced("operator", None).sentence().contains("is not known"));
    }
}
