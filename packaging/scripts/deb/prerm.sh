
# prerm, before the files go: remove; upgrade, deconfigure and failed-upgrade, in which the daemon runs on.
case $1 in
    remove)
        say_what_stays 'to delete them as well, stop here, run "adit tunnel delete NAME" for each, and remove adit then'
        if systemd_runs; then
            say 'stopping: connectors finish their open requests first'
            deb-systemd-invoke stop "$unit"
        fi
        # Also where no systemd runs: this takes away symbolic links only.
        if ! systemctl --quiet --no-reload disable "$unit"; then
            warn "cannot disable $unit"
        fi
        ;;
    upgrade | deconfigure | failed-upgrade) ;;
    *)
        warn "prerm called with unknown argument \"$1\""
        exit 1
        ;;
esac
