//! The whole dashboard: rows of panels in the grid, with what is chosen and marked above them.

use serde_json::{Value, json};

use super::{
    panel::Panel,
    rows::{self, Row},
    variables::{annotations, variables},
};

/// The width of Grafana's grid.
const WIDTH: u64 = 24;

/// What bookmarks and links lead to; it never changes.
const UID: &str = "adit";

/// Counts up with each change that is released, so that Grafana can tell which of two is newer.
const VERSION: u64 = 1;

/// Every panel in order.
pub(crate) fn panels() -> Vec<Panel> {
    rows::rows().into_iter().flat_map(|row| row.panels).collect()
}

/// The document as Grafana imports it.
pub(crate) fn dashboard() -> Value {
    json!({
        "uid": UID,
        "title": "Adit",
        "description": "Cloudflare Tunnels of one host or many: what an operator has to act on first, then traffic, connectors, \
                        provisioning, origins, events and the daemon itself.",
        "tags": ["adit", "cloudflared"],
        "version": VERSION,
        "schemaVersion": 38,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": { "from": "now-6h", "to": "now" },
        "timezone": "",
        "templating": { "list": variables() },
        "annotations": { "list": annotations() },
        "links": links(),
        "panels": grid(rows::rows()),
    })
}

fn links() -> Value {
    let link = |title: &str, tooltip: &str, url: &str| {
        json!({
            "type": "link",
            "title": title,
            "tooltip": tooltip,
            "url": url,
            "icon": "bolt",
            "asDropdown": false,
            "includeVars": false,
            "keepTime": false,
            "tags": [],
            "targetBlank": false,
        })
    };
    json!([link("Alerts", "The alert rules whose names begin with Adit", "/alerting/list?search=Adit")])
}

/// Places the rows one below the other, and the panels of each from left to right.
fn grid(rows: Vec<Row>) -> Vec<Value> {
    let mut placed = Vec::new();
    let mut y = 0;
    for row in rows {
        placed.push(json!({
            "id": placed.len() + 1,
            "type": "row",
            "title": row.title,
            "collapsed": false,
            "gridPos": { "x": 0, "y": y, "w": WIDTH, "h": 1 },
            "panels": [],
        }));
        y += 1;
        let (mut x, mut height) = (0, 0);
        for panel in row.panels {
            if x + panel.width > WIDTH {
                (x, y, height) = (0, y + height, 0);
            }
            placed.push(panel.json(placed.len() + 1, x, y));
            x += panel.width;
            height = height.max(panel.height);
        }
        y += height;
    }
    placed
}
