//! Notify sockets: one for each connector downwards, systemd's upwards.
