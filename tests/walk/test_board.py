"""The order of things: tasks, what happens to them, and the story that comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hacore.model import Op, Status
from hacore.walk.board import Board, OnFailure
from hacore.walk.nodes import Node
from tests.walk.dsl import board_of, finished, play

BLOCK = "src d:src!d#g in:src,d!t#g v:in!v#g u:v!u#g"
CHANGES_IN_BLOCK = "s d:s!d#g a:s,d#g b:a,d#g v:b!v#g u:v!u#g"
TWO_BLOCKS = "s1 d1:s1!d#g i1:s1,d1!t#g v1:i1!v#g u1:v1!u#g s2 d2:s2!d#g i2:s2,d2!t#g v2:i2!v#g u2:v2!u#g"


@pytest.mark.parametrize(
    ("tasks", "happens", "story"),
    [
        # doing
        ("a b c", "", "a+b+c"),
        ("a b:a c:b", "", "a b c"),
        ("a b:a c:a d:b,c", "", "a b+c d"),
        # a failure undoes its lane, newest first
        ("a b:a c:b", "-c", "a b c <c <b <a | a=undone b=undone c=undone"),
        ("a b:a c:b", "-b", "a b <b <a | a=undone b=undone c=hold"),
        ("a b:a c:b", "-a", "a <a | a=undone b=hold c=hold"),
        ("a b:a c:a d:b,c", "-d", "a b+c d <d <c+<b <a | a=undone b=undone c=undone d=undone"),
        # what runs beside the failure ends first and is undone then
        ("a b c:b", "-a", "a+b <b+<a | a=undone b=undone c=hold"),
        # another lane goes on
        ("a@0 b:a@0 c@1 d:c@1", "-a", "a+c d+<a | a=undone b=hold"),
        # a failed undo does not keep the others from being undone
        ("a b:a c:b", "-c ~c", "a b c <c <b <a | a=undone b=undone c=error"),
        ("a b:a c:b", "-c ~b", "a b c <c <b <a | a=undone b=error c=undone"),
        # what is to be kept is kept, unless it failed itself
        ("a!k b:a", "-b", "a b <b | b=undone"),
        ("a!k b:a", "-a", "a <a | a=undone b=hold"),
        # a trigger settles after its source is back
        ("src t:src!t x:t", "-x", "src t x <x <src <t | src=undone t=undone x=undone"),
        ("src t:src!t x:src", "-x", "src t+x <x <src <t | src=undone t=undone x=undone"),
        ("src t:src!t", "-t", "src t <src <t | src=undone t=undone"),
        ("s1 s2 t:s1,s2!t x:t", "-x", "s1+s2 t x <x <s2+<s1 <t | s1=undone s2=undone t=undone x=undone"),
        # a trigger that never ran does not settle
        ("src y:src t:src,y!t", "-y", "src y <y <src | src=undone y=undone t=hold"),
        # a stop starts nothing new
        ("a b:a c", "stop@a", "a+c | b=do"),
        ("a b:a c:a", "stop@b", "a b+c"),
        # a stop while something fails: what is done goes back all the same
        ("a b:a c:b", "stop@b -b", "a b <b <a | a=undone b=undone c=hold"),
        # guard blocks
        (BLOCK, "", "src d in v u"),
        (BLOCK, "-in", "src d in <src <in <d | src=undone d=undone in=undone v=hold u=hold"),
        (BLOCK, "-v", "src d in v <v <src <in <d | src=undone d=undone in=undone v=undone u=hold"),
        (BLOCK, "-d", "src d <d+<src | src=undone d=undone in=hold v=hold u=hold"),
        # a stop lets an open block end, and opens none
        (BLOCK, "stop@d", "src d in v u"),
        (BLOCK, "stop@src", "src | d=do in=do v=do u=do"),
        (TWO_BLOCKS, "stop@d1", "s1+s2 d1 i1 v1 u1 | d2=do i2=do v2=do u2=do"),
        # what cannot be undone inside a block leaves its host out of service
        (BLOCK, "-in ~in", "src d in <src <in | src=undone d=error in=error v=hold u=hold"),
        (CHANGES_IN_BLOCK, "-b ~a", "s d a b <b <a <s | s=undone d=error a=error b=undone v=hold u=hold"),
        # never two hosts of a group out of service
        (TWO_BLOCKS, "", "s1+s2 d1 i1 v1 u1 d2 i2 v2 u2"),
    ],
)  # fmt: skip
def test_rollback(tasks: str, happens: str, story: str) -> None:
    assert play(board_of(tasks), happens) == story


@pytest.mark.parametrize(
    ("tasks", "happens", "story"),
    [
        ("a b:a c", "-a", "a+c | a=error b=hold"),
        ("a b:a c:b d", "-b", "a+d b | b=error c=hold"),
        ("a b:a c:a", "-b", "a b+c | b=error"),
        ("src t:src!t x:t", "-t", "src t | t=error x=hold"),
        ("a@0 b:a@0 c:a@0", "-b", "a b+c | b=error"),
        (BLOCK, "-in", "src d in | in=error v=hold u=hold"),
        (TWO_BLOCKS, "-i1", "s1+s2 d1 i1 | i1=error v1=hold u1=hold d2=do i2=do v2=do u2=do"),
    ],
)
def test_halt(tasks: str, happens: str, story: str) -> None:
    assert play(board_of(tasks, "halt"), happens) == story


def test_what_can_not_go_back_any_more_is_given_up() -> None:
    """b is out of service for good: a's block cannot be taken back, which would drain a, too."""
    board = board_of("s1 d1:s1!d#g i1:s1,d1#g v1:i1!v#g u1:v1!u#g d2:u1!d#g i2:d2#g v2:i2!v#g u2:v2!u#g")
    play(board, "-i2 ~i2")
    assert "d2" in board.out_of_service()
    assert board.status["d2"] is Status.ERROR
    board.status["i1"] = Status.UNDO
    assert board.give_up() == ["i1"]
    assert finished(board)


def test_a_pause_undoes_open_blocks_and_nothing_else() -> None:
    board = board_of("s1 d1:s1!d#g i1:s1,d1#g v1:i1!v#g u1:v1!u#g")
    play(board)
    board.roll_back_all()
    board.paused = True
    assert list(board.undoable()) == []
    board.paused = False
    assert list(board.undoable()) == ["u1"]
    board.start_undo("u1")
    board.paused = True
    board.undone("u1")
    story = []
    while back := list(board.undoable()):
        for id in back:
            board.start_undo(id)
            board.undone(id)
        story += back
    assert story == ["v1", "i1", "d1"]
    assert board.status["s1"] is Status.UNDO
    assert board.out_of_service() == []


def test_what_waits_for_a_host_left_out_of_service_is_held() -> None:
    board = board_of(TWO_BLOCKS, "halt")
    play(board, "-i1")
    assert board.out_of_service() == ["d1"]
    assert board.hold_rest() == ["d2", "i2", "u2", "v2"]
    assert finished(board)


def test_a_failure_that_may_not_be_undone_stays() -> None:
    """Another run holds the host: nothing may be done there."""
    board = board_of("a b:a c@1")
    board.start(["a", "c"])
    board.done("a")
    board.start(["b"])
    board.failed("b", undo=False)
    assert board.status["b"] is Status.ERROR
    assert list(board.undoable()) == ["a"]


def test_nothing_begins_in_a_lane_that_failed_even_if_what_it_needs_is_done_later() -> None:
    board = board_of("a b c:b")
    board.start(["a", "b"])
    board.failed("a")
    assert board.startable() == []
    board.done("b")
    assert board.status["b"] is Status.UNDO
    assert board.startable() == []


@pytest.mark.parametrize(
    ("statuses", "story"),
    [
        ({}, "<c <b <a | a=undone b=undone c=undone"),
        ({"c": Status.DO}, "<b <a | a=undone b=undone c=hold"),
        ({"c": Status.DOING}, "<c <b <a | a=undone b=undone c=undone"),
        ({"c": Status.ERROR}, "<c <b <a | a=undone b=undone c=undone"),
        ({"c": Status.UNDONE, "b": Status.ERROR}, "<b <a | a=undone b=undone c=undone"),
        ({"c": Status.HOLD}, "<b <a | a=undone b=undone c=hold"),
        # it was being undone when its run died
        ({"c": Status.UNDO, "b": Status.UNDOING}, "<c <b <a | a=undone b=undone c=undone"),
    ],
)
def test_a_rollback_takes_back_what_was_done_or_may_have_been(statuses: dict[str, Status], story: str) -> None:
    board = board_of("a b:a c:b")
    board.status.update({**dict.fromkeys("abc", Status.DONE), **statuses})
    board.roll_back_all()
    assert play(board) == story


def test_a_rollback_takes_back_what_was_kept() -> None:
    board = board_of("a!k b:a")
    board.status.update(a=Status.DONE, b=Status.UNDONE)
    board.roll_back_all()
    assert play(board) == "<a | a=undone b=undone"


def test_a_trigger_settles_after_its_consumer_is_back() -> None:
    """A consumer's change may wait for others: what the daemon then reads is told by its row of before."""
    nodes = dict(board_of("c s x:c y:x z:y t:c,s!t l:t,z").nodes)
    nodes["t"] = replace(nodes["t"], sources=frozenset("s"), consumer=frozenset("c"))
    assert play(Board(nodes), "-l").split(" | ")[0].endswith("<l <z+<s <y <x <c <t")


def test_a_trigger_that_settled_too_early_settles_again() -> None:
    board = board_of("src t:src!t")
    board.status.update(src=Status.ERROR, t=Status.UNDONE)
    board.roll_back_all()
    assert play(board) == "<src <t | src=undone t=undone"


def test_blocks_are_undone_one_host_at_a_time() -> None:
    board = board_of(TWO_BLOCKS)
    board.status.update(dict.fromkeys(board.nodes, Status.DONE))
    board.roll_back_all()
    assert board.open_blocks("g") == []
    assert {"u1", "u2"} <= set(board.undoable())
    board.start_undo("u2")
    assert board.open_blocks("g") == ["d2"]
    board.undone("u2")
    assert board.open_blocks("g") == ["d2"] and board.serves("u1")


# -- any graph, any failures


@st.composite
def boards(draw: st.DrawFn) -> tuple[Board, str]:
    count = draw(st.integers(1, 9))
    lanes = draw(st.integers(1, 3))
    nodes = []
    for i in range(count):
        lane = draw(st.integers(0, lanes - 1))
        earlier = [n for n in nodes if n.lane == lane]
        needs = tuple(n.id for n in earlier if draw(st.booleans()))
        trigger = bool(needs) and draw(st.integers(0, 3)) == 0
        changes = frozenset(n.id for n in earlier if n.id in needs and n.op is Op.CHANGE)
        op = Op.TRIGGER if trigger and changes else Op.CHANGE
        sources = changes if op is Op.TRIGGER else frozenset[str]()
        keep_on_failure = op is Op.CHANGE and draw(st.integers(0, 5)) == 0
        nodes.append(Node(f"n{i}", needs, lane, op, keep_on_failure, "", sources))
    mode: OnFailure = draw(st.sampled_from(["rollback", "halt"]))
    names = [n.id for n in nodes]
    bad = draw(st.sets(st.sampled_from(names), max_size=3))
    worse = draw(st.sets(st.sampled_from(names), max_size=2))
    stop = draw(st.none() | st.sampled_from(names))
    words = [*(f"-{n}" for n in sorted(bad)), *(f"~{n}" for n in sorted(worse)), *([f"stop@{stop}"] if stop else [])]
    return Board.of(nodes, mode), " ".join(words)


def rounds(story: str) -> list[list[str]]:
    return [part.split("+") for part in story.partition("|")[0].split()]


@given(boards())
def test_every_run_ends_and_everything_is_where_it_belongs(case: tuple[Board, str]) -> None:
    board, happens = case
    story = play(board, happens)
    assert finished(board), story
    at = {id: number for number, part in enumerate(rounds(story)) for id in part}
    for id, node in board.nodes.items():
        status = board.status[id]
        # nothing began before what it needs
        assert id not in at or all(need in at and at[need] < at[id] for need in node.needs), story
        # what is undone had begun
        assert f"<{id}" not in at or (id in at and at[id] < at[f"<{id}"]), story
        assert (status is Status.HOLD or status is Status.DO) == (id not in at), story
        assert (status is Status.UNDONE) <= (f"<{id}" in at), story
    # a change is undone before what it needs is
    for id, node in board.nodes.items():
        for need in node.needs:
            if node.op is Op.CHANGE and board.nodes[need].op is Op.CHANGE and {f"<{id}", f"<{need}"} <= at.keys():
                assert at[f"<{id}"] < at[f"<{need}"], story
        # and a trigger settles after its sources
        for source in node.sources:
            if {f"<{id}", f"<{source}"} <= at.keys():
                assert at[f"<{source}"] < at[f"<{id}"], story


@given(boards())
def test_a_lane_that_failed_holds_nothing_done_but_what_is_kept(case: tuple[Board, str]) -> None:
    board, happens = case
    play(board, happens)
    if board.on_failure == "halt":
        assert not board.failed_lanes
        assert Status.UNDONE not in board.status.values()
        return
    for id, node in board.nodes.items():
        if node.lane in board.failed_lanes:
            done = board.status[id] is Status.DONE
            assert not done or node.keep_on_failure
        else:
            assert board.status[id] in (Status.DONE, Status.DO)


@given(boards())
def test_a_lane_without_a_failure_ends_as_if_it_were_alone(case: tuple[Board, str]) -> None:
    board, happens = case
    play(board, happens)
    failed = {e[1:] for e in happens.split() if e[0] == "-"}
    if "stop" in happens or board.on_failure == "halt":
        return
    for lane in {n.lane for n in board.nodes.values()}:
        members = [id for id, n in board.nodes.items() if n.lane == lane]
        if not failed & set(members):
            assert all(board.status[id] is Status.DONE for id in members)


def test_a_consumer_does_not_wait_for_its_own_trigger_while_others_are_undone() -> None:
    trigger = Node("t", ("c",), op=Op.TRIGGER, consumer=frozenset({"c"}))
    board = Board.of([Node("z"), Node("c"), trigger])
    for id in board.nodes:
        board.status[id] = Status.UNDO
    board.start_undo("z")
    assert list(board.undoable()) == ["c"]


def test_a_pause_also_undoes_what_a_trigger_in_an_open_block_loads() -> None:
    """Otherwise it could not settle, and its host would stay out of service."""
    board = board_of("s1 d1!d#g t1:s1,d1!t#g v1:t1!v#g u1:v1!u#g other")
    play(board)
    board.roll_back_all()
    board.start_undo("u1")
    board.undone("u1")
    board.paused = True
    story = []
    while back := list(board.undoable()):
        for id in back:
            board.start_undo(id)
            board.undone(id)
        story += back
    assert story == ["v1", "s1", "t1", "d1"]
    assert board.status["other"] is Status.UNDO


@pytest.mark.parametrize(("status", "again"), [(Status.DO, Status.UNDONE), (Status.DOING, Status.UNDO)])
def test_a_trigger_that_settled_does_so_again_only_for_what_is_undone(status: Status, again: Status) -> None:
    """A resumed run that was interrupted before its tasks began: they are held, and the daemon serves meanwhile."""
    nodes = [
        Node("new", op=Op.CHANGE),
        Node("old"),
        Node("t", ("old",), op=Op.TRIGGER, sources=frozenset(("new", "old"))),
    ]
    board = Board({n.id: n for n in nodes}, status={"new": status, "old": Status.UNDONE, "t": Status.UNDONE})
    board.roll_back_all()
    assert board.status["t"] is again


def test_a_trigger_that_settled_before_its_source_was_restored_settles_again() -> None:
    board = board_of("s t:s!t")
    play(board)
    board.roll_back_all()
    board.start_undo("t")
    board.undone("t")
    board.start_undo("s")
    assert board.undone("s") == ["t"]
    assert list(board.undoable()) == ["t"]


def test_a_file_that_waits_for_a_trigger_that_waits_for_it_is_restored_first() -> None:
    """b needs a; the daemon needs b, and loads a."""
    tasks = "a b:a t:a,b!t x"
    board = board_of(tasks)
    board.nodes = {**board.nodes, "t": replace(board.nodes["t"], sources=frozenset({"a"}))}
    play(board)
    board.roll_back_all()
    board.start_undo("x")
    board.undone("x")
    assert list(board.undoable()) == ["b"]


def test_what_is_free_but_for_its_turn_does_not_hide_a_circle() -> None:
    board = board_of("a b:a t:a,b!t x")
    board.nodes = {**board.nodes, "t": replace(board.nodes["t"], sources=frozenset({"a"}))}
    play(board)
    board.roll_back_all()
    assert list(board.undoable(lambda id: id == "x")) == ["b"]
    # without a circle nothing else is chosen: what a trigger of another block needs stays
    plain = board_of("a b t:a,b!t x")
    plain.nodes = {**plain.nodes, "t": replace(plain.nodes["t"], sources=frozenset({"a"}))}
    play(plain)
    plain.roll_back_all()
    assert list(plain.undoable(lambda id: id in ("x", "a"))) == []
