"""The demo packages for apt: see families.py for what they are."""

from __future__ import annotations

BUILD = r"""
set -eu
repository=REPOSITORY
build() { # name, version, control lines; a folder `tree` and maintainer scripts may lie in the current one
  mkdir -p tree/DEBIAN
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Demo <demo@example.org>\nDescription: demo\n%b' \
    "$1" "$2" "$3" >tree/DEBIAN/control
  for script in preinst postinst prerm postrm conffiles; do
    [ ! -e "$script" ] || { cp "$script" tree/DEBIAN/; [ "$script" = conffiles ] || chmod 755 "tree/DEBIAN/$script"; }
  done
  dpkg-deb --root-owner-group -Znone -b tree "$repository/$1_$2_all.deb" >/dev/null
  cd /; rm -rf "$build"; build=$(mktemp -d); cd "$build"
}
mkdir -p "$repository"
build=$(mktemp -d); cd "$build"

mkdir -p tree/usr/share/demo-lib; echo lib >tree/usr/share/demo-lib/lib
build demo-lib 1.0 ''

for version in 1.0 2.0; do
  mkdir -p tree/etc/demo tree/lib/systemd/system tree/usr/share/demo
  echo "conf $version" >tree/etc/demo/demo.conf
  echo "data $version" >tree/usr/share/demo/data
  printf '[Service]\nExecStart=/bin/sleep 100000\n[Install]\nWantedBy=multi-user.target\n' \
    >tree/lib/systemd/system/demo.service
  echo /etc/demo/demo.conf >conffiles
  cat >postinst <<'E'
#!/bin/sh
set -e
id demo >/dev/null 2>&1 || useradd --system --shell /usr/sbin/nologin demo
mkdir -p /var/lib/demo/deep
echo made >/var/lib/demo/deep/made
chown -R demo /var/lib/demo
echo generated >/etc/demo/generated
ln -sf demo.conf /etc/demo/link
echo demo >>/etc/registry.demo # each time once more
deb-systemd-helper enable demo.service >/dev/null
deb-systemd-invoke start demo.service
E
  cat >prerm <<'E'
#!/bin/sh
deb-systemd-invoke stop demo.service || true
E
  cat >postrm <<'E'
#!/bin/sh
if [ "$1" = purge ]; then deb-systemd-helper purge demo.service >/dev/null; rm -rf /etc/demo; fi
E
  build demo "$version" 'Depends: demo-lib\n'
done

build demo-user 1.0 'Depends: demo\n'
build demo-mod 1.0 'Depends: demo (>= 2.0)\n'
build demo-friend 1.0 'Depends: demo-lib\n'
build demo-foe 1.0 'Conflicts: demo\n'
build demo-provider 1.0 'Provides: demo-virtual\n'
printf '#!/bin/sh\necho half >/etc/demo-broken.made\necho the disk of demo-broken is on fire >&2\nexit 1\n' >postinst
build demo-broken 1.0 'Depends: demo-lib\n'
cat >postinst <<'E'
#!/bin/sh
[ -e /run/demo-slow.not ] && exit 0
echo slow >/etc/demo-slow.made
echo $$ >/run/demo-slow.pid
sleep 600
E
build demo-slow 1.0 'Depends: demo-lib\n'

cd "$repository"
for deb in *.deb; do
  dpkg-deb -f "$deb"
  size=$(stat -c %s "$deb") sum=$(sha256sum <"$deb" | cut -c 1-64)
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$size" "$sum"
done >Packages
echo 'deb [trusted=yes] file:REPOSITORY ./' >/etc/apt/sources.list
rm -rf "$build"
"""
