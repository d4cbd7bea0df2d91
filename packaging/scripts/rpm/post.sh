
# %post, after the files are in place. $1 is how many versions of the package there are now: 1 in an installation, 2 in an upgrade.
make_users_and_folders
if systemd_runs; then
    take_over systemctl try-restart "$unit"
fi
if [ "$1" -eq 1 ]; then
    say_first_steps
fi
