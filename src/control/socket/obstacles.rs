//! What would keep a daemon from its socket, found by looking alone.

use std::path::Path;

use super::{SocketError, check_file_system, check_place, check_private_folder, is_socket, private_folder};

/// What would keep a daemon of the user `daemon` from its private folder in `runtime_dir` and from its control socket at `socket`. A
/// folder that does not exist yet is none: it is made at the start. Whether a daemon runs already is not looked at.
pub fn obstacles(runtime_dir: &Path, socket: &Path, daemon: u32) -> Vec<SocketError> {
    let mut obstacles = Vec::new();
    let private = private_folder(runtime_dir);
    if private.symlink_metadata().is_ok() {
        obstacles.extend(check_private_folder(&private, daemon).err());
    }
    obstacles.extend(check_file_system(runtime_dir, socket).err());
    let place = socket.parent().unwrap_or(Path::new("/"));
    if place.exists() || !place.starts_with(runtime_dir) {
        obstacles.extend(check_place(socket, daemon).err());
        obstacles.extend(is_socket(socket).err());
    }
    obstacles
}
