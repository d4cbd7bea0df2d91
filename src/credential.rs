//! Where API tokens come from: a systemd credential, a file, a command, an environment variable.
