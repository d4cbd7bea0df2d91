
# %postun, after the files are gone. $1 is how many versions of the package there are now: 0 when it was removed. The state directory
# stays; what it means to remove it is in operations.md.
if systemd_runs; then
    systemctl daemon-reload || true
fi
if [ "$1" -eq 0 ]; then
    for folder in /usr/share/doc/adit/examples /usr/share/doc/adit /usr/share/adit/prometheus /usr/share/adit/grafana /usr/share/adit \
        /etc/adit/conf.d /etc/adit; do
        rmdir "$folder" 2>/dev/null || true
    done
    if [ -d "$state" ]; then
        say "$state stays, with the secrets of its tunnels; to remove it: rm -r --one-file-system $state"
    fi
fi
