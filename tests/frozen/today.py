"""What the tests of frozen files use of the code of now: whoever moves or renames something edits this alone."""

from __future__ import annotations

from hacore.address import Address
from hacore.contract import Change, Facts, HostFacts, Step, View, Work
from hacore.engine import load_plan
from hacore.engine.drift_memory import news, read
from hacore.errors import FencedError, LockedError, PlanError
from hacore.lab.image import Recipe
from hacore.lab.layers import Layer
from hacore.lab.model import Bystander, LabSpec, Twin
from hacore.lab.system import Process
from hacore.model import (
    Action,
    Connection,
    Host,
    Image,
    Op,
    Status,
    canonical,
)
from hacore.model import (
    has_loaded as has_taken,
)
from hacore.model import (
    is_pending as is_waiting,
)
from hacore.model import (
    last_loaded_mark as last_taken,
)
from hacore.model import (
    loaded_mark as taken,
)
from hacore.model import (
    pending_mark as waiting,
)
from hacore.plan import plan_json
from hacore.plan.saved_format import plan_to_json
from hacore.probe import MARKERS, Frame, SessionLink, jobs, revert
from hacore.probe.script import PRELUDE
from hacore.render.plan import PlanText, plan_text
from hacore.store import PutRow, PutRun, PutTask, SetTask, StateReader, StateWriter, unlock
from hacore.store import columns as codec
from hacore.store.images import StoredBlob, StoredImage, decode, encode
from hacore.store.keys import Keyring, find
from hacore.store.legacy import gone_of, moves_of
from hacore.testing import ThisMachine as Here
from hacore.testing import World
from hacore.walk import Holder, acquire, release
from hacore_providers.file.provider import PROVIDER as FILE
from hacore_providers.package.provider import PROVIDER as PACKAGE
from hacore_providers.service.provider import PROVIDER as SERVICE
from hacore_providers.source_build.provider import PROVIDER as BUILD
from hacore_providers.vrrp_instance.provider import PROVIDER as VRRP
from tests.engine.conftest import play
from tests.engine.play import Play
from tests.providers.file.here import ADDRESS
from tests.providers.file.here import Here as Files
from tests.providers.source_build.conftest import Folder
from tests.providers.source_build.test_local import Here as Builds
from tests.providers.source_build.test_local import tree

__all__ = [
    "ADDRESS",
    "BUILD",
    "FILE",
    "MARKERS",
    "PACKAGE",
    "PRELUDE",
    "SERVICE",
    "VRRP",
    "Action",
    "Address",
    "Builds",
    "Bystander",
    "Change",
    "Connection",
    "Facts",
    "FencedError",
    "Files",
    "Folder",
    "Frame",
    "Here",
    "Holder",
    "Host",
    "HostFacts",
    "Image",
    "Keyring",
    "LabSpec",
    "Layer",
    "LockedError",
    "Op",
    "PlanError",
    "PlanText",
    "Play",
    "Process",
    "PutRow",
    "PutRun",
    "PutTask",
    "Recipe",
    "SessionLink",
    "SetTask",
    "StateReader",
    "StateWriter",
    "Status",
    "Step",
    "StoredBlob",
    "StoredImage",
    "Twin",
    "View",
    "Work",
    "World",
    "acquire",
    "canonical",
    "codec",
    "decode",
    "encode",
    "find",
    "gone_of",
    "has_taken",
    "is_waiting",
    "jobs",
    "last_taken",
    "load_plan",
    "moves_of",
    "news",
    "plan_json",
    "plan_text",
    "plan_to_json",
    "play",
    "read",
    "release",
    "revert",
    "taken",
    "tree",
    "unlock",
    "waiting",
]
