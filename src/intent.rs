//! What people want: the configuration in force, tunnels made over the socket, operators' stops.
