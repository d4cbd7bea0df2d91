# Packages in the machine: installed, upgraded and removed by its own dpkg.

# dpkg_inside ARGUMENTS...: what dpkg says is in $said; it fails when dpkg does.
dpkg_inside() {
    said=$(inside env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
        dpkg "$@" 2>&1) || fail "dpkg $*: $said"
}

# take_package FILE: it is in /opt/packages of the machine, whose path is all that is printed.
take_package() {
    cp "$1" "$root/opt/packages/"
    printf '/opt/packages/%s\n' "${1##*/}"
}

# make_next VERSION: the package again, as a release with another version would be: the version stands in the program as well, where
# the compiler kept it as a text. Short texts may stand in the instructions, so not every place that says a version says the next one.
make_next() {
    local next=$1 former folder=$overlay/next
    former=$(dpkg-deb --field "$deb" Version)
    former=${former%-*}
    [ "${#next}" = "${#former}" ] || fail "version $next is longer than $former"
    dpkg-deb --raw-extract "$deb" "$folder"
    sed -i "s/^Version: .*/Version: $next-1/" "$folder/DEBIAN/control"
    sed -i "s/${former//./\\.}/$next/g" "$folder/usr/bin/adit"
    (cd "$folder" && find . -type f -not -path './DEBIAN/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
    dpkg-deb --build --root-owner-group -Znone "$folder" "$overlay/adit_$next-1.deb" >/dev/null
    rm -rf "$folder"
    take_package "$overlay/adit_$next-1.deb"
}
