
# clear DIRECTORY: removes it with all that is in it, as its owner; only the empty directory is removed by root.
clear() {
    if [ ! -d "$1" ] || [ -L "$1" ]; then
        return 0
    fi
    owner_does "$1" find "$1" -xdev -mindepth 1 -delete || true
    rmdir "$1" || warn "cannot remove $1: what is left in it is not its owner's"
}

# postrm, after the files are gone: remove; purge; and upgrade, failed-upgrade, abort-install, abort-upgrade and disappear, in which
# there is nothing to do.
case $1 in
    remove)
        if systemd_runs; then
            systemctl daemon-reload || true
        fi
        ;;
    purge)
        say_what_stays 'what they are and their secrets are forgotten now; delete them in the dashboard'
        clear /run/adit
        clear "$state"
        # The package's own folder, in which only root writes: dpkg has taken the files that it knows.
        rm -rf --one-file-system /etc/adit
        for left in "/etc/systemd/system/$unit.d" /etc/credstore.encrypted/cloudflare-api-token*; do
            if [ -e "$left" ]; then
                say "$left stays: remove it when nothing else uses it, and revoke the token at Cloudflare"
            fi
        done
        ;;
    upgrade | failed-upgrade | abort-install | abort-upgrade | disappear) ;;
    *)
        warn "postrm called with unknown argument \"$1\""
        exit 1
        ;;
esac
