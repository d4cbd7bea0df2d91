//! Processes: spawning, identity, signals and exits. Only this module knows PIDs.
