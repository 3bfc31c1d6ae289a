"""Which lines of a failed program are shown, and which one is first. The outputs are of the programs themselves."""

from __future__ import annotations

import pytest

from hacore.walk.steps import LINES, cause_first

NGINX = """\
Job for nginx.service failed because the control process exited with error code.
nginx: [emerg] directive "location" has no opening "{" in /etc/nginx/sites-enabled/default:3
nginx: configuration file /etc/nginx/nginx.conf test failed
nginx.service: Control process exited, code=exited, status=1/FAILURE
"""
APT = """\
Reading package lists...
Building dependency tree...
Some packages could not be installed. This may mean that you have
requested an impossible situation or if you are using the unstable
distribution that some required packages have not yet been created
or been moved out of Incoming.
The following information may help to resolve the situation:

The following packages have unmet dependencies:
 demo-mod : Depends: demo (>= 2.0) but 1.0 is to be installed
E: Unable to correct problems, you have held broken packages.
W: Some index files failed to download.
"""
DNF = """\
Last metadata expiration check: 0:00:12 ago on Fri 27 Nov 2026 10:00:00 AM UTC.
Error: 
 Problem: conflicting requests
  - nothing provides demo >= 2.0 needed by demo-mod-1.0-1.noarch
(try to add '--skip-broken' to skip uninstallable packages)
"""  # noqa: W291
KEEPALIVED = """\
Starting Keepalived v2.2.7 (01/16,2022)
(/etc/keepalived/keepalived.conf: Line 7) Unknown keyword 'smtp_connection_timeout'
Configuration file /etc/keepalived/keepalived.conf
"""
HAPROXY = """\
[NOTICE]   (4711) : haproxy version is 2.6.12-1
[ALERT]    (4711) : config : parsing [/etc/haproxy/haproxy.cfg:31] : unknown keyword 'bnd' in 'frontend' section
[ALERT]    (4711) : config : Fatal errors found in configuration.
"""
APACHE = """\
apache2.service: Failed with result 'exit-code'.
AH00526: Syntax error on line 12 of /etc/apache2/sites-enabled/web.conf:
Invalid command 'ProxyPas', perhaps misspelled
"""
MAKE = """\
checking for OS
./configure: error: the HTTP rewrite module requires the PCRE library.
You can either disable the module by using --without-http_rewrite_module
"""


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (NGINX, 'nginx: [emerg] directive "location" has no opening "{" in /etc/nginx/sites-enabled/default:3'),
        (APT, "demo-mod : Depends: demo (>= 2.0) but 1.0 is to be installed"),
        (DNF, "Problem: conflicting requests"),
        (KEEPALIVED, "(/etc/keepalived/keepalived.conf: Line 7) Unknown keyword 'smtp_connection_timeout'"),
        (
            HAPROXY,
            "[ALERT]    (4711) : config : parsing [/etc/haproxy/haproxy.cfg:31] : unknown keyword 'bnd' in 'frontend' "
            "section",
        ),
        (APACHE, "AH00526: Syntax error on line 12 of /etc/apache2/sites-enabled/web.conf:"),
        (MAKE, "./configure: error: the HTTP rewrite module requires the PCRE library."),
    ],
)
def test_the_line_with_the_cause_is_first_and_nothing_else_is_lost(output: str, cause: str) -> None:
    lines = output.splitlines()
    shown = cause_first(lines)
    assert shown[0] == cause
    assert shown[1:] == [line for line in lines[-LINES:] if line.strip() != cause]


def test_a_cause_far_above_is_shown_as_well() -> None:
    lines = [
        "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
        *(f"line {n}" for n in range(40)),
    ]
    assert cause_first(lines) == [lines[0], *lines[-LINES:]]


@pytest.mark.parametrize("lines", [[], ["it failed"], ["E:", "an error occurred somewhere", "Errors: 3"]])
def test_what_no_program_marks_stays_as_it_is(lines: list[str]) -> None:
    assert cause_first(lines) == lines
