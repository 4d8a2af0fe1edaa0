"""Messages arrive whole and in order, a file with them, and an end of either side is told."""

import os
import socket
import threading

import pytest

from serving.runtime.link import MAX_BYTES, Link
from serving.runtime.place import SOCKET, address_in


@pytest.fixture
def ends():
    one, other = map(Link, socket.socketpair())
    yield one, other
    one.close()
    other.close()


def test_messages_arrive_whole_and_in_order(ends):
    sent = [b"", b"a", os.urandom(3_000_000), b"end"]
    sender = threading.Thread(target=lambda: [ends[0].send(message) for message in sent])
    sender.start()
    assert [ends[1].receive() for _ in sent] == sent
    sender.join()


def test_many_threads_may_send(ends):
    texts = [bytes([65 + i]) * 50_000 for i in range(8)]
    threads = [threading.Thread(target=ends[0].send, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    assert sorted(ends[1].receive() for _ in texts) == texts
    for thread in threads:
        thread.join()


def test_a_file_comes_along(ends):
    mine = os.memfd_create("ours")
    os.write(mine, b"shared")
    ends[0].send_file(mine)
    assert os.pread(ends[1].receive_file(), 10, 0) == b"shared"


def test_the_end_of_the_other_side_is_told(ends):
    ends[0].close()
    with pytest.raises(EOFError, match="gone"):
        ends[1].receive()
    with pytest.raises(EOFError, match="file"):
        ends[1].receive_file()


def test_a_length_that_nobody_means_is_refused(ends):
    ends[0]._end.sendall((MAX_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(EOFError, match="expected"):
        ends[1].receive()


def test_a_folder_with_a_long_path_is_reached(tmp_path):
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as ear:
        with address_in(folder) as address:
            ear.bind(address)
        ear.listen()
        link = Link.to(folder)
        assert (folder / SOCKET).is_socket()
        link.close()


def test_nobody_there_is_an_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        Link.to(tmp_path)
