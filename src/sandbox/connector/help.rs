//! The help that cloudflared prints on standard output, also when it did not understand its command line.

use super::{
    arguments::{Help, Topic},
    flags::{FLAGS, Kind, Place},
};

/// The text for standard output.
pub(super) fn render(help: &Help) -> String {
    let mut text = match (&help.mistake, help.topic) {
        (None, _) => String::new(),
        // One comes from the library's application, the other from its command: they differ in one character.
        (Some(mistake), Topic::Tunnel) => format!("Incorrect Usage. {mistake}\n\n"),
        (Some(mistake), Topic::Run) => format!("Incorrect Usage: {mistake}\n\n"),
    };
    let (name, usage, place) = match help.topic {
        Topic::Tunnel => (
            "cloudflared tunnel - Use Cloudflare Tunnel to expose private services to the Internet or to Cloudflare connected private users.",
            "cloudflared tunnel [command options]  ",
            Place::Before,
        ),
        Topic::Run => (
            "cloudflared tunnel run - Proxy a local web server by running the given tunnel",
            "cloudflared tunnel [tunnel command options] run [subcommand options] [TUNNEL]",
            Place::After,
        ),
    };
    text.push_str(&format!("NAME:\n   {name}\n\nUSAGE:\n   {usage}\n\nOPTIONS:\n"));
    for flag in FLAGS.iter().filter(|flag| flag.place == place || flag.place == Place::Either) {
        let value = match flag.kind {
            Kind::Switch => "",
            Kind::Text | Kind::Integer | Kind::Duration | Kind::List => " value",
        };
        let variables = match flag.variables {
            [] => String::new(),
            variables => format!(" [${}]", variables.join(", $")),
        };
        text.push_str(&format!("   --{}{value}{variables}\n", flag.name));
    }
    text.push_str("   --help, -h  show help (default: false)\n");
    text
}
