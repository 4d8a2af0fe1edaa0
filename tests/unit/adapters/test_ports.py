"""Free ports are free, in a row, and none that a connection could take."""

import socket

from adapters import ports
from adapters.ports import free_ports, is_free


def test_free_ports_are_in_a_row_and_free() -> None:
    first, *others = found = free_ports(5)
    assert found == tuple(range(first, first + 5)), others
    for port in found:
        with socket.create_server(("127.0.0.1", port)):
            assert not is_free(port)


def test_no_connection_that_goes_out_takes_a_free_port() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as caller,
    ):
        outgoing = caller.getsockname()[1]
    assert all(free_ports(3)[-1] < outgoing for _ in range(100))


def test_ports_that_others_want_are_left_to_them(monkeypatch) -> None:
    monkeypatch.setattr(ports, "_first_outgoing", lambda: 10_006)
    assert all(free_ports(3, taken=[10_000]) != (10_000, 10_001, 10_002) for _ in range(50))


def test_where_the_system_does_not_say_its_range_the_usual_one_is_left_alone(
    monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(ports, "_RANGE", tmp_path / "none")
    assert max(free_ports(2)) < 32_768
