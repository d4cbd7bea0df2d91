//! What can be read by an address: the same answers as the tools that look give, as JSON.

use rmcp::{
    ErrorData,
    model::{ListResourcesResult, ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ResourceTemplate},
};
use serde_json::json;

use super::{
    answer::Answer,
    arguments::{Logs, read},
    failure::Failure,
    foreign,
    read::Reader,
    tool::Tool,
};

/// How every address begins.
const SCHEME: &str = "adit://";

/// What addresses answer with.
const JSON: &str = "application/json";

/// How many resources are listed at once.
const PAGE: usize = 100;

/// Something that has an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// `adit://status`
    Status,
    /// `adit://tunnels`
    Tunnels,
    /// `adit://events`
    Events,
    /// `adit://tunnels/{name}`
    Tunnel(String),
    /// `adit://tunnels/{name}/logs`
    Logs(String),
}

impl Address {
    /// What a URI names; `None`: nothing here.
    pub(super) fn of(uri: &str) -> Option<Self> {
        let parts: Vec<&str> = uri.strip_prefix(SCHEME)?.split('/').collect();
        match parts.as_slice() {
            ["status"] => Some(Self::Status),
            ["tunnels"] => Some(Self::Tunnels),
            ["events"] => Some(Self::Events),
            ["tunnels", name] if is_name(name) => Some(Self::Tunnel((*name).to_owned())),
            ["tunnels", name, "logs"] if is_name(name) => Some(Self::Logs((*name).to_owned())),
            _ => None,
        }
    }

    /// The tool that gives the same answer: what it needs, the address needs.
    pub(super) fn tool(&self) -> Tool {
        match self {
            Self::Status => Tool::Status,
            Self::Tunnels => Tool::ListTunnels,
            Self::Events => Tool::Events,
            Self::Tunnel(_) => Tool::ShowTunnel,
            Self::Logs(_) => Tool::Logs,
        }
    }
}

/// The characters of a tunnel's name, and no more of them than one has.
fn is_name(text: &str) -> bool {
    let allowed = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '-' | '~');
    (1..=64).contains(&text.len()) && text.chars().all(allowed)
}

impl Reader {
    /// What is at an address.
    pub(super) async fn resource(&self, uri: &str) -> Result<ReadResourceResponse, ErrorData> {
        let unknown = || ErrorData::resource_not_found(format!("there is no resource {}", foreign::quoted(uri)), None);
        let address = Address::of(uri).ok_or_else(unknown)?;
        let answer = self.at(&address).await?;
        let contents = ResourceContents::text(answer.value().to_string(), uri).with_mime_type(JSON);
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    async fn at(&self, address: &Address) -> Result<Answer, Failure> {
        let tool = address.tool();
        self.limits.check_tool(tool.name(), tool.needs())?;
        match address {
            Address::Status => self.status().await,
            Address::Tunnels => self.list_tunnels(&read(json!({ "limit": 200 }))?).await,
            Address::Events => self.events(&read(json!({}))?).await,
            Address::Tunnel(name) => self.show_tunnel(name).await,
            Address::Logs(name) => self.logs(&read::<Logs>(json!({ "tunnel": name }))?).await,
        }
    }

    /// A page of all that has an address. A page begins behind the name of a tunnel.
    pub(super) async fn resources(&self, cursor: Option<&str>) -> Result<ListResourcesResult, ErrorData> {
        let mut resources = if cursor.is_none() { fixed() } else { Vec::new() };
        // A daemon that is away has no tunnels to list; what is always there is listed all the same.
        let tunnels = self.tunnels().await.unwrap_or_default();
        let behind: Vec<_> = tunnels.iter().filter(|tunnel| cursor.is_none_or(|cursor| tunnel.name.as_str() > cursor)).collect();
        let page = behind.iter().take(PAGE);
        resources.extend(page.map(|tunnel| {
            Resource::new(format!("{SCHEME}tunnels/{}", tunnel.name), tunnel.name.clone())
                .with_title(format!("Tunnel {}", tunnel.name))
                .with_mime_type(JSON)
        }));
        let mut listed = ListResourcesResult::with_all_items(resources);
        listed.next_cursor = behind.get(PAGE - 1).filter(|_| behind.len() > PAGE).map(|tunnel| tunnel.name.clone());
        Ok(listed)
    }

    /// The names of tunnels that begin with `start`, as many as `count_max`, and how many there are.
    pub(super) async fn names(&self, start: &str, count_max: usize) -> (Vec<String>, usize) {
        let tunnels = self.tunnels().await.unwrap_or_default();
        let mut names: Vec<String> =
            tunnels.into_iter().map(|tunnel| tunnel.name).filter(|name| name.starts_with(start)).collect();
        let total = names.len();
        names.truncate(count_max);
        (names, total)
    }
}

fn fixed() -> Vec<Resource> {
    [
        ("status", "Status", "Everything at one look"),
        ("tunnels", "Tunnels", "Every tunnel, in short"),
        ("events", "Events", "What happened last, and why"),
    ]
    .map(|(name, title, description)| {
        Resource::new(format!("{SCHEME}{name}"), name).with_title(title).with_description(description).with_mime_type(JSON)
    })
    .to_vec()
}

/// Addresses with a tunnel's name in them.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    [
        ("adit://tunnels/{name}", "tunnel", "A tunnel", "One tunnel: connectors, routes, definition"),
        ("adit://tunnels/{name}/logs", "logs", "A tunnel's logs", "The last lines that its connectors wrote: foreign text"),
    ]
    .map(|(uri, name, title, description)| {
        ResourceTemplate::new(uri, name).with_title(title).with_description(description).with_mime_type(JSON)
    })
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_here_has_an_address() {
        assert_eq!(Address::of("adit://status"), Some(Address::Status));
        assert_eq!(Address::of("adit://tunnels/web-1"), Some(Address::Tunnel("web-1".to_owned())));
        assert_eq!(Address::of("adit://tunnels/web/logs"), Some(Address::Logs("web".to_owned())));
        for wrong in ["", "adit://", "adit://tunnels/", "adit://tunnels/../config", "adit://tunnels/a%2Fb", "file:///etc/passwd"]
        {
            assert_eq!(Address::of(wrong), None, "{wrong}");
        }
    }
}
