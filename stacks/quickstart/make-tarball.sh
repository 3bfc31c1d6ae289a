#!/bin/sh
# Makes greet-1.0.tar.gz from greet-1.0/: always the same bytes for the same content.
set -eu
cd "$(dirname "$0")"
tar --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --mode='a=rX,u+w' -cf - greet-1.0 |
  gzip -9n >greet-1.0.tar.gz
sha256sum greet-1.0.tar.gz
