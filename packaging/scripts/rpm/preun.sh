
# %preun, before the files go. $1 is how many versions of the package there will be: 0 when it is removed.
if [ "$1" -eq 0 ]; then
    say_what_stays "to delete them as well, install adit again (its state is kept in $state) and run \"adit tunnel delete NAME\" for each"
    if systemd_runs; then
        say 'stopping: connectors finish their open requests first'
        systemctl stop "$unit"
    fi
    if ! systemctl --quiet --no-reload disable "$unit"; then
        warn "cannot disable $unit"
    fi
fi
