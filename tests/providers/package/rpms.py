"""The same packages as RPMs, in a repository on the twin itself."""

from __future__ import annotations

BUILD = r"""
set -eu
repository=REPOSITORY
mkdir -p "$repository"
build=$(mktemp -d); cd "$build"
head() { # name, version, release, epoch
  printf '%s\n' "Name: $1" "Version: $2" "Release: $3" "${4:+Epoch: $4}" 'Summary: demo' 'License: public domain' \
    'BuildArch: noarch' 'AutoReqProv: no'
}
sub() { # name, tags
  printf '%s\n' "%package -n $1" 'Summary: demo' "$2" "%description -n $1" demo "%files -n $1"
}
demo() { # version, release
  head demo "$1" "$2" 1
  cat <<'E'
Requires: demo-lib
%description
demo
%install
mkdir -p %{buildroot}/etc/demo %{buildroot}/lib/systemd/system %{buildroot}/usr/share/demo
echo "conf %{version}" >%{buildroot}/etc/demo/demo.conf
echo "data %{version}" >%{buildroot}/usr/share/demo/data
printf '[Service]\nExecStart=/bin/sleep 100000\n[Install]\nWantedBy=multi-user.target\n' \
  >%{buildroot}/lib/systemd/system/demo.service
%files
%dir /etc/demo
%config(noreplace) /etc/demo/demo.conf
/lib/systemd/system/demo.service
/usr/share/demo
%post
id demo >/dev/null 2>&1 || useradd --system --shell /usr/sbin/nologin demo
mkdir -p /var/lib/demo/deep
echo made >/var/lib/demo/deep/made
chown -R demo /var/lib/demo
echo generated >/etc/demo/generated
ln -sf demo.conf /etc/demo/link
echo demo >>/etc/registry.demo
systemctl --quiet enable demo.service
systemctl start demo.service
%preun
[ "$1" -gt 0 ] || systemctl --quiet disable --now demo.service
E
}
others() {
  head demo-lib 1.0 1 ''
  printf '%s\n' %description demo %install 'mkdir -p %{buildroot}/usr/share/demo-lib' \
    'echo lib >%{buildroot}/usr/share/demo-lib/lib' %files /usr/share/demo-lib
  sub demo-user 'Requires: demo'
  sub demo-mod 'Requires: demo >= 1:2.0'
  sub demo-friend 'Requires: demo-lib'
  sub demo-foe 'Conflicts: demo'
  sub demo-provider 'Provides: demo-virtual'
  sub demo-broken 'Requires: demo-lib'
  printf '%s\n' '%pre -n demo-broken' 'echo half >/etc/demo-broken.made' \
    'echo the disk of demo-broken is on fire >&2' 'exit 1'
  sub demo-slow 'Requires: demo-lib'
  cat <<'E'
%post -n demo-slow
[ -e /run/demo-slow.not ] && exit 0
echo slow >/etc/demo-slow.made
echo $$ >/run/demo-slow.pid
sleep 600
E
}
demo 1.0 1 >demo-1.spec; demo 2.0 1 >demo-2.spec; others >others.spec
for spec in *.spec; do
  rpmbuild --quiet -bb --define "_topdir $build/top" --define "_rpmdir $repository" \
    --define '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.rpm' \
    --define '__os_install_post %{nil}' "$spec" 2>said || { cat said >&2; exit 1; }
done
createrepo_c --quiet "$repository"
printf '%s\n' '[demo]' 'name=demo' 'baseurl=file://REPOSITORY' 'gpgcheck=0' >/etc/yum.repos.d/demo.repo
rm -rf "$build"
"""
